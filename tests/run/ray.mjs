// scripts/ray against the built Worker with records of its own: each form, search, exit codes, what people paste. Needs
// scripts/build; run by `node --test`. What odd servers answer is in ray_answers.mjs.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { exitAtSignals } from "../../local/guard.mjs";
import { startPartner } from "../../local/partner.mjs";
import { startRuntime } from "../../local/runtime.mjs";
import { RAY, SHELLS, TOKEN, folder, ray } from "./ray_runner.mjs";

const PATIENCE_MS = 30_000;
const REQUESTS = 7;
const HOSTILE = "Mozilla\u001b]0;owned\u0007 \u009b2J \u202e\u007f é";

/** The viewer's token sees masked records. */
const VIEWER = "a-token-for-viewers";
const [visitor, child, other] = [newRay(0), newRay(1), newRay(2)];
const missing = newRay(3);
let partner;
let runtime;
let run;

/** A ray of ten minutes ago; the last digits tell those of one run apart. */
function newRay(nth) {
  const ticks = BigInt(Math.floor((Date.now() - 600_000 - 1_350_000_000_000) / 10));
  return ((ticks << 28n) | (BigInt(randomBytes(2).readUInt16BE()) << 8n) | BigInt(nth)).toString(16).padStart(16, "0");
}

function record(more) {
  const start = new Date(Date.now() - 600_000).toISOString();
  return {
    RayID: visitor,
    EdgeStartTimestamp: start,
    EdgeEndTimestamp: start,
    ClientRequestMethod: "GET",
    ClientRequestScheme: "https",
    ClientRequestHost: "www.example.com",
    ClientRequestURI: "/cart?a=1",
    ClientRequestUserAgent: HOSTILE,
    ClientIP: "203.0.113.9",
    EdgeResponseStatus: 522,
    ZoneName: "example.com",
    ...more,
  };
}

/** Uploads records as Logpush does. */
async function upload(dataset, records) {
  // A C1 character and U+007F as they are, and the others escaped, as JSON has them.
  const body = records.map((line) => `${JSON.stringify(line)}\n`).join("");
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/x-ndjson" };
  const reply = await fetch(`${runtime.url}/v1/ingest/${dataset}`, { method: "POST", headers, body });
  assert.equal(reply.status, 200, await reply.text());
}

/** Waits until the API answers 200 to this, in the words given. */
async function until(place, words) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await new Promise((soon) => setTimeout(soon, 100))) {
    const reply = await fetch(`${runtime.url}${place}`, { headers: { authorization: `Bearer ${TOKEN}` } });
    if ((await reply.text()).includes(words)) return;
  }
  throw new Error(`${place} does not say ${words}`);
}

before(async () => {
  exitAtSignals();
  partner = await startPartner({ uri: "/cdn-log/v3", key: "a-partner-key-for-tests" });
  const hash = (token) => createHash("sha256").update(token).digest("hex");
  runtime = await startRuntime({
    settings: {
      ...partner.settings,
      API_TOKEN_SHA256: hash(TOKEN),
      API_TOKENS: JSON.stringify([{ id: "desk", sha256: hash(VIEWER), scopes: ["read"], role: "viewer" }]),
      API_REASON_ROLES: "viewer",
      API_RATE_PER_MINUTE: "0",
    },
  });
  const others = Array.from({ length: REQUESTS - 3 }, (_, nth) => record({ RayID: newRay(16 + nth), EdgeResponseStatus: 200 }));
  await upload("http_requests", [
    record({}),
    record({ RayID: child, ParentRayID: visitor, WorkerSubrequest: true, ClientRequestURI: "/sub", EdgeResponseStatus: 200 }),
    record({ RayID: other, EdgeResponseStatus: 404 }),
    ...others,
  ]);
  await upload("firewall_events", [{ RayID: visitor, Datetime: record().EdgeStartTimestamp, Action: "block", Source: "waf" }]);
  await until(`/v1/rays/${visitor}`, '"firewall_events"');
  await until(`/v1/rays/${child}`, '"tree"');
  await until(`/v1/rays/${visitor}/deliveries`, '"state":"delivered"');
  run = (args, options) => ray(args, { url: runtime.url, ...options });
});
after(() => Promise.all([runtime?.stop(), partner?.stop()]));

test("a summary has the telling fields of every dataset, and the tree", async () => {
  const { code, out, err } = await run([visitor]);
  assert.deepEqual([code, err], [0, ""]);
  assert.match(out, new RegExp(`^${visitor}  20\\d\\d-`));
  for (const words of ["http_requests", "GET https://www.example.com/cart?a=1", "522", "203.0.113.9", "firewall_events", "block", "2 requests"]) {
    assert.ok(out.includes(words), `${words}: ${out}`);
  }
});

