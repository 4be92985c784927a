// `scripts/doctor`: examines a deployment from outside, what the platform has of it and what it says of itself.

import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Refused, readChoices } from "./choices.mjs";
import { configOf, readWranglerToml } from "./environment.mjs";
import { ownFindings } from "./own_findings.mjs";
import { platformFindings } from "./platform_findings.mjs";
import { STATES } from "./states.mjs";
import { runWrangler, wranglerProgram } from "./wrangler.mjs";

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const HELP = `Usage: scripts/doctor [options]

Examines a deployment and changes nothing: what Cloudflare has of it (buckets, queues and their consumers, event
notifications, lifecycle rules, secrets), by wrangler; and what it finds when it checks itself, by GET /healthz?deep=1.

  --env NAME        production (default), staging or dev
  --choices FILE    the choices of the deployment, as for scripts/deploy
  --json            print the findings as JSON
  --help            show this help

RAYDEX_URL          the address of the API; without it, the deployment itself is not asked
RAYDEX_TOKEN        a token with the scope admin

Exit codes: 0 nothing fails, 1 something does, 2 wrong use.`;

/** Text without signs that steer a terminal. */
const clean = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
const lineOf = ({ state, title, detail }) => `${state.padEnd(8)} ${clean(title)}${detail ? `: ${clean(detail)}` : ""}`;

function readOptions(args) {
  const flag = { type: "boolean", default: false };
  const text = { type: "string" };
  try {
    return parseArgs({ args, options: { env: text, choices: text, json: flag, help: flag } }).values;
  } catch (error) {
    throw new Refused(`${error.message.split(".")[0]}. See scripts/doctor --help`);
  }
}

async function main(args) {
  const options = readOptions(args);
  if (options.help) return process.stdout.write(`${HELP}\n`);
  if (options.env === "edge") throw new Refused("--env edge has no state of its own: examine production");
  const named = ["env", "choices"].flatMap((name) => (options[name] === undefined ? [] : [`--${name}`, options[name]]));
  const { environment, choices } = readChoices(named, ROOT);
  const config = configOf(readWranglerToml(ROOT), environment, choices, ROOT, ROOT);
  const run = (args) => runWrangler(wranglerProgram(ROOT), args, { cwd: ROOT });
  const { RAYDEX_URL: url, RAYDEX_TOKEN: token } = process.env;
  const [platform, own] = await Promise.all([platformFindings({ run, config, choices, environment }), ownFindings(url, token)]);
  const findings = [...platform, ...own];
  process.stdout.write(options.json ? `${JSON.stringify({ findings })}\n` : `${findings.map(lineOf).join("\n")}\n`);
  if (findings.some(({ state }) => state === STATES.failing)) process.exitCode = 1;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  process.stderr.write(`scripts/doctor: ${error.message}\n`);
  process.exitCode = 2;
}
