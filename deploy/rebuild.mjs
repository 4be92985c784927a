// `scripts/rebuild`: has a deployment index its bucket again, waits for it, and holds what was read against what is indexed.
//
// It is one backfill with `rebuild`, which delivers nothing. What began before, in another terminal or before this program was
// interrupted, is continued. The token goes into one header and nowhere else.

import { parseArgs } from "node:util";

const HELP = `Usage: scripts/rebuild --reason TEXT [options]

Reads each batch in the bucket of a deployment again and indexes it, whatever the ledgers say of it; nothing is delivered. For a
deployment that lost shards of its index, ledgers or its registry, or that has a new account: see "After a disaster" in
docs/operations.md. It may run beside live traffic, be interrupted, and be repeated: it continues what has begun.

  --reason TEXT      why, for the audit log
  --start T, --end T RFC 3339 or Unix time; --end is exclusive (default: all that the bucket has)
  --rate N           lines a second to announce, estimated from the sizes of objects (default 50000)
  --poll SECONDS     time between two looks at the progress (default 15)
  --help             show this help

RAYDEX_URL           the address of the API; http:// to another machine needs RAYDEX_PLAIN_HTTP=allow, since it shows the token
RAYDEX_TOKEN         a token with the scope deliver; with admin, too, the deployment's own check is asked at the end

Exit codes: 0 rebuilt, and each batch that was read is in the index; 1 rebuilt, but something is missing or the check fails; 2 wrong
use; 3 not done: it was stopped, or its messages do not come to their end; 4 refused (token, scope); 6 the server or the network failed.`;

const [INCOMPLETE, WRONG_USE, NOT_DONE, REFUSED, FAILED] = [1, 2, 3, 4, 6];
const TIMEOUT_MS = 60_000;
/** How long the server may fail before this program gives up, and how long no object may come to its end. */
const FAILING_MS = 600_000;
const STUCK_MS = 3_600_000;
/** How long the cron's next self-check may take, which runs every ten minutes. */
const SELF_CHECK_MS = 900_000;
/** Codes of objects for which there is nothing to index. */
const NOTHING_THERE = new Set(["gone", "unknown_dataset", "logpush_check"]);

class Trouble extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/** Text without signs that steer a terminal. */
const clean = (text) => String(text).replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]+/g, " ");
const say = (text) => process.stdout.write(`${clean(text)}\n`);
const warn = (text) => process.stderr.write(`scripts/rebuild: ${clean(text)}\n`);
const pause = (ms) => new Promise((soon) => setTimeout(soon, ms));
const number = (value) => Number(value).toLocaleString("en");

function readOptions(args) {
  const text = { type: "string" };
  let values;
  try {
    const options = { reason: text, start: text, end: text, rate: text, poll: text, help: { type: "boolean" } };
    values = parseArgs({ args, options }).values;
  } catch (error) {
    throw new Trouble(`${error.message.split(".")[0]}. See scripts/rebuild --help`, WRONG_USE);
  }
  if (values.help) return values;
  if (!values.reason?.trim()) throw new Trouble("--reason is missing: say why, for the audit log", WRONG_USE);
  const counted = (name, usual) => {
    const value = values[name] ?? usual;
    if (!/^[1-9][0-9]{0,8}$/.test(value)) throw new Trouble(`--${name} takes a whole number from 1 on, not ${value}`, WRONG_USE);
    return Number(value);
  };
  return { ...values, rate: counted("rate", "50000"), poll: counted("poll", "15") };
}

