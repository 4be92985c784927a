// Mode `collect` of the edge logger under the real runtime, before an origin that counts what it gets: every media type, what is
// refused or dropped, quotas, an origin that fails, secrets, a hundred thousand reports. Needs scripts/build; run by `node --test`.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { startCollectingOrigin } from "../../local/collecting-origin.mjs";
import { EDGE } from "../../local/edge.mjs";
import { startOrigin } from "../../local/origin.mjs";
import { startRuntime } from "../../local/runtime.mjs";

const TOKEN = "a-token-for-tests";
const SETTINGS = {
  EDGE_MODE: "collect",
  EDGE_COLLECT_SECONDS: "2",
  EDGE_COLLECT_URL: "https://origin.example/collect",
  EDGE_QUOTA_URL: "https://origin.example/quota/{key}",
};
const REPORTS = "application/reports+json";
const PATIENCE_MS = 30_000;
const MEMORY_MAX = 64 * 1024 * 1024;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Runs `work` over a runtime of its own with the collector before an origin. */
async function withCollector({ settings, decide, ...options }, work) {
  const log = [];
  const origin = await startCollectingOrigin({ decide });
  const runtime = await startRuntime({
    settings: { API_TOKEN_SHA256: createHash("sha256").update(TOKEN).digest("hex"), API_RATE_PER_MINUTE: "0" },
    onLog: (line) => log.push(line),
    edge: { origin: origin.address, ...options, settings: { ...SETTINGS, ...settings } },
  });
  try {
    await work({ runtime, log, origin, url: await runtime.direct(EDGE) });
    assert.deepEqual(origin.others, [], "the origin gets windows and questions alone");
  } finally {
    await runtime.stop();
    origin.stop();
  }
}

/** Waits until `look` returns something. */
async function until(what, look) {
  for (const start = Date.now(); Date.now() - start < PATIENCE_MS; await pause(50)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`${what} does not come`);
}

async function post(url, type, body, init = {}) {
  const text = typeof body === "string" || body instanceof ReadableStream ? body : JSON.stringify(body);
  const reply = await fetch(url, { method: "POST", body: text, duplex: "half", ...init, headers: { "content-type": type, ...init.headers } });
  await reply.arrayBuffer();
  return reply.status;
}

/** What the origin has once it has this number of reports. */
function collected(origin, number) {
  return until(`${number} reports`, () => {
    const summary = origin.windows.summary();
    return summary.reported >= number && summary;
  });
}

/** The counts of each isolate add up; returns their sums. */
function sums(isolates) {
  const sum = { seen: 0, recorded: 0, merged: 0, sampled_out: 0, dropped: {} };
  for (const counts of isolates) {
    const lost = Object.values(counts.dropped).reduce((all, number) => all + number, 0);
    assert.equal(counts.recorded + counts.merged + counts.sampled_out + lost, counts.seen, JSON.stringify(counts));
    for (const name of ["seen", "recorded", "merged", "sampled_out"]) sum[name] += counts[name];
    for (const [reason, number] of Object.entries(counts.dropped)) sum.dropped[reason] = (sum.dropped[reason] ?? 0) + number;
  }
  return sum;
}

/** Waits until no more windows come. */
async function settled(origin) {
  for (let before = -1; before !== origin.windows.posts; await pause(3_000)) before = origin.windows.posts;
  return origin.windows.summary();
}