test("each form is the one that the API gives", async () => {
  const api = async (place, accept = "*/*") => {
    const headers = { authorization: `Bearer ${TOKEN}`, accept };
    return (await fetch(`${runtime.url}/v1/rays/${visitor}${place}`, { headers })).text();
  };
  for (const [form, place] of [["--native", "?format=native"], ["--csv", "?format=csv"], ["--partner", "?format=partner"], ["--har", "?format=har"]]) {
    const { code, out, err } = await run([form, visitor]);
    assert.deepEqual([code, err, out], [0, "", await api(place)], form);
  }
  const { code, out } = await run(["--native", "--dataset", "http_requests", "--fields=RayID,EdgeResponseStatus", visitor]);
  assert.deepEqual([code, out], [0, `{"RayID":"${visitor}","EdgeResponseStatus":522}\n`]);
  const table = await run(["--explain", visitor]);
  assert.equal(table.out.match(/^ {0,2}\d+ /gm).length, 145, table.out);
  for (const [form, member] of [[[], "records"], [["--tree"], "tree"], [["--deliveries"], "records"], [["--explain"], "records"]]) {
    const document = JSON.parse((await run(["--json", ...form, visitor])).out);
    assert.ok(document[member] && document.ray === visitor, form.join(" "));
  }
});

test("a tree is indented, and marks the ray that was asked for", async () => {
  const { code, out } = await run(["--tree", child]);
  assert.equal(code, 0);
  assert.equal(out, `${visitor}  firewall_events 1, http_requests 1\n  ${child}  subrequest: http_requests 1\n`);
  const { out: marked } = await run(["--tree", child], { terminal: true, env: { TERM: "xterm" } });
  assert.ok(marked.includes(`\u001b[1m${child}\u001b[0m`) && !marked.includes(`\u001b[1m${visitor}`), marked);
});

test("deliveries name the payload, its state and the partner's answer", async () => {
  const { code, out } = await run(["--deliveries", visitor]);
  assert.equal(code, 0);
  for (const words of [/delivery_status +assigned/, /state +delivered/, /status +200/]) assert.match(out, words);
});

test("what people paste is found", async () => {
  for (const text of [
    visitor.toUpperCase(),
    `${visitor}-HKG`,
    `CF-RAY: ${visitor}-HKG`,
    `Error 522 Ray ID: ${visitor} • 2026-11-30 12:00:00 UTC\nWhat happened?`,
    `https://logs.example.com/r/${visitor}?tab=record&a=%20#x`,
    `"${visitor}",`,
    `'; $(touch ${folder}/owned) \`touch ${folder}/owned\` | & > ${visitor} *`,
    `@${visitor} \\ %0a`,
    `30/11/2026 12:00 GET /cart 522 ${visitor}`,
    `curl -H "authorization: Basic eA==" https://www.example.com/ # ${visitor}`,
  ]) {
    const { code, out, err } = await run(["--native", "--fields", "RayID", "--dataset", "http_requests", text]);
    assert.deepEqual([code, out, err], [0, `{"RayID":"${visitor}"}\n`, ""], text);
  }
  assert.ok(!fs.existsSync(path.join(folder, "owned")), "a command in the text ran");
});

test("rays come from arguments and standard input, and the worst code is the end", async () => {
  const fields = ["--native", "--dataset=http_requests", "--fields", "RayID"];
  const line = (id) => `{"RayID":"${id}"}\n`;
  const several = await run([...fields, visitor, other]);
  assert.deepEqual([several.code, several.out], [0, line(visitor) + line(other)]);
  const piped = await run([...fields, "-"], { input: `cf-ray: ${visitor}-HKG\r\n\n  \n${other}` });
  assert.deepEqual([piped.code, piped.out], [0, line(visitor) + line(other)]);
  const worst = await run([...fields, "-"], { input: `a b\n${missing}\n${other}\n` });
  assert.deepEqual([worst.code, worst.out], [3, line(other)]);
  assert.match(worst.err, /a b: This is not a Ray ID.*\[400 not_a_ray\]/);
  const csv = await run(["--csv", "--fields", "RayID,EdgeResponseStatus", visitor, other]);
  const cell = (id) => (/^[0-9]/.test(id) && /^\d+$|^\d+e\d+$/.test(id) ? `'${id}` : id);
  assert.equal(csv.out, `RayID,EdgeResponseStatus\r\n${cell(visitor)},522\r\n${cell(other)},404\r\n`);
});

test("a ray without records has its verdict, and an exit code for it", async () => {
  const young = await run([missing]);
  assert.equal(young.code, 3, young.err);
  assert.match(young.err, new RegExp(`^ray: ${missing}: No indexed batch contains this ray\\. .*\\[404 (not_yet|maybe_not_logged)\\]\\n$`));
  const old = await run(["--why", "8888888888888888"]);
  assert.equal(old.code, 1);
  assert.match(old.out, /verdict\n  code +older_than_kept\n/);
  assert.match(old.out, /sealed_batches +\d/);
  const json = await run(["--why", "--json", "8888888888888888"]);
  assert.equal(JSON.parse(json.out).verdict.code, "older_than_kept");
  for (const text of ["", "..", "/", "☃", "<script>"]) assert.equal((await run([text])).code, 2, text);
  const long = await run([`${"x".repeat(5000)} ${visitor}`]);
  assert.equal(long.code, 2);
  assert.match(long.err, /more than 4096 bytes/);
});

