// What an operator chooses: the command line, and the file of the deployment. Everything is checked before anything is done.

import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { ENVIRONMENTS } from "./environment.mjs";

export class Refused extends Error {}

export const HELP = `Usage: scripts/deploy [options]

Deploys raydex to a Cloudflare account. Without --apply it changes nothing and asks nothing: it prints what it would do.
Safe to run again: each step first checks whether there is anything to do.

  --env NAME        production (default), staging, dev: each a deployment of its own; or edge, the edge logger of production
  --choices FILE    the choices of the deployment, as JSON (default: deploy.NAME.json, if there is one)
  --secrets FILE    secrets to set with the deployment, as JSON: {"API_TOKEN_SHA256":"…"}
  --check           ask Cloudflare what is there, and print what is lacking; changes nothing
  --apply           do it
  --help            show this help

Choices, all of them optional:

  bucket            the bucket that Logpush writes to (default: the one of wrangler.toml)
  data_bucket       another bucket for what raydex stores itself
  jurisdiction      eu or fedramp: where buckets and Durable Objects are. It cannot be changed after the first deployment
  domain            the address of the API, of a zone of the account; the address at workers.dev is switched off
  routes            env edge: the routes of the site, as in wrangler.toml
  log_prefixes      the folders that Logpush writes to, as a list (default: those of LOG_PREFIX, or logs/)
  retention_days    after how many days batches expire: the setting LOG_RETENTION_DAYS, and the rules of the bucket (default: never).
                    A prefix of DATASETS may have retention_days of its own
  log_sampling      the share of invocations whose log lines are kept, from 0 to 1 (default: 1)
  vars              settings of schemas/config.json that are not secret`;

const CHOICES = {
  bucket: isBucket,
  data_bucket: isBucket,
  jurisdiction: (value) => ["eu", "fedramp"].includes(value) || "must be eu or fedramp",
  domain: (value) => /^([a-z0-9-]+\.)+[a-z]{2,}$/.test(value) || "must be a host name, such as raydex.example.com",
  routes: (value) => (Array.isArray(value) && value.length > 0) || "must be a list of routes, as in wrangler.toml",
  log_prefixes: (value) => (Array.isArray(value) && value.every((prefix) => /^([^/]+\/)*$/.test(prefix))) || 'must be a list of folders, such as ["logs/"]',
  retention_days: (value) => (Number.isInteger(value) && value >= 1 && value <= 36500) || "must be a number of days from 1 to 36500",
  log_sampling: (value) => (typeof value === "number" && value >= 0 && value <= 1) || "must be a number from 0 to 1",
  vars: (value) => isObject(value) || "must be an object of settings",
};

function isBucket(value) {
  return /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(value) || "must be the name of a bucket: 3 to 63 lower-case letters, digits and hyphens";
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads the command line and the files that it names. Throws what is wrong and what to do. */
export function readChoices(args, root) {
  const { values } = parsed(args);
  const environment = values.env ?? "production";
  if (!(environment in ENVIRONMENTS)) throw new Refused(`--env ${environment} is not known: choose ${Object.keys(ENVIRONMENTS).join(", ")}`);
  if (values.apply && values.check) throw new Refused("--check changes nothing, and --apply does: give one of them");
  const fileOf = (name) => path.join(root, `deploy.${name}.json`);
  const own = readFile(values.choices ?? fileOf(environment), Boolean(values.choices));
  const choices = { ...(environment === "edge" && sharedChoices(fileOf("production"))), ...own };
  const settings = JSON.parse(fs.readFileSync(path.join(root, "schemas/config.json"), "utf8")).settings;
  const secrets = values.secrets ? { file: path.resolve(values.secrets), names: Object.keys(readFile(values.secrets, true)) } : null;
  const faults = [...faultsOf(choices, environment), ...varFaults(choices.vars ?? {}, settings), ...secretFaults(secrets?.names ?? [], settings)];
  if (faults.length > 0) throw new Refused(faults.join("\n"));
  return { environment, choices, secrets, apply: values.apply, check: values.check, help: values.help };
}

/** What the edge logger has of production: the bucket and folders that it writes to, and where the durable buffer is. */
function sharedChoices(file) {
  const isShared = ([name]) => ["bucket", "jurisdiction", "log_prefixes"].includes(name);
  return Object.fromEntries(Object.entries(readFile(file, false)).filter(isShared));
}

function parsed(args) {
  const flag = { type: "boolean", default: false };
  const text = { type: "string" };
  try {
    return parseArgs({ args, options: { env: text, choices: text, secrets: text, check: flag, apply: flag, help: flag } });
  } catch (error) {
    throw new Refused(`${error.message.split(".")[0]}. See scripts/deploy --help`);
  }
}

function readFile(file, isNamed) {
  let text;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if (!isNamed && error.code === "ENOENT") return {};
    throw new Refused(`${file} cannot be read: ${error.code}`);
  }
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own words would repeat what is in the file, which may be a secret.
    throw new Refused(`${file} is not JSON`);
  }
  if (!isObject(value)) throw new Refused(`${file} must hold a JSON object`);
  return value;
}

