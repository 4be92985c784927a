// The edge logger under the real runtime, in front of the sample origin and beside a Worker that only passes on: responses byte
// for byte, records, failures of everything behind it, the equation. Needs scripts/build; run by `node --test`.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import net from "node:net";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { EDGE, PLAIN } from "../../local/edge.mjs";
import { startOrigin } from "../../local/origin.mjs";
import { startRuntime } from "../../local/runtime.mjs";

const TOKEN = "a-token-for-tests";
const SETTINGS = { EDGE_FLUSH_SECONDS: "1", EDGE_FINGERPRINT_KEY: "0b".repeat(32) };
const PATIENCE_MS = 30_000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

let origin;
before(async () => (origin = await startOrigin()));
after(() => origin.stop());

/** Runs `work` over a runtime of its own with the edge logger. */
async function withEdge(options, work) {
  const log = [];
  const runtime = await startRuntime({
    settings: { API_TOKEN_SHA256: createHash("sha256").update(TOKEN).digest("hex"), API_RATE_PER_MINUTE: "0" },
    onLog: (line) => log.push(line),
    edge: { origin: origin.address, ...options, settings: { ...SETTINGS, ...options.settings } },
  });
  try {
    await work({ runtime, log, edge: await runtime.direct(EDGE), plain: await runtime.direct(PLAIN) });
  } finally {
    await runtime.stop();
  }
}

/** A ray of this moment. */
function newRay() {
  const ticks = BigInt(Math.floor((Date.now() - 1_350_000_000_000) / 10));
  return ((ticks << 28n) | BigInt(randomBytes(3).readUIntBE(0, 3))).toString(16).padStart(16, "0");
}

/** Whether a response is there to its end. */
function isEnded(request, bytes) {
  const text = bytes.toString("latin1");
  const at = text.indexOf("\r\n\r\n");
  if (at < 0) return false;
  const [head, body] = [text.slice(0, at), text.slice(at + 4)];
  const status = Number(head.slice(9, 12));
  if (status < 200) return isEnded(request, Buffer.from(body, "latin1"));
  if (request.startsWith("HEAD") || status === 204 || status === 304) return true;
  const [, length] = /\r\ncontent-length: (\d+)/i.exec(head) ?? [];
  return length === undefined ? body.endsWith("0\r\n\r\n") : body.length >= Number(length);
}