test("a search streams what matches, and counts it", async () => {
  const filter = (status) => JSON.stringify({ where: { key: "EdgeResponseStatus", operator: "eq", value: status } });
  const found = await run(["--search", filter(404), "--since", "1h", "--fields", "RayID"]);
  assert.equal(found.out, `{"RayID":"${other}"}\n`);
  assert.ok([0, 3].includes(found.code), found.err);
  const all = await run(["--search", "", "--since=1h", "--limit", "3", "--fields", "RayID"]);
  assert.deepEqual([all.code, all.out.trim().split("\n").length], [0, 3]);
  const none = await run(["--search", filter(599), "--since", "1h"]);
  assert.deepEqual([[1, 3].includes(none.code), none.out], [true, ""]);
  const csv = await run(["--search", filter(404), "--since", "1h", "--csv", "--fields", "EdgeResponseStatus"]);
  assert.equal(csv.out, "EdgeResponseStatus\r\n404\r\n");
  const counted = await run(["--search", filter(522), "--since", "1h", "--count"]);
  assert.ok(Number(counted.out) >= 1, counted.out);
  const rows = await run(["--search", "", "--since", "1h", "--count", "--by", "EdgeResponseStatus"]);
  assert.ok(rows.out.includes('{"values":{"EdgeResponseStatus":404},"count":1}\n'), rows.out);
  const bad = await run(["--search", "{", "--since", "1h"]);
  assert.equal(bad.code, 2);
  assert.match(bad.err, /\[400 bad_filter\]/);
});

test("roles and reasons are the API's", async () => {
  const env = { RAYDEX_TOKEN: VIEWER };
  const silent = await run([visitor], { env });
  assert.ok([2, 4].includes(silent.code), silent.err);
  assert.match(silent.err, /reason/);
  for (const options of [{ env: { ...env, RAYDEX_REASON: 'ticket "7" \\ $(x)' } }, { env, more: ["--reason", "ticket 7"] }]) {
    const { code, out, err } = await run([...(options.more ?? []), visitor], options);
    assert.deepEqual([code, err], [0, ""]);
    assert.ok(out.includes("203.0.113.0") && !out.includes("203.0.113.9"), out);
  }
  const wrong = await run([visitor], { env: { RAYDEX_TOKEN: "another" } });
  assert.equal(wrong.code, 4);
  assert.match(wrong.err, /\[401 unauthorized\]/);
  const forbidden = await run(["--dataset", "no_such_dataset", visitor]);
  assert.equal(forbidden.code, 2);
});

test("every form passes nothing on to a terminal that it would obey", async () => {
  const env = { TERM: "xterm", NO_COLOR: "1" };
  // eslint-disable-next-line no-control-regex
  const obeyed = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
  const forms = [[], ["--native"], ["--json"], ["--csv"], ["--partner"], ["--explain"], ["--har"], ["--deliveries"], ["--tree"]];
  for (const args of [...forms.map((form) => [...form, visitor]), ["--search", "", "--since", "1h"]]) {
    const { out } = await run(args, { terminal: true, env });
    assert.ok(out.length > 0 && !obeyed.test(out), `${args.join(" ")}: ${JSON.stringify(obeyed.exec(out)?.[0])} in ${JSON.stringify(out)}`);
  }
  assert.ok((await run(["--native", visitor])).out.includes("\u009b"), "what is no terminal gets the bytes");
  assert.match((await run([visitor], { terminal: true, env: { TERM: "xterm" } })).out, /\u001b\[1m/);
  assert.doesNotMatch((await run([visitor])).out, /\u001b/);
});

test("a reader that leaves early is no error", async () => {
  const pipe = `"$@" | head -n 1`;
  const options = { url: runtime.url, shell: ["/bin/sh", "-c", pipe, "sh", "/bin/sh"] };
  for (const args of [["--search", "", "--since", "1h"], ["--csv", visitor, other], [visitor, other], ["--tree", child]]) {
    const { code, out, err } = await ray(args, options);
    assert.deepEqual([code, out.split("\n").length, err], [0, 2, ""], args.join(" "));
  }
});

test("every shell of this machine gives the same answers", async () => {
  const copy = path.join(folder, "a copy of it");
  fs.copyFileSync(RAY, copy);
  for (const args of [[visitor], ["--tree", child], ["--deliveries", visitor], ["--why", "8888888888888888"], ["--search", "", "--since", "1h", "--count", "--by", "RayID"]]) {
    const answers = await Promise.all(SHELLS.map(async (shell) => ({ ...(await run(args, { shell, script: copy })), firstAt: undefined })));
    answers.forEach((answer, nth) => assert.deepEqual(answer, answers[0], SHELLS[nth].join(" ")));
  }
});
