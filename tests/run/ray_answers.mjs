// scripts/ray and the answers of odd servers: refusals, proxies, redirects, broken and huge bodies, terminals; and that the token
// goes nowhere else. Run by `node --test`.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { SHELLS, TOKEN, double, folder, ray } from "./ray_runner.mjs";

const ID = "764660d8ec5c2ab1";
const PROBLEM = { "content-type": "application/problem+json" };
const JSON_TYPE = { "content-type": "application/json" };
const HTML = "<!DOCTYPE html><title>Sign in</title>" + "x".repeat(1000);

const servers = [];
after(() => Promise.all(servers.map((server) => server.stop())));

/** A server whose answers come one after the other, the last one again and again: each a function, or [status, headers, body]. */
async function serve(...answers) {
  let next = 0;
  const server = await double((request, response) => {
    const answer = answers[Math.min(next++, answers.length - 1)];
    if (typeof answer === "function") return answer(request, response);
    const [status, headers, body] = answer;
    response.writeHead(status, headers);
    response.end(typeof body === "string" ? body : `${JSON.stringify(body)}\n`);
  });
  servers.push(server);
  return server;
}

const problem = (status, code, more = {}, headers = {}) =>
  [status, { ...PROBLEM, ...headers }, { type: "about:blank", title: "T", status, code, detail: `It is ${code}.`, hint: "Do this.", ...more }];
const notYet = (seconds) => problem(404, "ray_not_found", { ray: ID, verdict: { code: "not_yet" } }, seconds && { "retry-after": seconds });
const found = (more = {}) => [200, JSON_TYPE, { ray: ID, truncated: false, records: [{ dataset: "dns_logs", batch: { key: "k" }, record: { A: 1 } }], ...more }];

/** A page of a search: lines, and the trailer with this. */
function page(lines, trailer, { end = "0e9b34", type = "application/x-ndjson", text = false } = {}) {
  const document = { end, complete: true, truncated: false, cursor: null, stats: { records_returned: lines.length }, ...trailer };
  const last = text ? `# raydex ${JSON.stringify(document)}\n` : `${JSON.stringify({ raydex: document })}\n`;
  return [200, { "content-type": type, "raydex-end": end }, lines.map((line) => `${line}\n`).join("") + last];
}
const SEARCH = ["--search", "", "--since", "1h"];

test("each answer without records has its exit code and words", async () => {
  const verdict = (code) => problem(404, "ray_not_found", { verdict: { code } });
  for (const [answer, code, words] of [
    [problem(400, "not_a_ray"), 2, /^ray: \S+: It is not_a_ray\. Do this\. \[400 not_a_ray\]\n$/],
    [problem(413, "answer_too_large"), 2, /\[413 answer_too_large\]/],
    [problem(401, "unauthorized"), 4, /\[401 unauthorized\]/],
    [problem(403, "forbidden"), 4, /\[403 forbidden\]/],
    [problem(429, "too_many_requests", {}, { "retry-after": "7" }), 5, /\[429 too_many_requests\]/],
    [problem(503, "busy", {}, { "retry-after": "1" }), 6, /\[503 busy\]/],
    [problem(404, "no_such_path"), 6, /\[404 no_such_path\]/],
    [problem(404, "ray_not_found"), 1, /\[404 ray_not_found\]/],
    [verdict("not_logged"), 1, /\[404 not_logged\]/],
    [verdict("older_than_kept"), 1, /older_than_kept/],
    [verdict("in_another_dataset"), 1, /in_another_dataset/],
    [verdict("ahead_of_clock"), 1, /ahead_of_clock/],
    [verdict("not_yet"), 3, /not_yet/],
    [verdict("of_unknown_layout"), 3, /of_unknown_layout/],
    [verdict("maybe_not_logged"), 3, /maybe_not_logged/],
    [[500, {}, "oops"], 6, /HTTP 500 .*no answer of raydex/],
    [[502, { "content-type": "text/html" }, HTML], 6, /HTTP 502/],
    [[403, { "content-type": "text/html" }, HTML], 4, /a proxy or Cloudflare Access/],
    [[404, {}, "{"], 6, /Check RAYDEX_URL/],
    [[429, { "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT" }, ""], 5, /in 30 s/],
    [[200, { "content-type": "text/html" }, HTML], 6, /does not answer as raydex does/],
    [[200, JSON_TYPE, "[1]"], 6, /does not answer as raydex does/],
    [[200, JSON_TYPE, '{"ray":"7","records":[{'], 6, /does not answer as raydex does/],
    [[204, {}, ""], 6, /HTTP 204/],
  ]) {
    const { url } = await serve(answer);
    const { code: got, out, err } = await ray([ID], { url });
    assert.deepEqual([got, out], [code, ""], `${answer[2]?.code ?? answer[0]}: ${err}`);
    assert.match(err, words);
    assert.equal(err.trim().split("\n").length, 1, err);
  }
});

