// What scripts/run ends in: the Worker on this machine, with sample data at the first start, until it is stopped.
//
// Options come checked from scripts/run: --port N, --state DIR, --program FILE (make-batches), --token T, --empty,
// --fresh. The state folder holds `token`, `bucket/`, `objects/`, `sample.json`, `worker.log`, and `pid` while it
// runs.
//
// What always holds: the Worker learns the token's SHA-256 only; `ready URL` is the last line, printed when the
// examples above it work; nothing started here outlives this process.
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { parseArgs } from "node:util";
import { madeSample, makeSample, Trouble } from "./sample.mjs";
import { NotBuilt, startRuntime } from "./runtime.mjs";

const { values: options } = parseArgs({
  options: {
    port: { type: "string" },
    state: { type: "string" },
    program: { type: "string" },
    token: { type: "string" },
    empty: { type: "boolean" },
    fresh: { type: "boolean" },
  },
});

// miniflare ends workerd at SIGINT, SIGTERM and every exit; guard.mjs when this process is killed.
for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]]) {
  process.on(signal, () => process.exit(128 + number));
}

main().catch((error) => {
  const toDo = error instanceof NotBuilt ? "run scripts/build" : error.toDo;
  const what = error instanceof Trouble || error instanceof NotBuilt ? error.message : error.stack;
  process.stderr.write(`\x1b[1;31mstopped:\x1b[0m ${what}\n${toDo ? `  what to do: ${toDo}\n` : ""}`);
  process.exit(1);
});

async function main() {
  const port = Number(options.port);
  const state = path.resolve(options.state);
  await refuseTakenPort(port);
  fs.mkdirSync(state, { recursive: true });
  claim(state);
  if (options.fresh) {
    for (const name of ["bucket", "objects", "sample", "sample.json"]) {
      fs.rmSync(path.join(state, name), { recursive: true, force: true });
    }
  }
  const token = options.token ?? keptToken(state);
  const log = fs.createWriteStream(path.join(state, "worker.log"));
  let onVerdict = () => {};
  const runtime = await startRuntime({
    port,
    state,
    settings: { API_TOKEN_SHA256: createHash("sha256").update(token).digest("hex") },
    onLog: (line) => {
      log.write(`${JSON.stringify(line)}\n`);
      if (line.level === "error" || line.level === "warn") tell(`worker: ${line.event} ${line.message ?? line.reason ?? ""}`);
      if (line.event === "parse_message") onVerdict(line);
    },
  });
  const find = async (ray) => (await lookup(runtime.url, token, ray)).ok;
  const verdicts = (callback) => (onVerdict = callback);
  let sample = madeSample(state);
  if (!sample && !options.empty) {
    sample = await makeSample({ state, program: options.program, runtime, verdicts, find, tell });
  }
  process.stdout.write(greeting(runtime.url, token, state, sample));
}

function tell(words) {
  process.stderr.write(`  ${words}\n`);
}

/** Stops while the port is somebody else's: workerd's own words for it are hard to read. */
function refuseTakenPort(port) {
  return new Promise((done, failed) => {
    const probe = net.createServer();
    probe.once("error", (error) => {
      const what = error.code === "EADDRINUSE" ? "is in use" : `cannot be used (${error.code})`;
      failed(new Trouble(`port ${port} ${what}`, "end what uses it, or choose another: scripts/run --port N"));
    });
    probe.listen(port, "127.0.0.1", () => probe.close(done));
  });
}

/** Takes the state folder for this process; two at once would damage the databases. */
function claim(state) {
  const file = path.join(state, "pid");
  const other = fs.existsSync(file) ? Number(fs.readFileSync(file, "utf8")) : 0;
  if (other > 0 && other !== process.pid && isRunning(other)) {
    throw new Trouble(
      `${state} is in use by process ${other}`,
      `end that one, or choose another folder: scripts/run --state DIR (if it is no scripts/run, remove ${file})`,
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

/** The token of this state folder, made at the first start. */
function keptToken(state) {
  const file = path.join(state, "token");
  if (!fs.existsSync(file)) {
    fs.writeFileSync(`${file}.new`, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600 });
    fs.renameSync(`${file}.new`, file);
  }
  return fs.readFileSync(file, "utf8").trim();
}

async function lookup(url, token, ray) {
  return fetch(`${url}/v1/rays/${ray}?format=native`, { headers: { authorization: `Bearer ${token}` } });
}

function greeting(url, token, state, sample) {
  const near = path.relative(process.cwd(), state);
  const where = near === "" || near.startsWith("..") ? state : near;
  const ray = sample?.examples.visitor_with_subrequests?.ray;
  const curl = (format) => `  curl -s -H 'Authorization: Bearer ${token}' '${url}/v1/rays/${ray}?format=${format}'\n`;
  const post = `  gzip -c FILE.ndjson | curl -s -H 'Authorization: Bearer ${token}' --data-binary @- '${url}/v1/ingest/http_requests'\n`;
  const examples = ray
    ? ["A visitor's request that made subrequests, as Logpush wrote it:\n", curl("native")]
        .concat(["The same request in the partner's form:\n", curl("partner")])
    : ["There are no logs yet. Put some in:\n", post];
  return [
    `\nraydex answers at ${url}; bucket, index and worker.log are in ${where}. Ctrl-C ends it.\n`,
    `token: ${token}\n\n`,
    ...examples,
    `\nready ${url}\n`,
  ].join("");
}
