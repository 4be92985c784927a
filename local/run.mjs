// The main program of scripts/run: runs the Worker locally, with sample data at the first start, until it is stopped.
//
// scripts/run has already checked the options: --port N, --state DIR, --program FILE (make-batches), --token T, --tokens FILE,
// --set NAME=VALUE, --edge, --empty, --fresh, --partner URL with --partner-uri PATH and --partner-key KEY, --partner-off. The state folder contains `token`,
// `partner-key`, `edge-key`, `bucket/`, `objects/`, `sample.json`, `partner.json` (delivery.mjs), `worker.log` and, while it runs,
// `pid`.
//
// The Worker gets only the SHA-256 of the token. entrance.mjs makes the link to the page. `ready URL` is the last line, printed when the examples above it work.
// Nothing that this process starts outlives it.
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { parseArgs } from "node:util";
import { exitAtSignals } from "./guard.mjs";
import { edgeGreeting, sampleEdge } from "./edge.mjs";
import { delivered, delivery, table } from "./delivery.mjs";
import { startEntrance } from "./entrance.mjs";
import { getPatiently } from "./patient.mjs";
import { madeSample, makeSample, Trouble } from "./sample.mjs";
import { cronsOf, fireCrons } from "./crons.mjs";
import { NotBuilt, ROOT, startRuntime } from "./runtime.mjs";
import { OPTIONS, checkWithWorker, settingsOf } from "./settings.mjs";

const { values: options } = parseArgs({
  options: {
    port: { type: "string" },
    state: { type: "string" },
    program: { type: "string" },
    token: { type: "string" },
    ...OPTIONS,
    edge: { type: "boolean" },
    empty: { type: "boolean" },
    fresh: { type: "boolean" },
    partner: { type: "string" },
    "partner-uri": { type: "string" },
    "partner-key": { type: "string" },
    "partner-off": { type: "boolean" },
  },
});

// miniflare stops workerd on SIGINT, SIGTERM and normal exits; guard.mjs stops it if this process is killed.
exitAtSignals();

main().catch((error) => {
  const toDo = error instanceof NotBuilt ? "run scripts/build" : error.toDo;
  const what = error instanceof Trouble || error instanceof NotBuilt ? error.message : error.stack;
  process.stderr.write(`\x1b[1;31mstopped:\x1b[0m ${what}\n${toDo ? `  what to do: ${toDo}\n` : ""}`);
  process.exit(1);
});

async function main() {
  const port = Number(options.port);
  const chosen = settingsOf(options);
  const state = path.resolve(options.state);
  await refuseTakenPort(port);
  if (options.edge) await refuseTakenPort(port + 1);
  fs.mkdirSync(state, { recursive: true });
  claim(state);
  if (options.fresh) forget(state);
  const token = options.token ?? kept(state, "token");
  const { settings, receiver } = await partnerOf(state);
  let onVerdict = () => {};
  const edgeKey = () => createHash("sha256").update(kept(state, "edge-key")).digest("hex");
  const atEdge = options.edge && (await sampleEdge({ port: port + 1, chosen, key: edgeKey() }));
  const runtime = await startRuntime({
    port,
    state,
    settings: { API_TOKEN_SHA256: createHash("sha256").update(token).digest("hex"), ...settings, ...chosen },
    onLog: logInto(state, (line) => onVerdict(line)),
    edge: atEdge,
  });
  await checkWithWorker(runtime.url);
  const get = (path) => getPatiently(`${runtime.url}${path}`, token, { tell });
  let sample = madeSample(state);
  let accounts;
  if (!sample && !options.empty) {
    const find = async (ray) => (await get(`/v1/rays/${ray}?format=native`)).ok;
    const verdicts = (callback) => (onVerdict = callback);
    sample = await makeSample({ state, program: options.program, runtime, verdicts, find, tell });
    if (!options["partner-off"]) accounts = await delivered({ receiver, state, stats: () => statsFrom(get), tell });
  } else if (sample && !options["partner-off"]) {
    // The receiver's counts do not survive a restart, so only the Worker's are shown.
    const ours = await statsFrom(get);
    accounts = ours && { ours };
  }
  fireCrons(await cronsOf(ROOT), (cron) => runtime.scheduled(cron));
  const link = await startEntrance({ url: runtime.url, token });
  process.stdout.write(greeting([runtime.url, link], token, state, [sample, atEdge], accounts, JSON.parse(chosen.API_TOKENS || "[]")));
}

/** Removes everything except the secrets. */
function forget(state) {
  for (const name of ["bucket", "objects", "sample", "sample.json", "partner.json"]) {
    fs.rmSync(path.join(state, name), { recursive: true, force: true });
  }
}

function partnerOf(state) {
  const { partner: url, "partner-uri": uri, "partner-key": key, "partner-off": off } = options;
  return delivery({ other: url && { url, uri, key }, off, keptKey: () => kept(state, "partner-key"), tell });
}

