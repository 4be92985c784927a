// The sinks of the edge logger under the real runtime: collectors in every form and in every trouble, the durable buffer and its
// queue, kills. Needs scripts/build; run by `node --test`.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { startCollector } from "../../local/collectors.mjs";
import { killEdge } from "../../local/edge-kills.mjs";
import { EDGE, PLAIN } from "../../local/edge.mjs";
import { startOrigin } from "../../local/origin.mjs";
import { startRuntime } from "../../local/runtime.mjs";

const TOKEN = createHash("sha256").update("a-token-for-tests").digest("hex");
const PATIENCE_MS = 60_000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

let origin;
before(async () => (origin = await startOrigin()));
after(() => origin.stop());

/** Runs `work` over a runtime of its own with the edge logger, its sinks and a collector. */
async function withSinks({ sinks, headers = {}, settings = {} }, work) {
  const log = [];
  const collector = await startCollector();
  const all = (address) => ({
    EDGE_FLUSH_SECONDS: "1",
    EDGE_SINK_PLAIN_HTTP: "allow",
    EDGE_SINKS: JSON.stringify(sinks(address)),
    EDGE_SINK_HEADERS: JSON.stringify(headers),
    ...settings,
  });
  const runtime = await startRuntime({
    settings: { API_TOKEN_SHA256: TOKEN, ...all(`http://${collector.address}`) },
    onLog: (line) => log.push(line),
    edge: { origin: origin.address, collector: collector.address, settings: all("http://collector.example") },
  });
  try {
    await work({ runtime, log, collector, edge: await runtime.direct(EDGE), plain: await runtime.direct(PLAIN) });
  } finally {
    await runtime.stop();
    collector.stop();
  }
}

/** Waits until `look` returns something. */
async function until(what, look) {
  let found;
  for (const start = Date.now(); Date.now() - start < PATIENCE_MS; await pause(100)) {
    found = await look();
    if (found) return found;
  }
  throw new Error(`${what} does not come: ${JSON.stringify(found)}`);
}

const hello = async (edge, path = "/hello", init) => (await fetch(`${edge}${path}`, init)).text();

/** The records and labels in the bucket. */
async function stored(runtime) {
  const objects = await runtime.list("logs/edge_requests/");
  const bodies = await Promise.all(objects.map(({ key }) => runtime.get(key)));
  const lines = bodies.flatMap((body) => gunzipSync(body).toString().trim().split("\n").map((line) => JSON.parse(line)));
  return { lines, labels: objects.map(({ label }) => label) };
}

const keyOf = ({ EdgeLoggerIsolateID: isolate, EdgeLoggerSequence: sequence }) => `${isolate}-${sequence}`;

/** The last numbers of a sink in the log. */
const countsOf = (log, name) => log.filter(({ event, sink }) => event === "edge_batch" && sink === name).at(-1)?.counts;

/** Words that hardly compress. */
const words = (size) => Array.from(randomBytes(size), (byte, at) => (at % 7 === 6 ? " " : String.fromCharCode(97 + (byte % 26)))).join("");

const LINES = (address) => ({ kind: "http", name: "lines", preset: "ndjson", url: `${address}/lines` });

test("collectors get records in the forms that they document", { timeout: 120_000 }, async () => {
  const presets = ["loki", "elastic", "splunk", "otlp"];
  const sinks = (address) => presets.map((preset) => ({ kind: "http", name: preset, preset, url: address, labels: { site: "a" } }));
  const headers = { splunk: { authorization: "Splunk canary-4" }, loki: { "x-scope-orgid": "canary-5" } };
  await withSinks({ sinks, headers }, async ({ runtime, log, collector, edge }) => {
    const secrets = { authorization: "Bearer canary-1", cookie: "sid=canary-2" };
    for (let number = 0; number < 30; number += 1) await hello(edge, `/hello?n=${number}&api_key=canary-3`, { headers: secrets });
    const paths = ["/loki/api/v1/push", "/_bulk", "/services/collector/event", "/v1/logs"];
    for (const path of paths) {
      const records = await until(`30 records at ${path}: ${collector.refusals}`, () => {
        const found = collector.received.get(path);
        return found?.length === 30 && found;
      });
      assert.equal(new Set(records.map(keyOf)).size, 30, path);
      assert.ok(records.every(({ EdgeResponseStatus: status }) => status === 200), path);
    }
    assert.deepEqual(collector.refusals, []);
    const counts = await until("the counts", () => presets.every((name) => countsOf(log, name)?.handed === 30));
    assert.ok(counts);
    assert.deepEqual(await runtime.list("logs/edge_requests/"), [], "the bucket is no sink here");
    const splunk = collector.posts.find(({ path }) => path === "/services/collector/event");
    assert.equal(splunk.headers.authorization, "Splunk canary-4");
    const shown = JSON.stringify([log, collector.posts.map(({ text, headers: { "raydex-edge": label } }) => [text, label])]);
    assert.ok(!shown.includes("canary"), shown.match(/.{100}canary.{20}/)?.[0]);
    assert.ok(!JSON.stringify(log).includes("collector.example"), "an address may have a token in it");
  });
});

