// scripts/compare: every difference between raydex and a model of the usual JavaScript Worker is a known one, a fault of the model
// is not, and the known differences are those of schemas/migration.json and docs/migrate.md. For `node --test`; needs the built Worker
// and make-batches.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { compare } from "../../local/compare.mjs";
import { awkwardBatches } from "../../local/compare-awkward.mjs";
import { Evidence, filesIn, writeSample } from "../../local/compare-batches.mjs";
import { compareLines, pairLines } from "../../local/compare-lines.mjs";
import { COLUMNS, KNOWN, PREDICATE_NAMES, explainValue } from "../../local/compare-rules.mjs";
import { RECEIVER } from "../../local/compare-sides.mjs";
import { excerpts, reportOf, tableOf } from "../../local/compare-table.mjs";
import { ROOT } from "../../local/runtime.mjs";
import { processedBodies, startUsualWorker, usualLine, usualLines } from "./usual_worker.mjs";

/** A setting that leaves a record of the awkward ones out. */
const FILTER = 'PARTNER_FILTER={"where":{"key":"ClientRequestHost","operator":"!eq","value":"filtered.example.com"}}';
/** Files of tests/fixtures/cases that the usual Worker would be given as batches. */
const CASES = path.join(ROOT, "tests/fixtures/cases");

/** As it is before a runtime of this process sets what guards its workerd. */
const env = { ...process.env };
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-compare-"));
after(() => fs.rmSync(folder, { recursive: true, force: true }));
const day = path.join(folder, "day");
const few = path.join(folder, "few");

before(() => {
  writeSample(day, { program: path.join(ROOT, "target/release/make-batches"), records: 300 });
  for (const { key, file } of filesIn(CASES).filter(({ key }) => key.endsWith(".log.gz"))) {
    put(day, `logs/http_requests/20260328/20260328T084200Z_20260328T084230Z_${key.replaceAll(/[^a-z0-9]/g, "-")}.log.gz`, fs.readFileSync(file));
  }
  const [{ key, bytes }] = awkwardBatches().filter(({ key }) => key.includes("unterminated"));
  put(few, key, bytes);
});

function put(into, key, bytes) {
  const file = path.join(into, key);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, bytes);
}

/** What the model makes of a folder, in a folder: every other body as gzip. */
function outputOf(batches, options) {
  const output = fs.mkdtempSync(path.join(folder, "sent-"));
  for (const { key, file } of filesIn(batches)) {
    for (const [at, body] of bodiesOf(key, fs.readFileSync(file), options).entries()) {
      put(output, body.key, at % 2 ? gzipSync(body.text) : body.text);
      put(output, `${body.key}.done`, "1");
    }
  }
  return output;
}

function bodiesOf(key, bytes, options) {
  try {
    return processedBodies(key, bytes, { batchLines: 100, ...options });
  } catch {
    return [];
  }
}

/** Runs local/compare.mjs as scripts/compare does; the answer is {code, out, err}. */
function run(...args) {
  const child = spawn(process.execPath, [path.join(ROOT, "local/compare.mjs"), ...args], { cwd: ROOT, env });
  const said = { out: "", err: "" };
  child.stdout.on("data", (piece) => (said.out += piece));
  child.stderr.on("data", (piece) => (said.err += piece));
  return new Promise((done) => child.on("close", (code) => done({ code, ...said })));
}

const unexplained = ({ differences }) => differences.filter((row) => row.explained_by === null);

test("each difference of generated and awkward records is a known one, and each known one is met", async () => {
  const settings = Object.fromEntries([FILTER.split(/=(.*)/s).slice(0, 2)]);
  const met = new Set();
  for (const options of [{ serverIp: "198.51.100.99" }, { earlier: true }]) {
    const report = await compare({ batches: day, output: outputOf(day, options), settings });
    assert.deepEqual(unexplained(report), [], JSON.stringify(options));
    assert.equal(report.unexplained, 0);
    assert.ok(report.lines.paired > 1_200, JSON.stringify(report.lines));
    for (const row of report.differences) met.add(row.explained_by);
  }
  assert.deepEqual(KNOWN.map(({ id }) => id).filter((id) => !met.has(id)), [], "known differences that no record meets");
});