test("reports of every media type are answered at once and merged", { timeout: 60_000 }, async () => {
  await withCollector({}, async ({ url, origin }) => {
    const preflight = await fetch(url, { method: "OPTIONS", headers: { origin: "https://a.example", "access-control-request-method": "POST", "access-control-request-headers": "content-type" } });
    const header = (name) => preflight.headers.get(name);
    assert.deepEqual([preflight.status, header("access-control-allow-origin"), header("access-control-allow-methods"), header("access-control-allow-headers")], [204, "*", "POST, OPTIONS", "content-type"]);
    const other = await fetch(url);
    assert.deepEqual([other.status, other.headers.get("allow")], [405, "POST, OPTIONS"]);
    const report = (age) => ({ age, type: "csp-violation", url: "https://a.example/?token=canary-1", body: { statusCode: 200, password: "canary-2" } });
    const answers = [
      await post(url, REPORTS, [report(1), report(2), { type: "nel" }]),
      await post(url, "application/csp-report", { "csp-report": { "blocked-uri": "https://b.example/x?api_key=canary-3" } }),
      await post(url, "application/json; charset=utf-8", { b: 1, a: [1, 2] }),
      await post(url, "application/json", '{"a":[1,2.0],"b":1e0}', { headers: { authorization: "Bearer canary-4", cookie: "sid=canary-5" } }),
      await post(url, "application/x-ndjson", '{"line":1}\n{"line":2}\n'),
    ];
    assert.deepEqual(answers, [204, 204, 204, 204, 204]);
    const { reports, records, windows } = await collected(origin, 8);
    const found = Object.fromEntries([...reports.values()].map(({ json, count }) => [JSON.stringify(json), count]));
    assert.deepEqual(found, {
      '{"body":{"password":"[redacted]","statusCode":200},"type":"csp-violation","url":"https://a.example/?token=[redacted]"}': 2,
      '{"type":"nel"}': 1,
      '{"csp-report":{"blocked-uri":"https://b.example/x?api_key=[redacted]"}}': 1,
      '{"a":[1,2],"b":1}': 2,
      '{"line":1}': 1,
      '{"line":2}': 1,
    });
    for (const [sha1, { json }] of reports) assert.equal(createHash("sha1").update(JSON.stringify(json)).digest("hex"), sha1);
    assert.ok(records === 6 && windows === 1, "one request for eight reports");
    assert.ok(!JSON.stringify([...origin.windows.taken.values()].map(({ body }) => body.toString())).includes("canary"));
  });
});

test("what is no report is dropped and counted", { timeout: 60_000 }, async () => {
  const rules = [
    { route: "*/strict", types: [REPORTS], max_bytes: 1_000, schema: { required: ["type"], properties: { type: { enum: ["a", "b"] } } }, filter: { where: { key: "body.phase", operator: "!eq", value: "dns" } } },
    { route: "*/none", sample: 0 },
  ];
  await withCollector({ settings: { EDGE_COLLECT: JSON.stringify(rules), EDGE_COLLECT_FORM: "ndjson" } }, async ({ url, origin, log }) => {
    const strict = (body, init) => post(`${url}/strict`, REPORTS, body, init);
    const large = JSON.stringify([{ type: "a", text: "x".repeat(1_000) }]);
    const inPieces = () => new ReadableStream({
      async start(to) {
        for (let at = 0; at < large.length; at += 100) (to.enqueue(Buffer.from(large.slice(at, at + 100))), await pause(1));
        to.close();
      },
    });
    assert.equal(await strict([{ type: "a" }, { type: "c" }, {}, 7, { type: "b", body: { phase: "dns" } }]), 204);
    assert.deepEqual([await strict(large), await strict(inPieces())], [413, 413]);
    assert.deepEqual([await strict("[{"), await post(`${url}/strict`, "text/html", "<p>")], [204, 204]);
    assert.equal(await post(`${url}/none`, REPORTS, [{}, {}, {}]), 204);
    await pause(100);
    assert.equal(await strict([{ type: "a" }]), 204);
    const { isolates, reports } = await collected(origin, 2);
    const { seen, recorded, merged, sampled_out: sampledOut, dropped } = sums(isolates);
    assert.deepEqual([seen, recorded, merged, sampledOut, dropped.filtered, dropped.invalid, dropped.too_large], [13, 1, 1, 3, 1, 5, 2]);
    assert.deepEqual([...reports.values()], [{ json: { type: "a" }, count: 2 }]);
    assert.ok([...origin.windows.taken.values()].every(({ type }) => type === "application/x-ndjson"));
    assert.ok(log.every(({ event }) => event !== "edge_not_collected"), JSON.stringify(log));
  });
});

