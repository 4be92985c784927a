// The partner's receiver (local/partner.mjs): what it stores, what it refuses, how it misbehaves, what it counts.
// Run by `node --test`, from scripts/test.
//
// Each test has a receiver of its own, and ends it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { startPartner } from "../../local/partner.mjs";

const URI = "/cdn-log/v3";
const KEY = "a-key-for-tests";
const HEADERS = { "content-type": "text/plain; charset=utf-8", "content-encoding": "gzip" };

/** A test with a receiver of its own. */
function withPartner(words, work) {
  test(words, async () => {
    const partner = await startPartner({ uri: URI, key: KEY });
    try {
      await work(partner);
    } finally {
      await partner.stop();
    }
  });
}

const line = (id) => ["cs_vod_v3.0", "[28/Mar/2026:16:42:25 +0800]", id, ...Array(142).fill("-")].join("\u0001");
const textOf = (...ids) => ids.map((id) => `${line(id)}\n`).join("");
const now = () => Math.floor(Date.now() / 1000);
let rand = 0;

function authKey({ ts = now() + 300, nonce = (rand += 1), key = KEY } = {}) {
  const md5 = createHash("md5").update(`${URI}-${ts}-${nonce}-${key}`).digest("hex");
  return `${ts}-${nonce}-${md5}`;
}

const signed = (parts) => `${URI}?auth_key=${authKey(parts)}`;

/** Posts a delivery; the answer is its status, or the code of the error. */
function post(partner, text, { path = signed(), id = "a", headers, body, method = "POST", timeout = 0 } = {}) {
  return new Promise((done) => {
    const all = { ...HEADERS, "x-batch-id": id, ...headers };
    const request = http.request(`${partner.url}${path}`, { method, headers: all, agent: false, timeout }, (response) => {
      let length = 0;
      response.on("data", (piece) => (length += piece.length));
      response.on("end", () => done({ status: response.statusCode, headers: response.headers, length }));
    });
    request.on("timeout", () => request.destroy(Object.assign(new Error(), { code: "timeout" })));
    request.on("error", (error) => done({ status: error.code }));
    request.end(body ?? gzipSync(text));
  });
}

withPartner("what is right is stored and counted", async (partner) => {
  assert.equal((await post(partner, textOf("r1", "r2"), { id: "a" })).status, 200);
  assert.equal((await post(partner, textOf("r3"), { id: "b" })).status, 200);
  const { posts, stored_posts, lines, distinct_lines, duplicate_lines, batches, refused, misbehaved } = partner.figures();
  assert.deepEqual([posts, stored_posts, lines, distinct_lines, duplicate_lines], [2, 2, 3, 3, 0]);
  assert.deepEqual([batches, misbehaved, refused], [2, 0, {}]);
  assert.deepEqual(partner.lines(), { request_ids: { r1: 1, r2: 1, r3: 1 }, duplicates: [] });
  // On a busy machine, the second body may come more than a second after the first.
  const { busiest_second } = partner.figures();
  assert.ok([2, 3].includes(busiest_second), `${busiest_second} lines in a second`);
});

withPartner("nothing is deduplicated, and everything that came twice is known", async (partner) => {
  await post(partner, textOf("r1", "r2"), { id: "a" });
  await post(partner, textOf("r1", "r2"), { id: "a" });
  await post(partner, textOf("r2", "r3"), { id: "b" });
  await post(partner, textOf("r4"), { id: "b" });
  const { lines, distinct_lines, duplicate_lines, batches, duplicate_batches, changed_batches } = partner.figures();
  assert.deepEqual([lines, distinct_lines, duplicate_lines], [7, 4, 3]);
  assert.deepEqual([batches, duplicate_batches, changed_batches], [2, 2, 1]);
  const { request_ids, duplicates } = partner.lines();
  assert.deepEqual(request_ids, { r1: 2, r2: 3, r3: 1, r4: 1 });
  const came = duplicates.map(({ request_id, count, batches: of }) => [request_id, count, of]);
  assert.deepEqual(came, [["r1", 2, ["a", "a"]], ["r2", 3, ["a", "a", "b"]]]);
});