test("a problem in data forms and in a search leaves standard output empty", async () => {
  for (const args of [["--native", ID], ["--csv", ID], ["--har", ID], ["--json", ID], SEARCH, [...SEARCH, "--count"]]) {
    for (const [answer, code] of [[problem(403, "forbidden"), 4], [[200, { "content-type": "text/html" }, HTML], 6]]) {
      const { url } = await serve(answer);
      const { code: got, out } = await ray(args, { url });
      assert.deepEqual([got, out], [code, ""], args.join(" "));
    }
  }
});

test("what holds for every ray ends the run, the rest goes on", async () => {
  const refused = await serve(problem(401, "unauthorized"));
  const { code, err } = await ray([ID, ID, ID], { url: refused.url });
  assert.deepEqual([code, refused.requests.length], [4, 1]);
  assert.match(err, /were not asked for/);
  const some = await serve(notYet(), found(), problem(404, "ray_not_found"));
  assert.equal((await ray([ID, ID, ID], { url: some.url })).code, 3);
  assert.equal(some.requests.length, 3);
});

test("a redirect does not get the token", async () => {
  const thief = await serve(found());
  fs.writeFileSync(path.join(folder, ".curlrc"), "location\nlocation-trusted\nverbose\ntrace-ascii = -\n");
  for (const status of [301, 302, 303, 307, 308]) {
    const { url } = await serve([status, { location: `${thief.url}/login?to=secret` }, ""]);
    for (const args of [[ID], SEARCH]) {
      const { code, err } = await ray(args, { url });
      assert.equal(code, 6);
      assert.match(err, new RegExp(`redirects to ${thief.url}/login, where your token does not go`));
    }
  }
  fs.rmSync(path.join(folder, ".curlrc"));
  assert.equal(thief.requests.length, 0);
});

test("the token is in no argument, no file, no environment of curl, no message and no trace", async () => {
  const token = `secret-${randomBytes(8).toString("hex")}`;
  const seen = [];
  const look = (request, response) => {
    assert.equal(request.headers.authorization, `Bearer ${token}`);
    for (const id of fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      const read = (name) => { try { return fs.readFileSync(`/proc/${id}/${name}`, "utf8"); } catch { return ""; } };
      const command = read("cmdline");
      if (command.includes(token)) seen.push(command);
      if (command.startsWith("curl") && read("environ").includes(token)) seen.push(`environment of ${command}`);
    }
    for (const name of fs.readdirSync(folder, { recursive: true })) {
      const file = path.join(folder, name);
      if (fs.statSync(file).isFile() && fs.readFileSync(file).includes(token)) seen.push(file);
    }
    response.writeHead(401, PROBLEM).end(JSON.stringify({ code: "unauthorized", detail: "No." }));
  };
  const server = await serve(look);
  for (const shell of SHELLS) {
    for (const options of [[], ["-x"], ["-v"]]) {
      const { code, out, err } = await ray([ID], { url: server.url, env: { RAYDEX_TOKEN: token, token: "x" }, shell: [...shell, ...options] });
      assert.equal(code, 4, err);
      assert.ok(!`${out}${err}`.includes(token), `${shell} ${options}: ${err}`);
    }
  }
  assert.deepEqual(seen, []);
  assert.equal(server.requests.length, SHELLS.length * 3);
});