test("a collector in trouble changes no response and loses no record", { timeout: 180_000 }, async () => {
  await withSinks({ sinks: (address) => [{ kind: "r2" }, LINES(address)] }, async ({ runtime, log, collector, edge, plain }) => {
    let sent = 0;
    const times = { edge: [], plain: [] };
    const check = async (mode) => {
      const timed = async (name, url) => {
        const begun = performance.now();
        const body = Buffer.from(await (await fetch(`${url}/bytes?n=1000`)).arrayBuffer());
        times[name].push(performance.now() - begun);
        return body;
      };
      assert.deepEqual(await timed("edge", edge), await timed("plain", plain), mode);
      sent += 1;
    };
    for (const mode of ["down", "slow", "busy", "hang"]) {
      collector.mode = mode;
      for (let round = 0; round < 40; round += 1) {
        await check(mode);
        await pause(60);
      }
      // The bucket has all of it, whatever the collector does.
      await until(`the records of ${mode}`, async () => (await stored(runtime)).lines.length === sent);
    }
    const slowest = (name) => times[name].sort((a, b) => a - b).at(-4);
    assert.ok(slowest("edge") < slowest("plain") + 250, `${slowest("edge")} ms, ${slowest("plain")} ms passed on`);
    collector.mode = "ok";
    const counts = await until("the collector's records", async () => {
      await check("ok");
      await pause(500);
      const found = countsOf(log, "lines");
      return found?.waiting < 5 && found;
    });
    assert.deepEqual([counts.overflow ?? 0, counts.unconfirmed ?? 0, counts.refused ?? 0], [0, 0, 0]);
    const received = collector.received.get("/lines");
    const unique = new Set(received.map(keyOf));
    assert.equal(unique.size, await until("all of them", () => counts.handed <= new Set(collector.received.get("/lines").map(keyOf)).size && unique.size));
    const label = (await stored(runtime)).labels.at(-1);
    for (const { handed, waiting, overflow = 0, unconfirmed = 0, refused = 0 } of Object.values(label.sinks)) {
      assert.equal(handed + waiting + overflow + unconfirmed + refused, label.recorded, JSON.stringify(label));
    }
    const memory = Math.max(...log.map(({ wasm_bytes: bytes = 0 }) => bytes));
    assert.ok(memory < 32e6, `${memory} bytes`);
  });
});

test("what has no room is counted to the line", { timeout: 180_000 }, async () => {
  const rules = [{ route: "*/*", payload_types: ["text/plain"] }];
  const settings = { EDGE_ROUTES: JSON.stringify(rules), EDGE_FLUSH_LINES: "20" };
  await withSinks({ sinks: (address) => [{ kind: "r2" }, LINES(address)], settings }, async ({ log, collector, edge }) => {
    collector.mode = "down";
    let sent = 0;
    const send = async () => {
      await hello(edge, "/echo", { method: "POST", headers: { "content-type": "text/plain" }, body: words(32_000) });
      sent += 1;
    };
    for (let round = 0; round < 60; round += 1) await Promise.all(Array.from({ length: 6 }, send));
    collector.mode = "ok";
    const counts = await until("an empty queue", async () => {
      await send();
      await pause(300);
      const found = countsOf(log, "lines");
      return found?.handed > 0 && found.waiting <= 20 && found;
    });
    const { handed, waiting, overflow = 0, unconfirmed = 0, refused = 0 } = counts;
    assert.ok(overflow + unconfirmed > 50, JSON.stringify(counts));
    // Records are added once the response has left.
    const lines = handed + waiting + overflow + unconfirmed + refused;
    assert.ok(lines <= sent && lines > sent - 10, `${lines} of ${sent}: ${JSON.stringify(counts)}`);
    const unique = new Set(collector.received.get("/lines").map(keyOf));
    assert.ok(unique.size >= handed && unique.size <= handed + waiting + unconfirmed, `${unique.size} at the collector: ${JSON.stringify(counts)}`);
    const memory = Math.max(...log.map(({ wasm_bytes: bytes = 0 }) => bytes));
    assert.ok(memory < 48e6, `${memory} bytes`);
  });
});

test("what was handed over survives two kills", { timeout: 180_000 }, async () => {
  const figures = await killEdge({ kills: 2 });
  const { stored_twice, missing_in_bucket, missing_at_collector, handed_over, lost_age_ms } = figures;
  assert.deepEqual([stored_twice, missing_in_bucket, missing_at_collector], [0, 0, 0], JSON.stringify(figures));
  assert.ok(handed_over > 20 && lost_age_ms < 2_000, JSON.stringify(figures));
});

test("batches of the durable buffer and its queue are found", { timeout: 120_000 }, async () => {
  for (const through of ["object", "queue"]) {
    await withSinks({ sinks: () => [{ kind: "r2", through }] }, async ({ runtime, edge }) => {
      for (let number = 0; number < 50; number += 1) await hello(edge);
      const { lines, labels } = await until(`50 records through ${through}`, async () => {
        const found = await stored(runtime);
        return found.lines.length === 50 && found;
      });
      assert.equal(new Set(lines.map(keyOf)).size, 50);
      const [seen, recorded] = [Math.max(...labels.map(({ seen: number }) => number)), Math.max(...labels.map(({ recorded: number }) => number))];
      assert.deepEqual([seen, recorded], [50, 50]);
      const { EdgeLoggerIsolateID: isolate, RayID: ray } = lines[0];
      assert.equal(isolate.length, 16);
      await until("the record in a lookup", async () => {
        const reply = await fetch(`${runtime.url}/v1/rays/${ray}?dataset=edge_requests`, { headers: { authorization: "Bearer a-token-for-tests" } });
        return reply.status === 200 && (await reply.text()).includes(ray);
      });
    });
  }
});
