// A double of wrangler for the tests of scripts/deploy: keeps an account, records each call, fails at the call that it is
// set to fail at, and refuses commands and flags that the pinned wrangler does not have. As a program it keeps the account in
// the folder RAYDEX_DOUBLE.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** An account without anything in it. */
export const EMPTY = { signedIn: true, calls: [], buckets: {}, queues: {}, workers: {} };

/** It happened, and the answer was lost. */
const LOST = { code: 1, output: "fetch failed" };

class Ended extends Error {
  constructor(code, output) {
    super(output);
    Object.assign(this, { code, output });
  }
}

const end = (code, output) => {
  throw new Ended(code, output);
};

const paragraphs = (rows) => rows.map((row) => Object.entries(row).map(([name, value]) => `${`${name}:`.padEnd(14)}${value}`).join("\n")).join("\n\n");

/** Runs wrangler's command on an account, which it changes; `flags` has those of each command. Returns exit code and output. */
export function runDouble(account, flags, args) {
  account.calls.push(args);
  const nth = account.calls.length;
  const command = Object.keys(flags).find((name) => name.split(" ").every((word, at) => args[at] === word));
  try {
    if (!command) end(1, `Unknown command: ${args.join(" ")}`);
    for (const arg of args) if (arg.startsWith("--") && !flags[command].includes(arg)) end(1, `Unknown argument: ${arg}`);
    if (nth === account.failAt) end(1, "A request to the Cloudflare API failed. internal error [code: 10001]");
    const output = answer(account, command, args);
    return nth === account.loseAt ? LOST : { code: 0, output };
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
    return nth === account.loseAt ? LOST : { code: error.code, output: error.output };
  }
}

/** What wrangler says of the Workers that consume a queue. */
function consumersOf(account, queue) {
  const consumes = ({ config }) => config.queues.consumers.some((consumer) => consumer.queue === queue);
  const names = Object.entries(account.workers).filter(([, worker]) => consumes(worker)).map(([name]) => `worker:${name}`);
  return `Number of Consumers: ${names.length}${names.length > 0 ? `\nConsumers: ${names}` : ""}`;
}

function answer(account, command, args) {
  /** The values that follow a flag. */
  const values = (flag) => {
    const rest = args.includes(flag) ? args.slice(args.indexOf(flag) + 1) : [];
    const next = rest.findIndex((arg) => arg.startsWith("--"));
    return next < 0 ? rest : rest.slice(0, next);
  };
  const given = args.slice(command.split(" ").length);
  const firstFlag = given.findIndex((arg) => arg.startsWith("--"));
  const [name, second, third] = firstFlag < 0 ? given : given.slice(0, firstFlag);
  const where = values("--jurisdiction")[0] ?? "";
  const bucketOr = (make) => {
    const found = account.buckets[name];
    return found?.where === where ? make(found) : end(1, "The specified bucket does not exist. [code: 10006]");
  };
  const COMMANDS = {
    whoami: () => (account.signedIn ? '{"loggedIn":true}' : end(1, '{"loggedIn":false}')),
    "r2 bucket info": () => bucketOr(() => "{}"),
    "r2 bucket create": () => {
      if (account.buckets[name]) end(1, "The bucket you tried to create already exists, and you own it. [code: 10004]");
      account.buckets[name] = { where, rules: [], lifecycle: [] };
      return "Created bucket";
    },
    "queues info": () => (account.queues[name] ? `Queue Name: ${name}\n${consumersOf(account, name)}` : end(1, `Queue "${name}" does not exist. To create it, run: wrangler queues create ${name}`)),
    "queues create": () => {
      if (account.queues[name]) end(1, `Queue name '${name}' is already taken. [code: 11009]`);
      account.queues[name] = Number(values("--message-retention-period-secs")[0] ?? 345_600);
      return "Created queue";
    },
    "queues update": () => {
      account.queues[name] = Number(values("--message-retention-period-secs")[0]);
      return "Updated queue";
    },
    "secret list": () => {
      const worker = account.workers[values("--name")[0]] ?? end(1, "This Worker does not exist on your account. [code: 10007]");
      return JSON.stringify(Object.keys(worker.secrets).map((secret) => ({ name: secret, type: "secret_text" })));
    },
    deploy: () => {
      const config = JSON.parse(fs.readFileSync(values("--config")[0], "utf8"));
      const queues = [...config.queues.producers, ...config.queues.consumers].flatMap(({ queue, dead_letter_queue }) => [queue, dead_letter_queue ?? queue]);
      const missing = queues.find((queue) => !account.queues[queue]);
      if (missing) end(1, `Queue "${missing}" does not exist.`);
      const lost = config.r2_buckets.find((bound) => account.buckets[bound.bucket_name]?.where !== (bound.jurisdiction ?? ""));
      if (lost) end(1, `R2 bucket '${lost.bucket_name}' not found. [code: 10085]`);
      const file = values("--secrets-file")[0];
      const old = account.workers[config.name]?.secrets ?? {};
      account.workers[config.name] = { config, secrets: { ...old, ...(file && JSON.parse(fs.readFileSync(file, "utf8"))) } };
      return "Deployed";
    },
    "r2 bucket notification list": () =>
      bucketOr(({ rules }) => (rules.length > 0 ? paragraphs(rules) : end(1, "The bucket has no event notification configuration. [code: 11015]"))),
    "r2 bucket notification create": () =>
      bucketOr(({ rules }) => {
        const [queue_name, prefix = "", suffix = ""] = [values("--queue")[0], values("--prefix")[0], values("--suffix")[0]];
        if (rules.some((rule) => rule.queue_name === queue_name && rule.prefix === (prefix || "(all prefixes)"))) end(1, "Overlapping rules. [code: 11020]");
        rules.push({ rule_id: `${rules.length}`, queue_name, prefix: prefix || "(all prefixes)", suffix: suffix || "(all suffixes)", event_type: values("--event-types").join(",") });
        return "Event notification rule created";
      }),
    "r2 bucket lifecycle list": () => bucketOr(({ lifecycle }) => (lifecycle.length > 0 ? paragraphs(lifecycle) : `There are no lifecycle rules for bucket '${name}'.`)),
    "r2 bucket lifecycle add": () =>
      bucketOr(({ lifecycle }) => {
        if (lifecycle.some((rule) => rule.name === second)) end(1, "A rule of that name exists.");
        lifecycle.push({ name: second, enabled: "Yes", prefix: third ?? "(all prefixes)", action: `Expire objects after ${values("--expire-days")[0]} days` });
        return "Added";
      }),
    "r2 bucket lifecycle remove": () =>
      bucketOr((bucket) => {
        bucket.lifecycle = bucket.lifecycle.filter((rule) => rule.name !== values("--name")[0]);
        return "Removed";
      }),
  };
  return COMMANDS[command]();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.env.RAYDEX_DOUBLE;
  const read = (name) => JSON.parse(fs.readFileSync(path.join(folder, name), "utf8"));
  const account = read("account.json");
  const { code, output } = runDouble(account, read("flags.json"), process.argv.slice(2));
  fs.writeFileSync(path.join(folder, "account.json"), JSON.stringify(account));
  process.stdout.write(`${output}\n`);
  process.exitCode = code;
}
