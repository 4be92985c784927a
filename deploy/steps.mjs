// The steps of a deployment in their order. Each says how to find out whether it is done, and what does it.

import { createHash } from "node:crypto";
import { logBucketOf, queuesOf } from "./environment.mjs";

/** How long a queue keeps messages, in seconds: as long as the platform allows, for dead letters wait for people. */
export const MESSAGES_KEPT_S = 14 * 24 * 3600;
const NO_BUCKET = /\[code: 10006\]|bucket does not exist/i;
const NO_QUEUE = /Queue "[^"]+" does not exist/;
/** What Cloudflare answers for a bucket without any rule. */
export const NO_RULES = new RegExp(`${NO_BUCKET.source}|\\[code: 11015\\]|no (event )?notification`, "i");
/** The name of the lifecycle rule for batches. */
const LIFECYCLE = "raydex-batches";

/**
 * A step: `title`; `check`, what to ask and what its answer means, if it can be done already; `make`, the arguments that do
 * it; `mend`, those that set right what is there; `remove`, those that make room for it; `unmet` and `hand`, what is wrong and
 * what a person does instead.
 */
export function stepsOf({ config, file, choices, secrets, environment }) {
  const bucket = logBucketOf(config);
  const steps = [{ title: "An account is signed in", check: { args: ["whoami", "--json"], absent: /not authenticated|not logged in|"loggedIn":\s*false/i }, unmet: "No account is signed in", hand: "npx wrangler login" }];
  if (environment !== "edge") {
    steps.push(...config.r2_buckets.map(({ bucket_name }) => bucketStep(bucket_name, choices)));
    steps.push(...queuesOf(config).map(queueStep));
  }
  steps.push(deployStep(config, file, secrets));
  if (environment !== "edge") {
    for (const prefix of prefixesOf(config)) {
      steps.push(notificationStep(bucket, prefix, config, choices));
    }
    steps.push(...Object.entries(retentionOf(config)).map(([prefix, days]) => lifecycleStep(bucket, prefix, days, choices)));
  }
  return steps;
}

/** The folders that the Worker of a configuration watches; an empty one is the whole bucket. */
export function prefixesOf({ vars }) {
  return (vars.LOG_PREFIX ?? "logs/").split(",").map((prefix) => prefix.trim().replace(/^\/$/, ""));
}

/** For how many days the bucket keeps the batches under each prefix that has a number of its own, by the settings. */
function retentionOf(config) {
  const { LOG_RETENTION_DAYS: days, DATASETS: datasets } = config.vars;
  const all = days ? prefixesOf(config).map((prefix) => [prefix, Number(days)]) : [];
  const own = Object.entries(datasets ? JSON.parse(datasets) : {}).map(([prefix, { retention_days }]) => [prefix, retention_days]);
  return Object.fromEntries([...all, ...own.filter(([, days]) => days)]);
}

export const jurisdictionOf = ({ jurisdiction }) => (jurisdiction ? ["--jurisdiction", jurisdiction] : []);

function bucketStep(name, choices) {
  const where = jurisdictionOf(choices);
  return {
    title: `Bucket ${name}${choices.jurisdiction ? ` (${choices.jurisdiction})` : ""}`,
    check: { args: ["r2", "bucket", "info", name, "--json", ...where], absent: NO_BUCKET },
    make: ["r2", "bucket", "create", name, ...where],
  };
}

function queueStep(name) {
  const kept = ["--message-retention-period-secs", String(MESSAGES_KEPT_S)];
  return {
    title: `Queue ${name}, which keeps messages for 14 days`,
    check: { args: ["queues", "info", name], absent: NO_QUEUE },
    make: ["queues", "create", name, ...kept],
    // Wrangler does not show how long an existing queue keeps messages.
    mend: ["queues", "update", name, ...kept],
  };
}

function deployStep(config, file, secrets) {
  const named = secrets ? `, with the secrets ${secrets.names.join(", ")}` : "";
  // In one request: a Worker without its secrets would refuse everything, and one without its code would take none.
  return {
    title: `Worker ${config.name}${named}`,
    make: ["deploy", "--config", file, ...(secrets ? ["--secrets-file", secrets.file] : [])],
    builds: true,
  };
}

function notificationStep(bucket, prefix, config, choices) {
  const queue = config.queues.producers.find(({ binding }) => binding === "PARSE_QUEUE").queue;
  const where = jurisdictionOf(choices);
  const isRule = (rule) => rule.queue_name === queue && rule.prefix === (prefix || "(all prefixes)");
  return {
    title: `Events of ${bucket}/${prefix}*.log.gz to ${queue}`,
    check: {
      args: ["r2", "bucket", "notification", "list", bucket, ...where],
      found: (output) => rulesOf(output).some(isRule),
      absent: NO_RULES,
    },
    make: ["r2", "bucket", "notification", "create", bucket, "--event-types", "object-create", "object-delete", "--queue", queue,
      ...(prefix ? ["--prefix", prefix] : []), "--suffix", ".log.gz", ...where],
  };
}

/** The name of the rule of a prefix: no two prefixes have the same. */
function ruleName(prefix) {
  const words = prefix.replaceAll(/[^A-Za-z0-9]+/g, "-").replace(/-$/, "");
  return prefix ? `${LIFECYCLE}-${words}-${createHash("sha256").update(prefix).digest("hex").slice(0, 8)}` : LIFECYCLE;
}

function lifecycleStep(bucket, prefix, days, choices) {
  const where = jurisdictionOf(choices);
  const name = ruleName(prefix);
  const own = (output) => rulesOf(output).find((rule) => rule.name === name);
  const isRight = ({ action = "", prefix: of, enabled }) =>
    action.includes(`after ${days} days`) && of === (prefix || "(all prefixes)") && enabled === "Yes";
  return {
    title: `Batches of ${bucket}/${prefix} expire after ${days} days`,
    check: {
      args: ["r2", "bucket", "lifecycle", "list", bucket, ...where],
      found: (output) => (own(output) ? isRight(own(output)) || "other" : false),
      absent: NO_BUCKET,
    },
    // A rule of this name with another number of days or prefix, or one that is switched off.
    remove: ["r2", "bucket", "lifecycle", "remove", bucket, "--name", name, ...where],
    make: ["r2", "bucket", "lifecycle", "add", bucket, name, ...(prefix ? [prefix] : []), "--expire-days", String(days), "--force", ...where],
  };
}

/** The rules of a list as wrangler prints it: paragraphs of lines with a name and a value. */
export function rulesOf(output) {
  const lines = (rule) => rule.split("\n").map((line) => line.match(/^([a-z_]+):\s+(.*?)\s*$/)).filter(Boolean);
  return output.split(/\n\s*\n/).map((rule) => Object.fromEntries(lines(rule).map(([, name, value]) => [name, value])));
}