withPartner("a signature must be right, and hold now and not for long", async (partner) => {
  const status = async (path) => (await post(partner, textOf("r1"), { path })).status;
  const good = authKey();
  const malformed = ["", good.slice(0, -1), good.toUpperCase(), good.replace("-", "-0"), `${good}&auth_key=${good}`];
  for (const value of [...malformed, authKey({ key: "another" }), authKey({ nonce: 100_000 })]) {
    assert.equal(await status(`${URI}?auth_key=${value}`), 401, value);
  }
  assert.equal(await status(URI), 401);
  for (const ts of [now() - 1, now() + 370, now() * 1000]) assert.equal(await status(signed({ ts })), 403, String(ts));
  for (const parts of [{ ts: now() + 5 }, { ts: now() + 350 }, { nonce: 0 }, { nonce: 99_999 }]) {
    assert.equal(await status(signed(parts)), 200);
  }
  const twice = signed({ ts: now() + 200, nonce: 7 });
  assert.deepEqual([await status(twice), await status(twice)], [200, 200]);
  const { stored_posts, reused_nonces, refused } = partner.figures();
  assert.deepEqual([stored_posts, reused_nonces, refused], [6, 1, { 401: 8, 403: 3 }]);
});

withPartner("what is not of the format is refused whole", async (partner) => {
  const status = async (text, options) => (await post(partner, text, options)).status;
  assert.equal(await status(textOf("r1"), { path: "/elsewhere" }), 404);
  assert.equal(await status(textOf("r1"), { method: "PUT" }), 405);
  assert.equal(await status("", { headers: { "content-encoding": "identity" }, body: textOf("r1") }), 415);
  assert.equal(await status(textOf("r1"), { headers: { "content-type": "text/plain" } }), 415);
  const gzip = gzipSync(textOf("r1", "r2"));
  for (const body of [gzip.subarray(0, -9), Buffer.from(textOf("r1")), Buffer.alloc(0)]) {
    assert.equal(await status("", { body }), 400);
  }
  gzip[gzip.length - 6] ^= 1;
  assert.equal(await status("", { body: gzip }), 400);
  assert.equal(await status("", { body: Buffer.alloc((32 << 20) + 1) }), 413);
  assert.equal(await status(Buffer.alloc((256 << 20) + 1)), 413);
  const { stored_posts, bad_lines, refused } = partner.figures();
  assert.deepEqual([stored_posts, bad_lines], [0, 0]);
  assert.deepEqual(refused, { 400: 4, 404: 1, 405: 1, 413: 2, 415: 2 });
});

withPartner("one bad line refuses the whole body", async (partner) => {
  const cutCharacter = Buffer.concat([Buffer.from(line("r1")), Buffer.from([0xc3, 0x0a])]);
  const bad = [`${line("r1")}\u0001-\n`, "\n", "-\n", line("r1"), `${line("r\t1")}\n`, cutCharacter];
  for (const text of bad) {
    const body = gzipSync(Buffer.concat([Buffer.from(textOf("r0")), Buffer.from(text)]));
    assert.equal((await post(partner, "", { body })).status, 422);
  }
  assert.equal((await post(partner, "")).status, 422);
  const { stored_posts, lines, bad_lines, refused } = partner.figures();
  assert.deepEqual([stored_posts, lines, bad_lines, refused], [0, 0, 7, { 422: 7 }]);
  assert.equal((await post(partner, textOf("r0", "r\u00e9"))).status, 200);
});