/** The response to a request as it came over the socket; `stop` bytes of it at most. */
function raw(url, request, { body = "", stop = Infinity } = {}) {
  const { hostname, port } = new URL(url);
  return new Promise((done, failed) => {
    const pieces = [];
    let size = 0;
    const socket = net.connect(Number(port), hostname, () => socket.write(`${request}\r\nhost: edge.example\r\nconnection: close\r\n\r\n${body}`));
    const all = () => Buffer.concat(pieces);
    socket.setTimeout(PATIENCE_MS, () => failed(new Error(`no end of ${request}: ${all().subarray(0, 400)}`)));
    socket.on("data", (piece) => {
      pieces.push(piece);
      size += piece.length;
      if (size >= stop || (stop === Infinity && isEnded(request, all()))) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => done(all()));
  });
}

/** Waits until `look` returns something. */
async function until(what, look) {
  for (const start = Date.now(); Date.now() - start < PATIENCE_MS; await pause(50)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`${what} does not come`);
}

const ask = (runtime, path) => fetch(`${runtime.url}${path}`, { headers: { authorization: `Bearer ${TOKEN}` } });

/** The edge record of a ray, once it is indexed. */
function recordOf(runtime, ray) {
  return until(`the record of ${ray}`, async () => {
    const reply = await ask(runtime, `/v1/rays/${ray}?dataset=edge_requests&format=native`);
    const text = await reply.text();
    return reply.status === 200 && JSON.parse(text);
  });
}

/** The lines and labels of all stored batches. */
async function stored(runtime) {
  const objects = await runtime.list("logs/edge_requests/");
  const bodies = await Promise.all(objects.map(({ key }) => runtime.get(key)));
  const lines = bodies.flatMap((body) => gunzipSync(body).toString().trim().split("\n").map((line) => JSON.parse(line)));
  return { lines, labels: objects.map(({ label }) => label) };
}

/** A response as text; an echo has the name of the Worker that passed the request on. */
const shown = (bytes) => bytes.toString("latin1").replace(/"CF-Worker","[^"]+"/, "");

const SAME = [
  ["GET /bytes?n=1000000 HTTP/1.1"],
  ["GET /chunked HTTP/1.1"],
  ["GET /gzip HTTP/1.1\r\naccept-encoding: gzip"],
  ["GET /gzip HTTP/1.1"],
  ["HEAD /bytes?n=1000 HTTP/1.1"],
  ["HEAD /gzip HTTP/1.1\r\naccept-encoding: gzip"],
  ["GET /status?code=204 HTTP/1.1"],
  ["GET /status?code=301 HTTP/1.1"],
  ["GET /status?code=404 HTTP/1.1"],
  ["GET /status?code=503 HTTP/1.1"],
  ['GET /file HTTP/1.1\r\nif-none-match: "v1"'],
  ["GET /file HTTP/1.1\r\nrange: bytes=10-29"],
  ["GET /slow?ms=300 HTTP/1.1"],
  ["GET /broken HTTP/1.1"],
  ["POST /echo HTTP/1.1\r\ncontent-length: 5\r\ncontent-type: text/plain", { body: "hello" }],
  ["PUT /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-type: application/json", { body: "3\r\n{\"a\r\n5\r\n\":1}\n\r\n0\r\n\r\n" }],
  ["DELETE /echo?x=%20y HTTP/1.1"],
  ["OPTIONS / HTTP/1.1\r\norigin: https://a.example"],
];

test("responses are byte for byte those of a Worker that only passes on", { timeout: 120_000 }, async () => {
  await withEdge({}, async ({ runtime, edge, plain }) => {
    for (const [request, options] of SAME) {
      const ray = newRay();
      const tagged = `${request}\r\ncf-ray: ${ray}-TST`;
      const [passed, wanted] = [await raw(edge, tagged, options), await raw(plain, tagged, options)];
      assert.equal(shown(passed), shown(wanted), request);
      const record = await recordOf(runtime, ray);
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(passed.toString("latin1"))[1]);
      assert.equal(record.EdgeResponseStatus, status, request);
      assert.equal(record.EdgeLoggerOutcome, request.includes("/broken") ? "origin_broke" : "completed", request);
      assert.equal(record.ClientRequestMethod, request.split(" ")[0]);
    }
  });
});

test("a hundred megabytes pass whole and are counted", { timeout: 120_000 }, async () => {
  await withEdge({}, async ({ runtime, edge, plain }) => {
    const ray = newRay();
    const digest = async (url) => {
      const hash = createHash("sha256");
      let bytes = 0;
      const reply = await fetch(`${url}/bytes?n=100000000`, { headers: { "cf-ray": `${ray}-TST` } });
      for await (const piece of reply.body) (hash.update(piece), (bytes += piece.length));
      return [bytes, hash.digest("hex"), reply.headers.get("content-length")];
    };
    assert.deepEqual(await digest(edge), await digest(plain));
    assert.equal((await recordOf(runtime, ray)).EdgeResponseBodyBytes, 100_000_000);
  });
});

test("events pass as they come and sockets are upgraded", { timeout: 60_000 }, async () => {
  await withEdge({}, async ({ runtime, edge, plain }) => {
    const [events, socket] = [newRay(), newRay()];
    const reply = await fetch(`${edge}/events`, { headers: { "cf-ray": events } });
    const started = Date.now();
    let first;
    for await (const piece of reply.body) first ??= [new TextDecoder().decode(piece), Date.now() - started];
    assert.ok(first[0] === "data: 1\n\n" && first[1] < 250 && Date.now() - started > 500, String(first));
    const record = await recordOf(runtime, events);
    assert.ok(record.EdgeLoggerTotalMs >= 500 && record.EdgeLoggerHeadersMs < 300, JSON.stringify(record));
    const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]);
    const request = (ray) => `GET /socket HTTP/1.1\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\ncf-ray: ${ray}`;
    const talk = (url, ray) => new Promise((done) => {
      const { hostname, port } = new URL(url);
      const chunks = [];
      const client = net.connect(Number(port), hostname, () => client.write(`${request(ray)}\r\nhost: edge.example\r\n\r\n`));
      client.on("data", (piece) => {
        chunks.push(piece);
        const all = Buffer.concat(chunks);
        if (chunks.length === 1) client.write(frame);
        if (all.subarray(-2).toString() === "hi") (client.destroy(), done(all.toString("latin1")));
      });
      client.setTimeout(10_000, () => done(`no echo: ${Buffer.concat(chunks).toString("latin1")}`));
    });
    assert.equal(await talk(edge, socket), await talk(plain, newRay()));
    const upgraded = await recordOf(runtime, socket);
    assert.deepEqual([upgraded.EdgeLoggerOutcome, upgraded.EdgeResponseStatus], ["upgraded", 101]);
  });
});

