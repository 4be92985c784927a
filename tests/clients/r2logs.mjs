// What nuts3745/r2logs asks of the Logs Engine, as it sends it: one line of that program holds the address of Cloudflare's API, so
// its requests are recorded here, with braces as they are, and answered from a bucket with `{DATE}` at its root.
//
// For `node --test`. Worker traces, which its author reads with it, need their dataset in the setting DATASETS: nothing in such a
// key names it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { startRuntime } from "../../local/runtime.mjs";

const TOKEN = "a-token-for-r2logs";
const BUCKET = "cdn-logs-raw";
const RANGE = "start=2026-03-28T08:42:00Z&end=2026-03-28T08:47:00Z";
const KEY = "20260328/20260328T084200Z_20260328T084225Z_5a3c91d0.log.gz";
/** The request of each command, and the headers of all. */
const REQUESTS = { retrieve: `/client/v4/accounts/0a1b2c/logs/retrieve?${RANGE}&bucket=${BUCKET}&prefix={DATE}`, list: `/client/v4/accounts/0a1b2c/logs/list?${RANGE}&bucket=${BUCKET}&prefix={DATE}` };
const HEADERS = { accept: "*/*", authorization: `Bearer ${TOKEN}`, "r2-access-key-id": "key", "r2-secret-access-key": "secret" };
const REQUEST = { RayID: "9e3556d8c2ab1c05", EdgeStartTimestamp: "2026-03-28T08:42:05Z", EdgeResponseStatus: 200, ClientRequestURI: "/" };
const TRACE = { Event: { RayID: "9e3556d8c2ab1c05", Request: { URL: "https://www.example.com/", Method: "GET" }, Response: { Status: 200 } }, EventTimestampMs: Date.parse("2026-03-28T08:42:05Z"), EventType: "fetch", Exceptions: [], Logs: [], Outcome: "ok", ScriptName: "shop", ScriptTags: [] };

const runtimes = [];
after(() => Promise.all(runtimes.map((runtime) => runtime.stop())));

/** A bucket with one batch at its root, indexed. */
async function bucketWith(record, settings) {
  let sealed;
  const indexed = new Promise((done) => (sealed = done));
  const runtime = await startRuntime({
    settings: { API_TOKEN_SHA256: createHash("sha256").update(TOKEN).digest("hex"), API_RATE_PER_MINUTE: "0", LOG_PREFIX: "", ...settings },
    onLog: (line) => line.event === "parse_message" && line.verdict === "sealed" && sealed(),
  });
  runtimes.push(runtime);
  await runtime.announce(await runtime.put(KEY, gzipSync(`${JSON.stringify(record)}\n`)));
  await indexed;
  return runtime;
}

/** Sends a recorded request as it is: fetch would encode its braces. */
function sent({ url }, path) {
  const { hostname, port } = new URL(url);
  return new Promise((done, failed) => {
    const asked = http.request({ hostname, port, path, headers: HEADERS }, (answer) => {
      let text = "";
      answer.on("data", (piece) => (text += piece));
      answer.on("end", () => done({ status: answer.statusCode, text }));
    });
    asked.on("error", failed).end();
  });
}

for (const [what, record, settings] of [
  ["requests", REQUEST, {}],
  ["Worker traces", TRACE, { DATASETS: JSON.stringify({ 20: { dataset: "workers_trace_events" } }) }],
]) {
  test(`${what} at the root of a bucket are listed and retrieved`, async () => {
    const runtime = await bucketWith(record, settings);
    const listed = await sent(runtime, REQUESTS.list);
    assert.deepEqual([listed.status, JSON.parse(listed.text).result.map(({ key }) => key)], [200, [KEY]]);
    const { status, text } = await sent(runtime, REQUESTS.retrieve);
    assert.deepEqual([status, text.trim().split("\n").map((line) => JSON.parse(line))], [200, [record]]);
  });
}