withPartner("it answers what it is told, stored or not", async (partner) => {
  const once = async (deed, options) => {
    partner.behave([{ count: 1, do: deed }]);
    const before = partner.figures().stored_posts;
    const { status, headers, length } = await post(partner, textOf("r1"), options);
    return { status, headers, length, stored: partner.figures().stored_posts - before };
  };
  const brief = async (deed, options) => {
    const { status, stored } = await once(deed, options);
    return [status, stored];
  };
  assert.deepEqual(await brief({ status: 503 }), [503, 0]);
  assert.deepEqual(await brief({ status: 500, store: true }), [500, 1]);
  assert.deepEqual(await brief({ status: 200, store: false }), [200, 0]);
  assert.deepEqual(await brief({ status: 204 }), [204, 1]);
  assert.equal((await once({ status: 429, headers: { "retry-after": "7" } })).headers["retry-after"], "7");
  const moved = await once({ redirect: "http://127.0.0.1:1/" });
  assert.deepEqual([moved.status, moved.headers.location, moved.stored], [302, "http://127.0.0.1:1/", 0]);
  assert.equal((await once({ redirect: "/x", status: 307 })).status, 307);
  const huge = await once({ body: 5_000_001 });
  assert.deepEqual([huge.status, huge.length, huge.stored], [200, 5_000_001, 1]);
  assert.deepEqual(await brief({ reset: "before" }), ["ECONNRESET", 0]);
  assert.deepEqual(await brief({ reset: "after" }), ["ECONNRESET", 1]);
  assert.deepEqual(await brief({ reset: "after", store: false }), ["ECONNRESET", 0]);
  assert.equal(partner.figures().misbehaved, 11);
});

withPartner("it answers late, or never", async (partner) => {
  const stored = () => partner.figures().stored_posts;
  partner.behave([{ do: { delay: 300 } }]);
  const begun = Date.now();
  assert.equal((await post(partner, textOf("r1"))).status, 200);
  assert.ok(Date.now() - begun >= 290);
  partner.behave([{ do: { hang: null } }]);
  assert.deepEqual([(await post(partner, textOf("r1"), { timeout: 200 })).status, stored()], ["timeout", 1]);
  partner.behave([{ do: { hang: null, store: "before" } }]);
  assert.deepEqual([(await post(partner, textOf("r1"), { timeout: 200 })).status, stored()], ["timeout", 2]);
  // The sender has given up, and it is stored all the same.
  partner.behave([{ do: { hang: 400 } }]);
  assert.deepEqual([(await post(partner, textOf("r1"), { timeout: 200 })).status, stored()], ["timeout", 2]);
  await new Promise((done) => setTimeout(done, 400));
  assert.equal(stored(), 3);
});

withPartner("the first rule that fits decides, and a seed repeats", async (partner) => {
  const statuses = async (plan, count = 6, id = "a") => {
    partner.behave(plan);
    const all = [];
    for (let at = 0; at < count; at += 1) all.push((await post(partner, textOf("r1"), { id })).status);
    return all;
  };
  const failed = { status: 503 };
  assert.deepEqual(await statuses([{ every: 3, do: failed }]), [200, 200, 503, 200, 200, 503]);
  const two = [{ count: 2, do: failed }, { every: 2, do: { status: 429 } }];
  assert.deepEqual(await statuses(two), [503, 503, 200, 429, 200, 429]);
  assert.deepEqual(await statuses([{ batchId: "b", do: failed }], 2), [200, 200]);
  assert.deepEqual(await statuses([{ batchId: "b", do: failed }], 2, "b"), [503, 503]);
  const share = (seed) => statuses({ seed, rules: [{ share: 0.5, do: failed }] }, 40);
  const first = await share(1);
  assert.deepEqual(await share(1), first);
  assert.notDeepEqual(await share(2), first);
  const many = first.filter((status) => status === 503).length;
  assert.ok(many > 8 && many < 32, String(many));
  for (const rule of [{ do: { stauts: 503 } }, { always: 1, do: failed }, { count: 1 }, { do: { store: "never" } }]) {
    assert.throws(() => partner.behave([rule]), /invalid plan: /);
  }
});

withPartner("a sender that goes away in mid-body stores nothing", async (partner) => {
  const headers = { ...HEADERS, "content-length": 100 };
  const request = http.request(`${partner.url}${signed()}`, { method: "POST", headers });
  request.on("error", () => {});
  request.write("half");
  await new Promise((done) => setTimeout(done, 100));
  request.destroy();
  while (partner.figures().broken_off === 0) await new Promise((done) => setTimeout(done, 10));
  assert.equal(partner.figures().stored_posts, 0);
});