test("a token that is none is refused before anything is sent", async () => {
  const server = await serve(found());
  for (const token of [undefined, "", "a b", "a\nb", "a\n", "a\r", 'a"b', "a'b", "a\\b", "é", "a\nurl = http://127.0.0.1:1/"]) {
    const { code, out, err } = await ray([ID], { url: server.url, env: { RAYDEX_TOKEN: token } });
    assert.deepEqual([code, out], [2, ""], JSON.stringify(token));
    assert.match(err, /^ray: RAYDEX_TOKEN .*\n$/);
  }
  const reason = await ray(["--reason", "a\nb", ID], { url: server.url });
  assert.equal(reason.code, 2);
  assert.equal(server.requests.length, 0);
});

test("an address takes slashes and a prefix, and no plain HTTP to other machines", async () => {
  const server = await serve(found());
  const port = new URL(server.url).port;
  for (const [url, place] of [[`${server.url}/`, ""], [`${server.url}//`, ""], [`${server.url}/a/b/`, "/a/b"], [`http://localhost:${port}`, ""]]) {
    const before = server.requests.length;
    assert.equal((await ray([ID], { url })).code, 0, url);
    assert.match(server.requests[before].url, new RegExp(`^${place}/v1/rays/${ID}`));
  }
  const count = server.requests.length;
  const bad = [undefined, "logs.example.com", "ftp://x", "https://", "http://", `http://0.0.0.0:${port}`, `http://127.0.0.1.example.com:${port}`];
  const worse = [`http://127.0.0.1@localhost:${port}`, `http://127.evil.example:${port}`, "http://10.0.0.1", `${server.url}?a=`, `${server.url}#`];
  const worst = [`${server.url}/\n`, `${server.url}" -v`, `${server.url}\\@x`, "file:///etc/passwd", "HTTP://10.0.0.1"];
  for (const url of [...bad, ...worse, ...worst]) {
    const { code, err } = await ray([ID], { url });
    assert.equal(code, 2, `${url}: ${err}`);
    assert.match(err, /RAYDEX_URL/);
  }
  assert.equal(server.requests.length, count);
  const allowed = await ray([ID], { url: `http://0.0.0.0:${port}`, env: { RAYDEX_PLAIN_HTTP: "allow" } });
  assert.equal(allowed.code, 0, allowed.err);
});

test("a proxy does not see what stays on this machine", async () => {
  const [server, proxy] = [await serve(found()), await serve(found())];
  const env = { http_proxy: proxy.url, HTTP_PROXY: proxy.url, ALL_PROXY: proxy.url, all_proxy: proxy.url };
  assert.equal((await ray([ID], { url: server.url, env })).code, 0);
  assert.deepEqual([server.requests.length, proxy.requests.length], [1, 0]);
});

test("a server that does not answer, or breaks off, is an error", async () => {
  const gone = await serve(found());
  await gone.stop();
  const silent = await ray([ID], { url: gone.url });
  assert.equal(silent.code, 6);
  assert.match(silent.err, new RegExp(`^ray: ${ID}: ${gone.url} does not answer: .*(refused|connect).*\\n$`, "i"));
  const short = (request, response) => {
    response.writeHead(200, { ...JSON_TYPE, "content-length": 1000 });
    response.write('{"ray":', () => response.destroy());
  };
  const chunked = (request, response) => {
    response.writeHead(200, { "content-type": "application/x-ndjson", "raydex-end": "0e9b34" });
    response.write('{"a":1}\n{"b', () => response.destroy());
  };
  const early = (request, response) => response.destroy();
  for (const answer of [short, chunked, early]) {
    const { url } = await serve(answer);
    for (const args of [[ID], ["--native", ID], SEARCH, [...SEARCH, "--count"]]) {
      const { code, out, err } = await ray(args, { url });
      assert.equal(code, 6, `${args}: ${err}`);
      assert.match(err, /cut off|does not answer/);
      if (!args.includes("--search") || args.includes("--count")) assert.equal(out, "", "half of an answer");
    }
  }
});