test("the record says that the client went away or the origin failed", { timeout: 60_000 }, async () => {
  await withEdge({}, async ({ runtime, edge, plain }) => {
    const [gone, refused] = [newRay(), newRay()];
    await raw(edge, `GET /bytes?n=100000000 HTTP/1.1\r\ncf-ray: ${gone}`, { stop: 1_000_000 });
    const record = await recordOf(runtime, gone);
    assert.equal(record.EdgeLoggerOutcome, "client_gone");
    assert.ok(record.EdgeResponseBodyBytes > 500_000 && record.EdgeResponseBodyBytes < 99_000_000, String(record.EdgeResponseBodyBytes));
    const status = (url, ray) => fetch(`${url}/refused`, { headers: { "cf-ray": ray } }).then((reply) => reply.status, () => "none");
    assert.equal(await status(edge, refused), await status(plain, newRay()));
    const failed = await recordOf(runtime, refused);
    assert.deepEqual([failed.EdgeLoggerOutcome, failed.EdgeResponseStatus], ["origin_failed", undefined]);
  });
});

test("a lookup shows the edge record and Logpush's, told apart", { timeout: 60_000 }, async () => {
  await withEdge({}, async ({ runtime, edge }) => {
    const ray = newRay();
    const sent = Date.now();
    const secrets = { authorization: "Bearer canary-1", cookie: "sid=canary-2" };
    await (await fetch(`${edge}/hello?api_key=canary-3&page=2`, { headers: { "cf-ray": `${ray}-TST`, ...secrets } })).text();
    const record = await recordOf(runtime, ray);
    assert.ok(Date.now() - sent < 10_000, "seconds later");
    assert.deepEqual([record.RayID, record.ClientRequestURI, record.EdgeColoCode], [ray, "/hello?api_key=[redacted]&page=2", "TST"]);
    assert.equal(record.EdgeLoggerFingerprint.length, 32);
    assert.ok(!JSON.stringify((await stored(runtime)).lines).includes("canary"));
    const line = `{"RayID":"${ray}","EdgeStartTimestamp":"${new Date(sent).toISOString()}","ClientRequestHost":"edge.example","EdgeResponseStatus":200}\n`;
    const stamp = new Date(sent).toISOString().replace(/[-:]|\.\d+/g, "");
    const object = await runtime.put(`logs/http_requests/${stamp.slice(0, 8)}/${stamp}_${stamp}_1.log.gz`, Buffer.from(line));
    await runtime.announce(object);
    const records = await until("both records", async () => {
      const { records = [] } = await (await ask(runtime, `/v1/rays/${ray}`)).json();
      return records.length === 2 && records;
    });
    assert.deepEqual(records.map(({ dataset }) => dataset).sort(), ["edge_requests", "http_requests"]);
    // Nothing of the edge logger is in what is asked of Logpush's requests.
    const range = `start=${new Date(sent - 60_000).toISOString()}&end=${new Date(sent + 60_000).toISOString()}`;
    const lines = async (query) => (await (await ask(runtime, `/v1/logs?${range}${query}`)).text()).split("\n").filter((text) => text.includes(ray));
    assert.deepEqual([(await lines("")).length, (await lines("&dataset=edge_requests")).length], [1, 1]);
    assert.ok(!(await lines(""))[0].includes("EdgeLogger"));
  });
});