test("a key over its quota costs the origin one question", { timeout: 60_000 }, async () => {
  const rules = [{ route: "*/k*", quota: { key: "query:key" } }];
  await withCollector({ settings: { EDGE_COLLECT: JSON.stringify(rules) } }, async ({ url, origin }) => {
    const send = (key) => post(`${url}/k?key=${key}`, REPORTS, [{ key: "report" }]);
    await send("over-1");
    await send("good");
    await until("answers", () => origin.asked.length === 2);
    await pause(200);
    for (let round = 0; round < 100; round += 1) assert.equal(await send("over-1"), 204);
    for (let round = 0; round < 10; round += 1) assert.equal(await send("good"), 204);
    await post(`${url}/k`, REPORTS, [{ key: "report" }]);
    const { isolates, reported, posts } = await settled(origin);
    const { seen, dropped } = sums(isolates);
    assert.deepEqual(origin.asked.sort(), ["/quota/good", "/quota/over%2D1"]);
    // The one that came before the answer was taken.
    assert.deepEqual([reported, dropped.over_quota, seen], [13, 100, 113]);
    assert.ok(posts <= 3, `${posts} requests`);
  });
});

test("an origin that fails for seconds gets every window unchanged", { timeout: 90_000 }, async () => {
  let turn = 0;
  const failures = ["lost", 503, "lost"];
  const decide = () => failures[turn++];
  await withCollector({ decide }, async ({ url, origin, log }) => {
    for (let round = 0; round < 40; round += 1) {
      assert.equal(await post(url, REPORTS, [{ round: round % 5 }, { round: "each" }]), 204);
      await pause(100);
    }
    const { reported, isolates, posts, windows } = await collected(origin, 80).then(() => settled(origin));
    const { seen, recorded, merged, dropped } = sums(isolates);
    assert.deepEqual([reported, seen, recorded + merged, dropped.unconfirmed + dropped.overflow + dropped.refused], [80, 80, 80, 0]);
    assert.ok(posts === windows + failures.length, `${posts} posts of ${windows} windows`);
    assert.ok([...origin.windows.taken.values()].some((window) => window.posts > 1), "a window whose answer was lost came again");
    assert.ok(log.some(({ event, verdict }) => event === "edge_window" && verdict === "failed"));
  });
});

test("a window that the origin refuses is dropped and counted", { timeout: 60_000 }, async () => {
  let turn = 0;
  await withCollector({ decide: () => (turn++ === 0 ? 400 : undefined) }, async ({ url, origin, log }) => {
    await post(url, REPORTS, [{ a: 1 }, { a: 1 }, { a: 2 }]);
    await until("the refusal", () => log.some(({ event, verdict }) => event === "edge_window" && verdict === "refused"));
    await post(url, REPORTS, [{ a: 3 }]);
    const { isolates } = await collected(origin, 1);
    const { seen, recorded, dropped } = sums(isolates);
    assert.deepEqual([seen, recorded, dropped.refused], [4, 1, 3]);
  });
});

test("faulty settings cost no answer and reach no origin", { timeout: 60_000 }, async () => {
  await withCollector({ settings: { EDGE_COLLECT_SECONDS: "nonsense" } }, async ({ url, origin, log }) => {
    for (let round = 0; round < 5; round += 1) assert.equal(await post(url, REPORTS, [{}]), 204);
    await until("the fault", () => log.some(({ event, faults }) => event === "not_configured" && faults.includes("EDGE_COLLECT_SECONDS")));
    assert.equal(origin.windows.posts, 0);
  });
});

test("distinct reports are looked up where they are stored", { timeout: 60_000 }, async () => {
  await withCollector({ settings: { EDGE_COLLECT_STORE: "on" } }, async ({ runtime, url, origin }) => {
    const ray = (BigInt(Math.floor((Date.now() - 1_350_000_000_000) / 10)) << 28n).toString(16).padStart(16, "0");
    await post(url, REPORTS, [{ type: "x", url: "https://a.example/?sig=canary" }, { type: "x", url: "https://a.example/?sig=canary-2" }], { headers: { "cf-ray": `${ray}-TST` } });
    await collected(origin, 2);
    const record = await until("the record", async () => {
      const reply = await fetch(`${runtime.url}/v1/rays/${ray}?dataset=edge_requests&format=native`, { headers: { authorization: `Bearer ${TOKEN}` } });
      const text = await reply.text();
      return reply.status === 200 && JSON.parse(text);
    });
    assert.deepEqual([JSON.parse(record.EdgeLoggerReport), record.EdgeLoggerReportCount], [{ type: "x", url: "https://a.example/?sig=[redacted]" }, 2]);
    assert.equal(record.EdgeLoggerReportSHA1, createHash("sha1").update(record.EdgeLoggerReport).digest("hex"));
    const [object] = await runtime.list("logs/edge_requests/");
    assert.deepEqual([object.label.seen, object.label.recorded, object.label.merged], [2, 1, 1]);
    assert.ok(!gunzipSync(await runtime.get(object.key)).toString().includes("canary"));
  });
});