/** Writes each line to worker.log, shows each distinct error once, and passes verdicts on. */
function logInto(state, onVerdict) {
  const log = fs.createWriteStream(path.join(state, "worker.log"));
  const told = new Set();
  return (line) => {
    log.write(`${JSON.stringify(line)}\n`);
    const { level, event, message, reason, verdict, code, faults } = line;
    const words = `worker: ${event} ${message ?? [verdict, code, reason, faults].filter(Boolean).join(": ")}`;
    if ((level === "error" || level === "warn") && !told.has(words)) {
      told.add(words);
      tell(`${words} (see worker.log for all messages)`);
    }
    if (event === "parse_message") onVerdict(line);
  };
}

/** The Worker's statistics; undefined if it has none. */
async function statsFrom(get) {
  const reply = await get("/v1/stats");
  return reply.status === 200 ? reply.json() : void (await reply.body?.cancel());
}

function tell(words) {
  process.stderr.write(`  ${words}\n`);
}

/** Throws if another program uses the port: workerd's own message is hard to read. */
function refuseTakenPort(port) {
  return new Promise((done, failed) => {
    const probe = net.createServer();
    probe.once("error", (error) => {
      const what = error.code === "EADDRINUSE" ? "is in use" : `cannot be used (${error.code})`;
      failed(new Trouble(`port ${port} ${what}`, "stop the program that uses it, or choose another port: scripts/run --port N"));
    });
    probe.listen(port, "127.0.0.1", () => probe.close(done));
  });
}

/** Claims the state folder for this process: two processes at once would damage the databases. */
function claim(state) {
  const file = path.join(state, "pid");
  const other = fs.existsSync(file) ? Number(fs.readFileSync(file, "utf8")) : 0;
  if (other > 0 && other !== process.pid && isRunning(other)) {
    throw new Trouble(
      `${state} is in use by process ${other}`,
      `stop that process, or choose another folder: scripts/run --state DIR (if it is not scripts/run, remove ${file})`,
    );
  }
  fs.writeFileSync(file, `${process.pid}\n`);
  process.on("exit", () => fs.rmSync(file, { force: true }));
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** A secret of this state folder, generated when it is first needed. */
function kept(state, name) {
  const file = path.join(state, name);
  if (!fs.existsSync(file)) {
    fs.writeFileSync(`${file}.new`, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600 });
    fs.renameSync(`${file}.new`, file);
  }
  return fs.readFileSync(file, "utf8").trim();
}

function greeting([url, link], token, state, [sample, atEdge], accounts, others) {
  const near = path.relative(process.cwd(), state);
  const where = near === "" || near.startsWith("..") ? state : near;
  const ray = (sample?.examples.story ?? sample?.examples.visitor_with_subrequests)?.ray;
  const auth = `-H 'Authorization: Bearer ${token}'`;
  const curl = (path) => `  curl -s ${auth} '${url}/v1/${path}'\n`;
  const post = `  gzip -c FILE.ndjson | curl -s ${auth} --data-binary @- '${url}/v1/ingest/http_requests'\n`;
  const examples = ray
    ? ["Look up a visitor's request that solved a challenge and ran Workers, as Logpush wrote it:\n", curl(`rays/${ray}?format=native`)]
        .concat(["Show the same request in the partner's format:\n", curl(`rays/${ray}?format=partner`)])
        .concat(["Show what each column of it is made of:\n", curl(`rays/${ray}?format=explain`).replace("curl -s", "curl -s -H 'Accept: text/plain'")])
        .concat(["Show the tree of requests that it belongs to:\n", curl(`rays/${ray}?parts=tree`)])
        .concat(["Show everything that it caused: subrequests, firewall events, Worker logs and an exception:\n", curl(`rays/${ray}?subrequests=list`)])
        .concat(["Show its delivery status:\n", curl(`rays/${ray}/deliveries`)])
    : ["There are no logs yet. Upload some:\n", post];
  const books = accounts
    ? [`\n${heading(accounts)}\n${table(accounts)}\n`, "Show the line counts at any time:\n", curl("stats")]
    : [];
  return [
    `\nraydex is running at ${url}. The bucket, the index and worker.log are in ${where}. Press Ctrl-C to stop.\n`,
    `token: ${token}\n`,
    `page, signed in by a link that works once: ${link}\n`,
    ...others.map(({ id, role, scopes }) => `also a token of ${id} (${role}: ${scopes.join(", ")})\n`),
    "\n",
    ...examples,
    ...books,
    atEdge ? edgeGreeting({ url, edge: url.replace(/\d+$/, (port) => Number(port) + 1), auth, sample: atEdge }) : "",
    options["partner-off"] ? "\nDelivery is off (--partner-off).\n" : "",
    `\nready ${url}\n`,
  ].join("");
}

/** The heading of the table. */
function heading({ theirs }) {
  const counters = theirs ? "raydex and by the partner" : "raydex";
  return `Delivered, as counted by ${counters}:`;
}