test("every request is counted, and payloads are kept as rules say", { timeout: 90_000 }, async () => {
  const rules = [
    { route: "*/chunked", sample: 0 },
    { route: "*/status", filter: { where: { key: "EdgeResponseStatus", operator: "geq", value: 500 } } },
    { route: "*/echo", payload_types: ["application/json"], payload_bytes: 30 },
  ];
  await withEdge({ settings: { EDGE_ROUTES: JSON.stringify(rules), EDGE_FLUSH_LINES: "40" } }, async ({ runtime, edge }) => {
    const get = async (path, init) => (await (await fetch(`${edge}${path}`, init)).text());
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(["/", "/a", "/b", "/c", "/chunked", "/status?code=503", "/status?code=404", "/gzip"].map((path) => get(path)));
      const headers = { "content-type": "application/json" };
      const whole = await get("/echo", { method: "POST", headers, body: '{"a":1,"password":"canary"}' });
      assert.equal(Buffer.from(JSON.parse(whole).body, "base64").toString(), '{"a":1,"password":"canary"}', "the origin gets all of it");
      await get("/echo", { method: "POST", headers, body: JSON.stringify({ text: "x".repeat(100_000) }) });
    }
    await until("the last batch", async () => (await stored(runtime)).lines.length === 80);
    const { lines, labels } = await stored(runtime);
    const last = labels.sort((a, b) => a.sequence - b.sequence).at(-1);
    const { seen, recorded, merged, sampled_out: sampledOut, dropped } = last;
    // What came after the last record travels with the next batch.
    assert.ok(seen <= 100 && seen > 90, JSON.stringify(last));
    for (const label of labels) {
      const lost = Object.values(label.dropped).reduce((sum, number) => sum + number, 0);
      assert.equal(label.recorded + label.merged + label.sampled_out + lost, label.seen, JSON.stringify(label));
    }
    assert.equal(recorded, lines.length);
    assert.ok(merged === 0 && sampledOut >= 9 && dropped.filtered >= 9);
    assert.deepEqual(labels.map(({ sequence }) => sequence), labels.map((_, at) => at + 1), "no gap");
    const sums = await until("the sums of the ledger", async () => {
      const { edge: sums } = await (await ask(runtime, "/v1/stats")).json();
      return sums.batches === labels.length && sums;
    });
    assert.deepEqual([sums.seen, sums.recorded, sums.missing_batches], [seen, recorded, 0]);
    assert.deepEqual(sums.dropped, dropped);
    const payloads = lines.filter(({ EdgeLoggerPayload: payload }) => payload);
    assert.equal(payloads.length, 20);
    assert.deepEqual(new Set(payloads.map(({ EdgeLoggerPayloadBytes: size }) => size)), new Set([27, 100_011]));
    assert.ok(!JSON.stringify(lines).includes("canary"));
    assert.ok(labels.some(({ lines: number }) => number === 40), "closed by its lines");
  });
});

test("responses do not depend on what the logger stores to", { timeout: 90_000 }, async () => {
  const check = async (edge) => {
    const reply = await fetch(`${edge}/bytes?n=1000`);
    assert.deepEqual([reply.status, (await reply.arrayBuffer()).byteLength], [200, 1000]);
  };
  await withEdge({ untouchable: true }, async ({ edge, log }) => {
    for (let round = 0; round < 20; round += 1) await check(edge);
    await until("a failure", () => log.some(({ event, verdict }) => event === "edge_batch" && verdict === "failed"));
    await check(edge);
  });
  await withEdge({ settings: { EDGE_MODE: "nonsense" } }, async ({ edge, log }) => {
    await check(edge);
    await until("the fault", () => log.some(({ event, faults }) => event === "not_configured" && faults.includes("EDGE_MODE")));
  });
  let faults = 3;
  const decide = ({ op }) => (op === "put" && faults-- > 0 ? (faults % 2 ? "error-after" : "error") : null);
  await withEdge({ decide }, async ({ runtime, edge }) => {
    for (let round = 0; round < 20; round += 1) await check(edge);
    const { lines, labels } = await until("the batch", async () => {
      const found = await stored(runtime);
      return faults < 0 && found.lines.length >= 20 && found;
    });
    assert.deepEqual([lines.length, labels.map(({ recorded }) => recorded).at(-1)], [20, 20], "each once");
  });
});
