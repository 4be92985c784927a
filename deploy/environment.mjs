// The configuration that wrangler gets for an environment, made from wrangler.toml: the one place that names bindings,
// queues, consumers, objects, migrations and crons. `staging` and `dev` are the whole of `production` under other names, so
// that they cannot lack anything of it.

import path from "node:path";
import { experimental_readRawConfig } from "wrangler";

/** The environments, with what their names of Workers, buckets and queues end in. */
export const ENVIRONMENTS = { production: "", staging: "-staging", dev: "-dev", edge: "" };
/** The variables by which the Worker learns the names of the queues, by the name in wrangler.toml. */
const QUEUE_VARIABLES = {
  "parse-queue": "PARSE_QUEUE_NAME",
  "send-queue": "SEND_QUEUE_NAME",
  "parse-dlq": "PARSE_DLQ_NAME",
  "send-dlq": "SEND_DLQ_NAME",
  "edge-queue": "EDGE_QUEUE_NAME",
};

/** Reads wrangler.toml as it is written. */
export function readWranglerToml(root) {
  return experimental_readRawConfig({ config: path.join(root, "wrangler.toml") }).rawConfig;
}

/**
 * The configuration of an environment, as JSON for `wrangler --config`. `folder` is where the file will be: wrangler finds
 * the module from there. `choices` are those of the deployment's file.
 */
export function configOf(toml, environment, choices, root, folder) {
  const { env, build: _, ...whole } = toml;
  const own = environment === "edge" ? { ...shared(whole), ...env.edge } : whole;
  const rename = namesOf(environment, choices);
  const config = {
    ...own,
    name: rename.worker(own.name),
    main: path.relative(folder, path.join(root, own.main)),
    r2_buckets: buckets(own.r2_buckets, rename, environment === "edge" ? { ...choices, data_bucket: undefined } : choices),
    queues: queues(own.queues, rename),
    durable_objects: objects(own.durable_objects, rename),
    vars: { ...own.vars, ...variables(own, rename, choices), ...choices.vars },
    observability: observability(own.observability, choices),
  };
  if (choices.domain && environment !== "edge") config.routes = [{ pattern: choices.domain, custom_domain: true }];
  if (choices.routes && environment === "edge") config.routes = choices.routes;
  // With Access, or a domain of its own, the address at workers.dev would be a second door, and so would those of versions.
  if (choices.domain || choices.vars?.ACCESS_TEAM || environment === "edge") Object.assign(config, { workers_dev: false, preview_urls: false });
  return config;
}

/** What both Workers take from the top of wrangler.toml. */
const shared = ({ compatibility_date, compatibility_flags }) => ({ compatibility_date, compatibility_flags });

/** How the names of wrangler.toml are spelled in an environment. */
export function namesOf(environment, choices) {
  const ending = ENVIRONMENTS[environment];
  const bucket = (name) => choices.bucket ?? `${name}${ending}`;
  return { worker: (name) => `${name}${ending}`, queue: (name) => `${name}${ending}`, bucket };
}

function buckets(list = [], rename, { data_bucket, jurisdiction }) {
  const all = list.map((bound) => ({ ...bound, bucket_name: rename.bucket(bound.bucket_name) }));
  if (data_bucket) all.push({ binding: "DATA", bucket_name: data_bucket });
  return all.map((bound) => ({ ...bound, ...(jurisdiction && { jurisdiction }) }));
}

function queues({ producers = [], consumers = [] } = {}, rename) {
  const named = ({ dead_letter_queue, queue, ...rest }) => ({
    ...rest,
    queue: rename.queue(queue),
    ...(dead_letter_queue && { dead_letter_queue: rename.queue(dead_letter_queue) }),
  });
  return { producers: producers.map(named), consumers: consumers.map(named) };
}

function objects({ bindings = [] } = {}, rename) {
  const named = (bound) => ({ ...bound, ...(bound.script_name && { script_name: rename.worker(bound.script_name) }) });
  return { bindings: bindings.map(named) };
}

/** The settings that say what the names are, where they are not those of wrangler.toml, and where data may be. */
function variables(own, rename, { jurisdiction, log_prefixes, retention_days }) {
  const { producers = [], consumers = [] } = own.queues;
  const bucket = logBucketOf(own);
  const vars = {};
  if (rename.bucket(bucket) !== bucket) vars.BUCKET_NAME = rename.bucket(bucket);
  if (log_prefixes) vars.LOG_PREFIX = log_prefixes.join(",");
  for (const { queue } of [...producers, ...consumers]) {
    if (rename.queue(queue) !== queue) vars[QUEUE_VARIABLES[queue]] = rename.queue(queue);
  }
  if (retention_days) vars.LOG_RETENTION_DAYS = String(retention_days);
  if (jurisdiction) vars.JURISDICTION = jurisdiction;
  return vars;
}

function observability(own, { log_sampling }) {
  if (log_sampling === undefined) return own;
  return log_sampling === 0 ? { enabled: false } : { ...own, enabled: true, head_sampling_rate: log_sampling };
}

/** The name of the bucket that Logpush writes to. */
export function logBucketOf({ r2_buckets }) {
  return r2_buckets.find(({ binding }) => binding === "RAW").bucket_name;
}

/** The queues of a configuration, each once, with the queues of dead letters. */
export function queuesOf({ queues: { producers, consumers } }) {
  const names = [...producers, ...consumers].flatMap(({ queue, dead_letter_queue }) => [queue, dead_letter_queue]);
  return [...new Set(names.filter(Boolean))];
}
