// What `r2logs`, a command-line client of the Logs Engine, sends, against the built Worker: `list` and `retrieve` with the
// prefix `{DATE}`, from a bucket in which Logpush writes folders of days at the root. Needs scripts/build; run by
// `node --test`. With R2LOGS=PROGRAM it runs that program too; its address must be http://127.0.0.1:8791.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { exitAtSignals } from "../../local/guard.mjs";
import { startRuntime } from "../../local/runtime.mjs";

const TOKEN = "a-token-for-r2logs";
const BUCKET = "cdn-logs-raw";
const ACCOUNT = "9a7806061c88ada191ed06f989cc3dac";
const PORT = 8791;
const PATIENCE_MS = 30_000;
/** As the program writes times: to the second, in UTC. */
const [START, END] = ["2026-03-28T23:58:00Z", "2026-03-29T00:02:00Z"];
/** The headers of a recorded request. The keys of R2 are of no use to raydex. */
const HEADERS = {
  accept: "*/*",
  authorization: `Bearer ${TOKEN}`,
  "r2-access-key-id": "an-access-key",
  "r2-secret-access-key": "a-secret-key",
};
const WORLDS = {
  http_requests: {
    settings: {},
    record: (ray, ms) => ({ RayID: ray, EdgeStartTimestamp: ms * 1_000_000, EdgeResponseStatus: 200, ClientRequestHost: "www.example.com" }),
  },
  // Records of Workers at the root of the bucket: no folder names them, so a setting does, by the century of their days.
  workers_trace_events: {
    settings: { DATASETS: JSON.stringify({ 20: { dataset: "workers_trace_events" } }) },
    record: (ray, ms) => ({
      Event: { RayID: ray, Request: { URL: "https://www.example.com/", Method: "GET" } },
      EventTimestampMs: ms,
      EventType: "fetch",
      Outcome: "ok",
      ScriptName: "shop",
    }),
  },
};

/** A minute's batch before midnight and one after it, as Logpush names them, and one that is not in the range. */
function batches(record) {
  return ["2026-03-28T23:59:00Z", "2026-03-29T00:01:00Z", "2026-03-29T00:05:00Z"].map((time, nth) => {
    const start = Date.parse(time);
    const stamp = (ms) => new Date(ms).toISOString().replace(/[-:]|\.000/g, "");
    const ticks = BigInt(Math.floor((start - 1_350_000_000_000) / 10));
    const ray = ((ticks << 28n) | BigInt(nth + 1)).toString(16).padStart(16, "0");
    const key = `${stamp(start).slice(0, 8)}/${stamp(start)}_${stamp(start + 59_000)}_${nth}abc.log.gz`;
    return { key, line: JSON.stringify(record(ray, start + 1000)) };
  });
}

async function startWorld({ settings, record }, port) {
  const sealed = new Set();
  const runtime = await startRuntime({
    port,
    settings: { ...settings, LOG_PREFIX: "", API_TOKEN_SHA256: createHash("sha256").update(TOKEN).digest("hex") },
    onLog: (line) => line.event === "parse_message" && line.verdict === "sealed" && sealed.add(line.key),
  });
  const stored = batches(record);
  for (const { key, line } of stored) await runtime.announce(await runtime.put(key, gzipSync(`${line}\n`)));
  for (const end = Date.now() + PATIENCE_MS; sealed.size < stored.length; await new Promise((soon) => setTimeout(soon, 100))) {
    assert.ok(Date.now() < end, "the batches are not indexed");
  }
  return { runtime, stored };
}

/** Sends a path as it is, braces included, as the program does. Fetch would write them as `%7B`. */
function send({ hostname, port }, path, headers = HEADERS) {
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, headers }, async (reply) => {
      const text = (await reply.setEncoding("utf8").toArray()).join("");
      resolve({ status: reply.statusCode, text });
    });
    sent.on("error", reject).end();
  });
}

const recorded = (route, start = START, end = END) =>
  `/client/v4/accounts/${ACCOUNT}/logs/${route}?start=${start}&end=${end}&bucket=${BUCKET}&prefix={DATE}`;

for (const [dataset, world] of Object.entries(WORLDS)) {
  let runtime, stored;
  before(async () => {
    exitAtSignals();
    ({ runtime, stored } = await startWorld(world, process.env.R2LOGS ? PORT + Object.keys(WORLDS).indexOf(dataset) : undefined));
  });
  after(() => runtime?.stop());

  test(`${dataset}: a range over midnight is retrieved`, async () => {
    const reply = await send(new URL(runtime.url), recorded("retrieve"));
    assert.deepEqual(reply, { status: 200, text: stored.slice(0, 2).map(({ line }) => `${line}\n`).join("") });
  });

  test(`${dataset}: the objects of a range are listed`, async () => {
    const reply = await send(new URL(runtime.url), recorded("list"));
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(JSON.parse(reply.text).result.map(({ key }) => key), stored.slice(0, 2).map(({ key }) => key));
  });

  test(`${dataset}: an empty range has an empty answer`, async () => {
    const reply = await send(new URL(runtime.url), recorded("retrieve", "2026-03-29T02:00:00Z", "2026-03-29T02:05:00Z"));
    assert.deepEqual(reply, { status: 200, text: "" });
  });

  test(`${dataset}: a wrong token is refused in Cloudflare's form`, async () => {
    const reply = await send(new URL(runtime.url), recorded("retrieve"), { ...HEADERS, authorization: "Bearer wrong" });
    assert.equal(reply.status, 401);
    assert.equal(JSON.parse(reply.text).success, false);
  });

  test(`${dataset}: the program lists and retrieves`, { skip: !process.env.R2LOGS || dataset !== "http_requests" }, () => {
    const keys = { CLOUDFLARE_API_KEY: TOKEN, R2_ACCESS_KEY_ID: "k", R2_SECRET_ACCESS_KEY: "s" };
    const env = { ...keys, CLOUDFLARE_ACCOUNT_ID: ACCOUNT, BUCKET_NAME: BUCKET };
    const run = (...more) => execFileSync(process.env.R2LOGS, [START, END, ...more], { env, encoding: "utf8" });
    assert.equal(run(), stored.slice(0, 2).map(({ line }) => `${line}\n`).join("") + "\n");
    assert.deepEqual(JSON.parse(run("list")).result.map(({ key }) => key), stored.slice(0, 2).map(({ key }) => key));
  });
}