/** The address of the API, which gets the token. */
function addressOf({ RAYDEX_URL: url, RAYDEX_TOKEN: token, RAYDEX_PLAIN_HTTP: plain }) {
  if (!url || !token) throw new Trouble(`${url ? "RAYDEX_TOKEN" : "RAYDEX_URL"} is not set. See scripts/rebuild --help`, WRONG_USE);
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Trouble("RAYDEX_TOKEN has characters that no token has", WRONG_USE);
  const address = URL.canParse(url) ? new URL(url) : undefined;
  if (!["http:", "https:"].includes(address?.protocol)) throw new Trouble("RAYDEX_URL must begin with https://", WRONG_USE);
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(address.hostname);
  if (address.protocol === "http:" && !isLocal && plain !== "allow") {
    throw new Trouble("RAYDEX_URL is http:// to another machine, which shows the token: set RAYDEX_PLAIN_HTTP=allow if that is meant", WRONG_USE);
  }
  return { address, token };
}

/** Asks the API; returns the status, the document and the server's time. Throws if the network fails or the server does. */
async function ask({ address, token }, path, body) {
  let reply;
  try {
    const headers = { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    reply = await fetch(new URL(path, address), { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), redirect: "manual", signal });
  } catch (error) {
    throw new Trouble(`${address.origin} cannot be reached: ${error.cause?.code ?? error.cause?.message ?? error.name}`, FAILED);
  }
  const document = await reply.json().catch(() => undefined);
  const words = document?.code ? `${document.code}: ${document.detail ?? ""} ${document.hint ?? ""}` : `HTTP ${reply.status}`;
  if ([401, 403].includes(reply.status)) throw new Trouble(`refused, ${words}`, REFUSED);
  if (reply.status === 429 || reply.status >= 500 || reply.status < 200) throw new Trouble(`the server answers ${words}`, FAILED);
  if (reply.status >= 400) throw new Trouble(words, WRONG_USE);
  if (reply.status >= 300 || typeof document !== "object" || !document) throw new Trouble(`${address.origin} is not a raydex: ${words}`, FAILED);
  return { document, now: Date.parse(reply.headers.get("date") ?? "") || Date.now() };
}

/** The same, again and again while the server fails. */
async function askPatiently(api, path, pollMs) {
  for (const end = Date.now() + FAILING_MS; ; ) {
    try {
      return await ask(api, path);
    } catch (error) {
      if (error.code !== FAILED || Date.now() > end) throw error;
      warn(`${error.message}; asking again`);
      await pause(pollMs);
    }
  }
}

/** The rebuild that is under way, or a new one. */
async function begin(api, options) {
  const { document, now } = await ask(api, "/v1/backfills");
  const isAll = options.start === undefined && options.end === undefined;
  const known = document.backfills.find(({ rebuild, state }) => rebuild && state !== "done");
  if (known && isAll) {
    say(`continuing backfill ${known.id}, which began at ${known.created_at}`);
    return { document: known, now };
  }
  const { reason, rate, start = 0, end = new Date(now).toISOString() } = options;
  const instant = (value) => (/^[0-9]+$/.test(value) ? Number(value) : value);
  const wanted = { start: instant(start), end: instant(end), rebuild: true, lines_per_second: rate, reason };
  const started = await ask(api, "/v1/backfills", wanted);
  const job = started.document;
  say(`backfill ${job.id} reads what was written for ${job.start} to ${job.end}; it delivers nothing`);
  return started;
}

function lineOf({ id, state, objects, rebuilt, list_cursor: at }) {
  const counts = `${number(objects.processed)} of ${number(objects.announced)} objects read, ${number(rebuilt.objects)} indexed, ${number(rebuilt.lines)} lines`;
  return `backfill ${id} ${state}: ${counts}${state === "running" && at ? `; listed up to ${at}` : ""}`;
}

/** Waits until the rebuild is done, and returns it. */
async function finish(api, begun, pollMs) {
  let [{ document: job, now: seenAt }, told, changedAt] = [begun, "", Date.now()];
  for (;;) {
    const line = lineOf(job);
    if (line !== told) {
      say(line);
      [told, changedAt] = [line, Date.now()];
    }
    if (job.state === "done") return { job, doneAt: seenAt };
    if (job.state === "stopped") {
      throw new Trouble(`someone stopped it: POST /v1/backfills/${job.id}/resume continues it, and so does this command then`, NOT_DONE);
    }
    if (Date.now() - changedAt > STUCK_MS) {
      const left = `${number(job.objects.remaining)} objects do not come to their end`;
      throw new Trouble(`${left}: look at GET /v1/dead-letters and redrive them, then run this command again`, NOT_DONE);
    }
    await pause(pollMs);
    ({ document: job, now: seenAt } = await askPatiently(api, `/v1/backfills/${job.id}`, pollMs));
  }
}

