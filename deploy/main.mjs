// `scripts/deploy`: deploys raydex to a Cloudflare account, step by step.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { byHand, priceOfLogs } from "./by_hand.mjs";
import { Undone, carryOut } from "./carry_out.mjs";
import { HELP, Refused, readChoices } from "./choices.mjs";
import { configOf, readWranglerToml } from "./environment.mjs";
import { stepsOf } from "./steps.mjs";
import { WranglerFailed, runWrangler, wranglerProgram } from "./wrangler.mjs";

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const FOLDER = path.join(ROOT, "build", "deploy");

const shown = (args) => `npx wrangler ${args.map((arg) => (/^[\w./:=-]+$/.test(arg) ? arg : `'${arg}'`)).join(" ")}`;
const print = (text = "") => process.stdout.write(`${text}\n`);

/** Whether the Worker is built here; a release has it built. */
const BUILDS = fs.existsSync(path.join(ROOT, "scripts/build"));

/** Writes the configuration that wrangler gets; returns its place. */
function writeConfig(plan) {
  fs.mkdirSync(FOLDER, { recursive: true });
  const file = path.join(FOLDER, `${plan.environment}.json`);
  fs.writeFileSync(file, `${JSON.stringify(plan.config, null, 2)}\n`);
  return file;
}

function printStep(step) {
  print(`- ${step.title}`);
  if (step.builds && BUILDS) print("    scripts/build");
  print(`    ${step.make ? shown(step.make) : step.hand}`);
}

function buildWorker() {
  // A test's wrangler uploads nothing.
  if (!BUILDS || process.env.RAYDEX_WRANGLER) return;
  const { status } = spawnSync(path.join(ROOT, "scripts/build"), { stdio: "inherit" });
  if (status !== 0) throw new Refused("scripts/build failed: see above");
}

async function main(args) {
  const chosen = readChoices(args, ROOT);
  if (chosen.help) return print(HELP);
  const config = configOf(readWranglerToml(ROOT), chosen.environment, chosen.choices, ROOT, FOLDER);
  const file = writeConfig({ ...chosen, config });
  const plan = { ...chosen, config, root: ROOT, file: path.relative(ROOT, file) };
  const steps = stepsOf(plan);
  if (chosen.apply || chosen.check) {
    const run = (args) => runWrangler(wranglerProgram(ROOT), args, { cwd: ROOT });
    const report = (outcome, { title }) => print(`${outcome.padEnd(8)} ${title}`);
    await carryOut(steps, { run, report, build: buildWorker, apply: chosen.apply });
  } else {
    print(`What scripts/deploy --apply would do for ${chosen.environment}, apart from what is there already:\n`);
    steps.forEach(printStep);
  }
  print(`\n${priceOfLogs(chosen.choices)}`);
  print("\nWhat remains to be done by hand:\n");
  byHand(plan).forEach(({ title, command }, nth) => print(`${nth + 1}. ${title}\n${command ? `${command}\n` : ""}`));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isOurs = [Refused, Undone, WranglerFailed].some((kind) => error instanceof kind);
  if (!isOurs) throw error;
  const again = "\nWhat was done so far stays. Run scripts/deploy again once it is mended: it goes on from there.";
  process.stderr.write(`scripts/deploy: ${error.message}${error instanceof WranglerFailed ? again : ""}\n`);
  process.exitCode = error instanceof WranglerFailed ? 1 : 2;
}