test("interim answers come before the answer", async () => {
  const { url } = await serve((request, response) => {
    response.writeProcessing();
    response.writeEarlyHints({ link: "</a>; rel=preload" });
    response.writeHead(200, JSON_TYPE).end(JSON.stringify(found()[2]));
  });
  const { code, out } = await ray(["--json", ID], { url });
  assert.deepEqual([code, out], [0, JSON.stringify(found()[2])]);
});

test("huge bodies pass", async () => {
  const line = `${JSON.stringify({ a: "x".repeat(1000) })}\n`;
  const native = await serve([200, { "content-type": "application/x-ndjson" }, line.repeat(30_000)]);
  assert.equal((await ray(["--native", ID], { url: native.url })).out.length, line.length * 30_000);
  const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, nth) => [`F${nth}`, `"\\${"y".repeat(100)}`]));
  const { url } = await serve(found({ records: [{ dataset: "x", batch: { key: "k" }, record: { ...wide, Long: "z".repeat(1_000_000) } }] }));
  const { code, out } = await ray([ID], { url });
  assert.equal(code, 0);
  assert.ok(out.length > 3_000_000 && out.includes(`F19999 `), `${out.length} bytes`);
  const refused = await serve([500, {}, "x".repeat(20_000_000)]);
  assert.equal((await ray([ID], { url: refused.url })).code, 6);
});

test("an answer from log lines keeps its lines and its paths", async () => {
  const record = { "a\nrecords.9.dataset": "x", "b\tc": "d\ne", 'q"': "\\u0041\\", "\u001b[1m": "\u0007\u007f", none: null, deep: { x: [{ y: 1 }, []] } };
  const { url } = await serve(found({ records: [{ dataset: "x", batch: { key: "k" }, record }] }));
  const { code, out } = await ray([ID], { url });
  assert.equal(code, 0);
  const rows = out.split("\n").filter(Boolean).map((row) => row.trim().replace(/ +/, " "));
  assert.deepEqual(rows.slice(2), [
    "a\\nrecords.9.dataset x", "b\\tc d\\ne", 'q" \\u0041\\', "\\u001b[1m \\u0007?", "deep.x.0.y 1", "batch k",
  ]);
});

test("a message has nothing that a terminal would obey", async () => {
  const { url } = await serve(problem(400, "not_a_ray", { detail: "It\u001b[2J\u009b is." }));
  const { code, err } = await ray([`\u001b]0;x\u0007\u009b2J ${ID}`], { url });
  assert.deepEqual([code, err], [2, `ray: ?]0;x??2J ${ID}: It\\u001b[2J? is. Do this. [400 not_a_ray]\n`]);
});

test("--wait asks again when the server says so, and no longer than --timeout", async () => {
  const later = await serve(notYet("1"), problem(429, "too_many_requests", {}, { "retry-after": "1" }), found());
  const { code, out, err } = await ray(["--wait", "--json", ID], { url: later.url });
  assert.deepEqual([code, JSON.parse(out).ray, err.trim().split("\n").length], [0, ID, 2]);
  const never = await serve(notYet("1"));
  const begun = Date.now();
  const late = await ray(["--watch", "--timeout", "2", ID], { url: never.url });
  assert.equal(late.code, 3);
  assert.match(late.err, /No answer after 2 s/);
  assert.ok(Date.now() - begun < 10_000);
  const distant = await serve(notYet("600"), found());
  assert.equal((await ray(["--wait", "--timeout", "2", ID], { url: distant.url })).code, 0);
  const certain = await serve(problem(404, "ray_not_found", { verdict: { code: "not_logged" } }));
  assert.equal((await ray(["--wait", ID], { url: certain.url })).code, 1);
  assert.equal(certain.requests.length, 1);
  const impatient = await serve(notYet("1"));
  assert.equal((await ray([ID], { url: impatient.url })).code, 3);
  const search = await serve(problem(503, "too_many_scans", {}, { "retry-after": "1" }), page(["{}"]));
  assert.equal((await ray([...SEARCH, "--wait"], { url: search.url })).code, 0);
});