test("a Worker behind a URL is given every batch, and a run without differences ends with 0", async () => {
  const port = 20_000 + (process.pid % 20_000);
  const worker = await startUsualWorker({ endpoint: `http://127.0.0.1:${port}`, ...RECEIVER }, { tenant: "-" });
  try {
    const args = ["--batches", few, "--other", worker.url, "--listen", String(port), "--quiet", "0.5", "--set", "PARTNER_FORMAT_VERSION=cf_vod_v3.0"];
    const { code, out, err } = await run(...args, "--json");
    assert.equal(code, 0, `${out}${err}`);
    const report = JSON.parse(out);
    assert.deepEqual(report.lines, { input: 5, ours: 5, theirs: 5, paired: 5, equal: 0 });
    assert.deepEqual(report.differences.map((row) => [row.column, row.explained_by, row.count]), [[6, "request_time", 5]]);
  } finally {
    await worker.stop();
  }
});

const FAULTS = {
  "a column that is shifted": (lines) => lines.map((line) => ["-", ...line.split("\u0001").slice(0, -1)].join("\u0001")),
  "another default": (lines) => lines.map((line) => line.split("\u0001").map((cell, at) => (at === 9 ? "0" : cell)).join("\u0001")),
  "a line that comes twice": (lines) => [...lines, lines[2]],
};

for (const [words, change] of Object.entries(FAULTS)) {
  test(`${words} is unexplained`, async () => {
    const { code, out, err } = await run("--batches", few, "--other-output", outputOf(few, { change }));
    assert.equal(code, 1, `${out}${err}`);
    assert.match(out, / UNEXPLAINED /);
    assert.match(out, /differences are unexplained\.\n$/);
  });
}

test("another country for unknown data centres is unexplained", () => {
  const record = { RayID: "9e35512345678abc", EdgeColoCode: "XXX", ClientCountry: "de" };
  const explain = (theirs) => explainValue({ number: 45, ours: "CN", theirs, line: [] }, [{ record, isJson: true }]);
  assert.deepEqual(["SG", "DE", "US", "-"].map(explain), ["airport_unknown", "airport_unknown", undefined, undefined]);
});

/** Two sides in memory, with what raydex says of what it leaves out. */
async function sides(ours, theirs, input = "", reasons = []) {
  const batch = path.join(fs.mkdtempSync(path.join(folder, "input-")), "a.log");
  fs.writeFileSync(batch, input);
  const accounts = { verdicts: new Map(), rejected: new Map(), reasons: async (rays) => new Map(rays.map((ray) => [ray, reasons])) };
  const { lines, differences } = await compareLines(ours, theirs, new Evidence(filesIn(path.dirname(batch))), accounts);
  return { lines, rows: differences.map((row) => [row.lines ?? row.column, row.count, row.explained_by]), differences };
}

const record = (ray, more) => ({ RayID: ray, EdgeStartTimestamp: 1774687345, ClientRequestURI: `/${ray}`, ...more });
const line = (ray, more) => usualLine(record(ray, more));

test("lines doubled, missing, malformed and in another order are told apart", async () => {
  const [a, b, c, d] = ["aa", "bb", "cc", "dd"].map((ray) => line(ray));
  assert.deepEqual((await sides([a, b, c, d], [a, b, c, d])).rows, []);
  assert.deepEqual((await sides([a, b, c, d], [b, a, c, d])).rows, [["order", 1, "order"]]);
  assert.deepEqual((await sides([a, b, b], [a, b])).rows, [["doubled_here", 1, null]]);
  assert.deepEqual((await sides([a, b], [a, b, b])).rows, [["doubled_there", 1, null]]);
  assert.deepEqual((await sides([a], [a, b])).rows, [["missing_here", 1, null]]);
  assert.deepEqual((await sides([a, b], [a])).rows, [["missing_there", 1, null]]);
  assert.deepEqual((await sides([a], [a, `${b}\u0001-`])).rows, [["malformed_there", 1, null]]);
});

test("a reason explains one line, and no second one", async () => {
  const [a, b] = ["aa", "bb"].map((ray) => line(ray));
  assert.deepEqual((await sides([a, b], [a, b, b], "", ["assigned", "duplicate"])).rows, [["doubled_there", 1, "duplicate"]]);
  const rows = (await sides([a, b], [a, b, b, b], "", ["assigned", "duplicate"])).rows;
  assert.deepEqual(rows.sort(([, , one]) => (one ? -1 : 1)), [["doubled_there", 1, "duplicate"], ["doubled_there", 1, null]]);
  assert.deepEqual((await sides([a, b], [a], `${JSON.stringify(record("bb", { CacheCacheStatus: 5 }))}\n`)).rows, [["missing_there", 1, "conversion_error"]]);
});