test("a service binding can be the origin", { timeout: 60_000 }, async () => {
  await withCollector({ bindOrigin: true, settings: { EDGE_COLLECT_URL: "/collect" } }, async ({ url, origin }) => {
    await post(url, REPORTS, [{ a: 1 }]);
    assert.equal((await collected(origin, 1)).windows, 1);
  });
});

test("a request beyond its key's quota passes without a record", { timeout: 60_000 }, async () => {
  const routes = [{ route: "*/*", quota: { key: "header:x-api-key", per_minute: 3 } }];
  const sample = await startOrigin();
  const settings = { EDGE_MODE: "log", EDGE_FLUSH_SECONDS: "2", EDGE_ROUTES: JSON.stringify(routes) };
  await withCollector({ origin: sample.address, settings }, async ({ runtime, url }) => {
    // The whole minute is one.
    const left = 60_000 - (Date.now() % 60_000);
    await pause(left < 5_000 ? left + 100 : 0);
    const keys = ["canary-1", "canary-1", "canary-1", "canary-1", "canary-1", "canary-2"];
    const statuses = await Promise.all(keys.map(async (key) => {
      const reply = await fetch(url, { headers: { "x-api-key": key } });
      await reply.text();
      return reply.status;
    }));
    assert.deepEqual(statuses, keys.map(() => 200));
    const [object] = await until("the batch", async () => {
      const objects = await runtime.list("logs/edge_requests/");
      return objects.length > 0 && objects;
    });
    assert.deepEqual([object.label.recorded, object.label.dropped.over_quota], [4, 2]);
    assert.ok(!gunzipSync(await runtime.get(object.key)).toString().includes("canary"));
  });
  sample.stop();
});

test("a hundred thousand reports are forwarded by their distinct ones", { timeout: 240_000 }, async () => {
  const [bodies, perBody, distinct] = [1_000, 98, 5_000];
  await withCollector({ settings: { EDGE_COLLECT_SECONDS: "5" } }, async ({ url, origin, log }) => {
    const report = (number) => ({ type: "csp-violation", age: number, url: `https://a.example/${number % distinct}`, body: { effectiveDirective: "script-src", statusCode: 200 } });
    let next = 0;
    const send = async () => {
      for (let body; (body = next++) < bodies; ) {
        const from = body * (perBody + 2);
        assert.equal(await post(url, REPORTS, Array.from({ length: perBody }, (_, at) => report(from + at))), 204);
        // Single ones too.
        assert.equal(await post(url, REPORTS, [report(from + perBody)]), 204);
        assert.equal(await post(url, "application/json", { ...report(from + perBody + 1), age: undefined }), 204);
      }
    };
    await Promise.all(Array.from({ length: 8 }, send));
    const number = bodies * (perBody + 2);
    const { windows, posts, records, reported, reports, isolates } = await collected(origin, number);
    const { seen, recorded, merged, dropped } = sums(isolates);
    assert.equal(reports.size, distinct);
    assert.deepEqual([number, reported, seen, recorded + merged], [100_000, 100_000, 100_000, 100_000]);
    assert.deepEqual([records, Object.values(dropped).reduce((sum, lost) => sum + lost, 0)], [recorded, 0]);
    // Each window has each of its reports once.
    assert.ok(records <= windows * distinct && posts === windows && windows < 30, `${windows} windows, ${records} records`);
    await until("the log", () => log.some(({ wasm_bytes: bytes }) => bytes > 0));
    const peak = Math.max(...log.map(({ wasm_bytes: bytes }) => bytes ?? 0));
    assert.ok(peak > 0 && peak <= MEMORY_MAX, `${peak} bytes of wasm memory`);
  });
});