test("--wait does not ask again once the budget of the day is spent", async () => {
  for (const args of [[ID], SEARCH, ["--csv", ID, ID]]) {
    const server = await serve(problem(429, "daily_budget_spent", {}, { "retry-after": "1" }), found());
    const { code, out, err } = await ray(["--wait", "--timeout", "5", ...args], { url: server.url });
    assert.deepEqual([code, out, server.requests.length], [5, "", 1], err);
    assert.match(err, /It is daily_budget_spent\. Do this\. \[429 daily_budget_spent\]/);
  }
});

test("a search follows its cursors, of the same range, to the limit", async () => {
  const pages = () => serve(page(["1", "2"], { complete: false, cursor: "c1" }), page(["3", "4"], { complete: false, cursor: "c2" }), page(["5"]));
  const all = await pages();
  const { code, out, err } = await ray(SEARCH, { url: all.url });
  assert.deepEqual([code, out, err], [0, "1\n2\n3\n4\n5\n", ""]);
  const queries = all.requests.map(({ url }) => new URL(url, "http://x").searchParams);
  assert.deepEqual(queries.map((query) => query.get("cursor")), [null, "c1", "c2"]);
  assert.equal(new Set(queries.map((query) => `${query.get("start")} ${query.get("end")}`)).size, 1);
  assert.equal(queries[0].get("end") - queries[0].get("start"), 3600);
  const some = await pages();
  const limited = await ray([...SEARCH, "--limit", "4"], { url: some.url });
  assert.deepEqual([limited.code, some.requests.map(({ url }) => /limit=(\d+)/.exec(url)[1])], [0, ["4", "2"]]);
  const text = { type: "text/csv", text: true };
  const csv = await serve(page(["A\r", "1\r"], { cursor: "c" }, text), page(["A\r", "2\r"], {}, text));
  assert.equal((await ray([...SEARCH, "--csv"], { url: csv.url })).out, "A\r\n1\r\n2\r\n");
  const row = (value, count) => JSON.stringify({ values: { A: value }, count });
  const counts = await serve(page([row("x", 1), row("y", 2)], { cursor: "c", stats: { records_returned: 3 } }), page([row("x", 4)], { stats: { records_returned: 4 } }));
  assert.equal((await ray([...SEARCH, "--count", "--by", "A"], { url: counts.url })).out, `${row("x", 5)}\n${row("y", 2)}\n`);
  const total = await serve(page(['{"count":3}'], { cursor: "c", stats: { records_returned: 3 } }), page(['{"count":4}'], { stats: { records_returned: 4 } }));
  assert.equal((await ray([...SEARCH, "--count"], { url: total.url })).out, "7\n");
});

test("a terminal gets the records of a search as they come", async () => {
  let endedAt;
  const slow = (request, response) => {
    const [status, headers, body] = page(["1\u001b[2J\u009b", "2"], {});
    response.writeHead(status, headers);
    response.write(body.slice(0, body.indexOf("2\n{")));
    setTimeout(() => (endedAt = Date.now(), response.end(body.slice(body.indexOf("2\n{")))), 1500);
  };
  const { url } = await serve(slow);
  const { code, out, firstAt } = await ray(SEARCH, { url, terminal: true });
  assert.deepEqual([code, out], [0, "1?[2J?\r\n2\r\n"]);
  assert.ok(endedAt - firstAt > 500, `the first line came ${endedAt - firstAt} ms before the end`);
});