/** Holds what was read against what is indexed; returns what is wrong. */
function compare({ objects: { announced, processed, quarantined }, rebuilt }) {
  const skipped = Object.entries(rebuilt.skipped);
  const wrong = skipped.filter(([code]) => !NOTHING_THERE.has(code)).map(([code, count]) => `${number(count)} objects are not in the index: ${code}`);
  const counted = rebuilt.objects + quarantined + skipped.reduce((sum, [, count]) => sum + count, 0);
  if (processed !== announced) wrong.push(`${number(announced)} objects were announced, and ${number(processed)} read`);
  if (counted !== processed) wrong.push(`${number(processed)} objects were read, and ${number(counted)} have an outcome`);
  return wrong;
}

/** What the deployment found of its own index since it is rebuilt; undefined if the token may not ask. */
async function selfCheck(api, doneAt, pollMs) {
  for (const end = Date.now() + SELF_CHECK_MS; ; await pause(pollMs)) {
    const { checks, last_self_check_at: at } = (await ask(api, "/healthz?deep=1")).document;
    const isNew = at === undefined || Date.parse(at) >= doneAt;
    if (!Array.isArray(checks) || isNew) return checks;
    if (Date.now() > end) throw new Trouble("the deployment has not checked itself since, so look at its cron", FAILED);
    waits("waiting for the next self-check of the deployment, at most ten minutes");
  }
}

/** Says something once. */
const said = new Set();
const waits = (text) => said.has(text) || (said.add(text), say(text));

/** Asks what the deployment found of its own index, if the token may; returns what is wrong. */
async function ownCheck(api, doneAt, pollMs) {
  let checks;
  try {
    checks = await selfCheck(api, doneAt, pollMs);
  } catch (error) {
    if (error.code === FAILED) return [`the deployment's own check: ${error.message}`];
  }
  if (!Array.isArray(checks)) {
    say("the deployment's own check was not asked, which takes the scope admin");
    return [];
  }
  const canaries = checks.filter(({ name }) => ["canary", "index"].includes(name));
  for (const { name, dataset, status, detail } of canaries) say(`check ${name}${dataset ? ` of ${dataset}` : ""}: ${status}${detail ? `, ${detail}` : ""}`);
  return canaries.filter(({ status }) => status === "failing").map(({ name, dataset, detail }) => `the check ${name}${dataset ? ` of ${dataset}` : ""} fails: ${detail ?? ""}`);
}

async function main(args) {
  const options = readOptions(args);
  if (options.help) return process.stdout.write(`${HELP}\n`);
  const api = addressOf(process.env);
  const pollMs = options.poll * 1000;
  const { job, doneAt } = await finish(api, await begin(api, options), pollMs);
  const { objects: { announced, quarantined }, rebuilt } = job;
  say(`read ${number(announced)} objects: ${number(rebuilt.objects)} indexed with ${number(rebuilt.lines)} lines and ${number(rebuilt.records)} records, ${number(quarantined)} are no valid batches`);
  for (const [code, count] of Object.entries(rebuilt.skipped)) say(`  ${number(count)} with nothing to index: ${code}`);
  const wrong = [...compare(job), ...(await ownCheck(api, doneAt, pollMs))];
  wrong.forEach(warn);
  if (wrong.length > 0) process.exitCode = INCOMPLETE;
  else say("each batch that was read is in the index");
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Trouble)) throw error;
  warn(error.message);
  process.exitCode = error.code;
}