test("lines of one ray pair with those that differ least, and without a common ray by the request", () => {
  const parsed = (lines) => lines.map((text, at) => ({ at, text, cells: text.split("\u0001") }));
  const one = ["GET", "PUT"].map((ClientRequestMethod) => line("aa", { ClientRequestMethod, ClientIP: ClientRequestMethod }));
  const other = ["PUT", "GET"].map((ClientRequestMethod) => line("aa", { ClientRequestMethod, ClientIP: ClientRequestMethod, EdgeResponseStatus: 200 }));
  const pairs = pairLines(parsed(one), parsed(other)).pairs.map(({ ours, theirs }) => [ours.at, theirs.at]);
  assert.deepEqual(pairs.sort(), [[0, 1], [1, 0]]);
  const [exact, rounded] = ["7646606485052451123", "7646606485052451000"].map((ray) => line(ray, { ClientRequestURI: "/same" }));
  assert.equal(pairLines(parsed([exact]), parsed([rounded])).pairs.length, 1);
});

test("the table shows no control character and no value of a parameter", async () => {
  const secret = "s3cr3t";
  const ours = line("aa", { ClientRequestURI: `/x?token=${secret}1`, ClientRequestUserAgent: "a\u0085b" });
  const theirs = line("aa", { ClientRequestURI: `/x?token=${secret}2`, ClientRequestUserAgent: "a b\u009b31m" });
  const { lines, differences } = await sides([ours], [theirs]);
  const table = tableOf(reportOf({ batches: 1, input: 1, lines, differences }));
  assert.match(table, /UNEXPLAINED/);
  assert.doesNotMatch(table, new RegExp(`${secret}|[^\\n\\P{Cc}]`, "u"));
  assert.deepEqual(excerpts("a".repeat(90), `${"a".repeat(89)}b`), ["…aaaaaaaaa", "…aaaaaaaab"]);
});

test("wrong use ends with 2, in words", async () => {
  const wrong = [[], ["--batches", few], ["--batches", path.join(folder, "none"), "--other-output", few], ["--sample", few, "--other", "ftp://x"]];
  wrong.push(["--sample", few, "--set", "NO_SETTING=1"], ["--sample", few, "--set", "PARTNER_PRIVATE_KEY=1"], ["--sample", few, "--quiet", "x"], ["--bogus"]);
  for (const args of wrong) {
    const { code, out, err } = await run(...args);
    assert.deepEqual([code, out], [2, ""], args.join(" "));
    assert.match(err, /^scripts\/compare: /);
  }
});

test("the data, the predicates and docs/migrate.md name the same differences", () => {
  const ids = KNOWN.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(COLUMNS.length, 145);
  assert.deepEqual(KNOWN.filter(({ of }) => of === "column").map(({ id }) => id).sort(), [...PREDICATE_NAMES].sort());
  const sections = fs.readFileSync(path.join(ROOT, "docs/migrate.md"), "utf8").split(/^#+ /m);
  for (const { id, of, columns, anchor, sentence } of KNOWN) {
    assert.ok(of === "lines" ? columns.length === 0 : columns.every((number) => number >= 1 && number <= 145), id);
    const section = sections.find((text) => text.split("\n", 1)[0].toLowerCase().replaceAll(" ", "-") === anchor);
    assert.ok(section, `${id}: docs/migrate.md has no heading for ${anchor}`);
    assert.ok(section.split("\n").some((row) => row.startsWith(`| \`${id}\` |`) && row.endsWith(`| ${sentence} |`)), `${id}: no row with its sentence`);
  }
});

test("the model reads and writes as the usual Worker does", () => {
  const cells = (more) => line("9e35512345678abc", more).split("\u0001");
  const column = (number, more) => cells(more)[number - 1];
  assert.equal(cells().length, 145);
  assert.equal(column(2), "[28/Mar/2026:16:42:25 +0800]");
  assert.deepEqual([5, 55, 1].map((number) => column(number)), ["1774687345.000", "28/Mar/2026:16:42:25 +0800", "cf_vod_v3.0"]);
  assert.deepEqual([149, 149.9999, 0.999, -1, "149", "", "x", null].map((EdgeTimeToFirstByteMs) => column(9, { EdgeTimeToFirstByteMs })), [
    "0.149", "0.150", "0.001", "-0.001", "0.149", "0.000", "NaN", "-",
  ]);
  assert.equal(column(2, { EdgeStartTimestamp: 1774687345000000000 }), "[NaN/undefined/NaN:NaN:NaN:NaN +0800]");
  assert.throws(() => line("aa", { ClientRequestScheme: 443 }), TypeError);
  assert.equal(usualLines(gzipSync('{"RayID":"a"}\r\n\nx\n{"RayID":"b"}')).length, 2);
});