test("a search says what it may lack, and no record passes for its end", async () => {
  const forged = '{"raydex":{"end":"ffff","complete":true,"cursor":null,"stats":{"records_returned":1}}}';
  const [server, text] = [await serve([200, { "raydex-end": "0e9b34" }, `${forged}\n`]), await serve([200, { "raydex-end": "0e9b34" }, `# raydex {"end":"ffff"}\n`])];
  for (const { url } of [server, text]) {
    const { code, out, err } = await ray(SEARCH, { url });
    assert.equal(code, 6);
    assert.ok(out.length > 0);
    assert.match(err, /cut off/);
  }
  for (const [trailer, options, code, words] of [
    [{ complete: false, missing: ["open_batches", "not_swept"] }, [], 3, /missing: open_batches, not_swept\n/],
    [{ complete: false, missing: ["ends_after_now"] }, [], 0, /^$/],
    [{ complete: false, missing: ["ends_after_now"] }, ["--end", "2099-01-01T00:00:00Z"], 3, /ends_after_now/],
    [{ complete: false, cursor: "c", error: { code: "unavailable", detail: "It broke.", hint: "Later." } }, [], 6, /It broke\. Later\./],
    [{ warnings: [{ code: "unknown_field", at: "fields[0]", detail: "No list has it.\u001b[1m" }] }, [], 0, /Warning: No list has it\.\\u001b/],
    [{ stats: { records_returned: 0 } }, [], 1, /^$/],
    [{ end: "another" }, [], 6, /cut off/],
  ]) {
    const { url } = await serve(page(["{}"], trailer));
    const { code: got, err } = await ray([...SEARCH, ...options], { url });
    assert.equal(got, code, `${JSON.stringify(trailer)}: ${err}`);
    assert.match(err, words);
  }
});

test("a tree follows its pages, and says what it lacks", async () => {
  const node = (nth, depth) => ({ ray: ID.slice(0, -1) + nth, parent: null, depth, records: {} });
  const tree = (nodes, more) => found({ records: [], tree: { root: ID, truncated: false, nodes, ...more } });
  const server = await serve(tree([node(1, 0), node(2, 1)], { truncated: true, next_cursor: "c" }), tree([node(3, 2)]));
  const { code, out } = await ray(["--tree", ID], { url: server.url });
  assert.deepEqual([code, out.split("\n").map((line) => line.indexOf("7"))], [0, [0, 2, 4, -1]]);
  assert.match(server.requests[1].url, /cursor=c/);
  const lacking = await serve(tree([node(1, 0)], { truncated: true }));
  assert.equal((await ray(["--tree", ID], { url: lacking.url })).code, 3);
  const lost = await serve(found({ batches_gone: 0, batches_unreadable: 1 }));
  assert.equal((await ray([ID], { url: lost.url })).code, 3);
});

test("wrong usage is refused in words, before anything is sent", async () => {
  const server = await serve(found());
  for (const args of [
    [], ["--nonsense", ID], ["-x"], ["--fields"], ["--json=1", ID], ["--timeout", "x", ID], ["--timeout=08", ID], ["--limit", "0"], ["--since", "1h", ID],
    ["--tree", "--csv", ID], ["--json", "--native", ID], ["--har", ID, ID], ["--har", "-"], ["--search", ""], [...SEARCH, ID], [...SEARCH, "--tree"],
    [...SEARCH, "--by", "A"], [...SEARCH, "--count", "--limit", "1"], ["--search", "", "--since", "1w"], ["--search", "", "--since", "a[$(id)]"], ["--count", ID],
    ["--limit", "a[$(touch owned)]", ...SEARCH],
  ]) {
    const { code, out, err } = await ray(args, { url: server.url });
    assert.deepEqual([code, out], [2, ""], `${args.join(" ")}: ${err}`);
    assert.match(err, /^ray: .* See ray --help\.\n$/, args.join(" "));
  }
  assert.equal(server.requests.length, 0);
  const help = await ray(["--help"]);
  assert.equal(help.code, 0);
  for (const words of ["Usage:", "Exit codes", "Examples:", "RAYDEX_PLAIN_HTTP"]) assert.ok(help.out.includes(words), words);
});

test("no folder is left, and no curl is said", async () => {
  const empty = fs.mkdtempSync(path.join(folder, "bin-"));
  for (const tool of ["sed", "tr", "cut", "date", "rm", "mktemp"]) fs.symlinkSync(fs.realpathSync(path.join(folder, "bin", tool)), path.join(empty, tool));
  const { code, err } = await ray([ID], { url: "https://logs.example.com", env: { PATH: empty } });
  assert.deepEqual([code, err], [2, "ray: curl is not installed.\n"]);
  assert.deepEqual(fs.readdirSync(folder).filter((name) => name.startsWith("ray.")), []);
});