function faultsOf(choices, environment) {
  const faults = Object.entries(choices).flatMap(([name, value]) => {
    if (!CHOICES[name]) return [`there is no choice ${name}: choose from ${Object.keys(CHOICES).join(", ")}`];
    const verdict = CHOICES[name](value);
    return verdict === true ? [] : [`${name} ${verdict || "is malformed"}`];
  });
  if (choices.vars?.ACCESS_TEAM && !choices.domain && environment !== "edge") {
    faults.push("ACCESS_TEAM needs a domain: Access does not guard the address at workers.dev");
  }
  if (choices.log_prefixes && choices.vars?.LOG_PREFIX !== undefined) faults.push("log_prefixes and the setting LOG_PREFIX say the same: give one of them");
  if (choices.retention_days && choices.vars?.LOG_RETENTION_DAYS !== undefined) faults.push("retention_days and the setting LOG_RETENTION_DAYS say the same: give one of them");
  const { vars = {} } = choices;
  if (environment !== "edge" && isObject(vars) && Object.values(vars).every((value) => typeof value === "string")) faults.push(...retentionFaults(choices));
  if (isObject(vars) && vars.ACCESS_TEAM) {
    const missing = ["ACCESS_AUD", "ACCESS_GRANTS"].filter((name) => !vars[name]);
    if (missing.length > 0) faults.push(`ACCESS_TEAM needs ${missing.join(" and ")}: without them the Worker refuses every request. Make the Access application first, whose tag is ACCESS_AUD`);
  }
  if (choices.routes && environment !== "edge") faults.push("routes are of --env edge: name the address of the API as domain");
  return faults;
}

/** What is wrong with the numbers of days in settings, of which rules of the bucket are made. */
function retentionFaults({ retention_days, data_bucket, log_prefixes, vars = {} }) {
  const { DATASETS: datasets, LOG_PREFIX: folders } = vars;
  const faults = [];
  const given = (name) => {
    const text = vars[name];
    if (text === undefined || text === "") return undefined;
    const days = /^[1-9]\d*$/.test(text) ? Number(text) : 0;
    if (CHOICES.retention_days(days) !== true) faults.push(`vars: ${name} ${CHOICES.retention_days(days)}`);
    return days;
  };
  const all = retention_days ?? given("LOG_RETENTION_DAYS");
  const accounts = given("ACCOUNTS_RETENTION_DAYS");
  if (accounts && (!all || accounts <= all)) faults.push("vars: ACCOUNTS_RETENTION_DAYS must be more days than LOG_RETENTION_DAYS, or retention_days, which must be given");
  const rules = rulesOf(datasets);
  if (!rules) return [...faults, "vars: DATASETS must be a text, a JSON object of prefixes with an object each"];
  const own = Object.entries(rules).flatMap(([prefix, { retention_days: days }]) => (days === undefined ? [] : [[prefix, days]]));
  for (const [prefix, days] of own) {
    if (CHOICES.retention_days(days) !== true) faults.push(`vars: DATASETS: retention_days of ${prefix} ${CHOICES.retention_days(days)}`);
    // A bucket deletes an object by the shortest of its rules.
    const outer = own.find(([other, least]) => prefix.startsWith(other) && least < days)?.[0];
    if (days > (all ?? days)) faults.push(`vars: DATASETS: retention_days of ${prefix} are more than those of all batches, whose rule deletes its batches as well`);
    else if (outer !== undefined) faults.push(`vars: DATASETS: retention_days of ${prefix} are more than those of ${outer}, whose rule deletes its batches as well`);
    if (prefix.startsWith("raydex/")) faults.push(`vars: DATASETS: ${prefix} is what raydex stores itself, and may have no rule`);
  }
  const watched = log_prefixes ?? (folders === undefined ? ["logs/"] : folders.split(",").map((folder) => folder.trim().replace(/^\/$/, "")));
  const whole = own.some(([prefix]) => prefix === "") || (all !== undefined && watched.includes(""));
  if (whole && !data_bucket) faults.push("retention_days for the whole bucket need a data_bucket: their rule would delete what raydex stores itself");
  return faults;
}

/** The rules of DATASETS by prefix; nothing if it is no JSON object of objects. */
function rulesOf(datasets = "{}") {
  try {
    const rules = JSON.parse(datasets || "{}");
    return isObject(rules) && Object.values(rules).every(isObject) ? rules : undefined;
  } catch {
    return undefined;
  }
}

function varFaults(vars, settings) {
  return Object.keys(vars).flatMap((name) => {
    const known = settings.find((setting) => setting.name === name);
    if (!known) return [`vars: there is no setting ${name}`];
    // Wrangler hands on a number as a number, which the Worker does not read.
    if (typeof vars[name] !== "string") return [`vars: ${name} must be a text, such as "${vars[name]}"`];
    return known.secret ? [`vars: ${name} is a secret: give it in the file of --secrets`] : [];
  });
}

function secretFaults(names, settings) {
  const isKnown = (name) => settings.some((setting) => setting.name === name) || /^EDGE_[A-Z0-9_]+$/.test(name);
  return names.filter((name) => !isKnown(name)).map((name) => `secrets: there is no setting ${name}`);
}
