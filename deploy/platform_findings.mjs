// What the platform has of a deployment that the Worker cannot see: each step of scripts/deploy, the consumers of queues,
// rules that would make a loop, and secrets.

import { logBucketOf } from "./environment.mjs";
import { STATES } from "./states.mjs";
import { NO_RULES, jurisdictionOf, rulesOf, stepsOf } from "./steps.mjs";
import { isThere } from "./wrangler.mjs";

/** The folder of the objects that raydex stores itself. */
const OWN_FOLDER = "raydex/";
/** Secrets without which nobody is let in. */
const DOORS = ["API_TOKEN_SHA256", "ACCESS_TEAM"];

/** The findings, in the order of the steps. `run(args)` is wrangler. */
export async function platformFindings({ run, config, choices, environment }) {
  const [account, ...steps] = stepsOf({ config, file: "", choices, secrets: null, environment });
  const signedIn = await stateOf(run, account);
  if (signedIn !== STATES.ok) {
    return [{ state: STATES.unknown, title: "The platform", detail: "no account is signed in: run npx wrangler login, or set CLOUDFLARE_API_TOKEN" }];
  }
  const findings = [];
  for (const step of steps.filter(({ check }) => check)) findings.push(await findingOf(run, step));
  for (const consumer of config.queues.consumers) findings.push(await consumerFinding(run, consumer, config.name));
  findings.push(await loopFinding(run, config, choices), await secretFinding(run, config));
  return findings;
}

/** How well a step is: done, not done, done otherwise, or not to be found out. */
async function stateOf(run, { check }) {
  try {
    const there = await isThere(run, check);
    if (there === "other") return STATES.warning;
    return there ? STATES.ok : STATES.failing;
  } catch {
    return STATES.unknown;
  }
}

const DETAILS = {
  [STATES.failing]: "not there; scripts/deploy --apply creates it",
  [STATES.warning]: "there with other values; scripts/deploy --apply sets them",
  [STATES.unknown]: "wrangler failed",
};

async function findingOf(run, step) {
  const state = await stateOf(run, step);
  return { state, title: step.title, detail: DETAILS[state] };
}

/** Whether the Worker consumes a queue: one that nobody consumes loses its messages after its retention. */
async function consumerFinding(run, { queue }, worker) {
  const title = `Consumer of ${queue}`;
  const { code, output } = await run(["queues", "info", queue]);
  if (code !== 0) return { state: STATES.unknown, title, detail: DETAILS.unknown };
  const consumers = output.match(/^Consumers: (.*)$/m)?.[1] ?? "";
  if (consumers.split(",").some((name) => name.trim() === `worker:${worker}`)) return { state: STATES.ok, title };
  return { state: STATES.failing, title, detail: `${worker} does not consume it; scripts/deploy --apply makes it` };
}

/** Rules that announce what raydex stores itself: each object would bring forth a message, though none is read. */
async function loopFinding(run, config, choices) {
  const title = "Events of raydex's own objects";
  const bucket = config.r2_buckets.find(({ binding }) => binding === "DATA")?.bucket_name ?? logBucketOf(config);
  const { code, output } = await run(["r2", "bucket", "notification", "list", bucket, ...jurisdictionOf(choices)]);
  if (code !== 0) return NO_RULES.test(output) ? { state: STATES.ok, title } : { state: STATES.unknown, title, detail: DETAILS.unknown };
  const overlaps = ({ prefix, suffix = "" }) => {
    const folder = prefix === "(all prefixes)" ? "" : prefix;
    const isWhole = suffix === "(all suffixes)" || suffix === "";
    return (folder.startsWith(OWN_FOLDER) || OWN_FOLDER.startsWith(folder)) && (isWhole || ".ndjson.gz".endsWith(suffix));
  };
  const rules = rulesOf(output).filter((rule) => rule.queue_name && overlaps(rule));
  if (rules.length === 0) return { state: STATES.ok, title };
  const named = rules.map(({ queue_name, prefix, suffix }) => `${prefix} ${suffix ?? ""} to ${queue_name}`).join(", ");
  return { state: STATES.warning, title, detail: `announced by ${named}: give the rule a prefix of its own, and the suffix .log.gz` };
}

async function secretFinding(run, config) {
  const title = `Secrets of ${config.name}`;
  const { code, output } = await run(["secret", "list", "--name", config.name, "--format", "json"]);
  if (code !== 0) return { state: STATES.unknown, title, detail: DETAILS.unknown };
  const from = output.indexOf("[");
  let names;
  try {
    names = JSON.parse(output.slice(from)).map(({ name }) => name);
  } catch {
    return { state: STATES.unknown, title, detail: DETAILS.unknown };
  }
  const isIn = (name) => names.includes(name) || config.vars[name] !== undefined;
  if (DOORS.some(isIn)) return { state: STATES.ok, title, detail: names.join(", ") };
  return { state: STATES.failing, title, detail: `neither ${DOORS.join(" nor ")} is set: every request is refused` };
}
