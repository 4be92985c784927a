// Tokens and settings of scripts/run (local/settings.mjs): what is refused and in which words, and that what is taken
// reaches the Worker. For `node --test`; needs the built Worker (scripts/build).
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { ROOT } from "../../local/runtime.mjs";
import { settingsOf } from "../../local/settings.mjs";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-settings-"));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

/** A file with this text. */
function file(name, text) {
  const place = path.join(folder, name);
  fs.writeFileSync(place, text);
  return place;
}

/** An entry for the token `viewer-token`. */
function entry(more = {}) {
  const sha256 = createHash("sha256").update("viewer-token").digest("hex");
  return { id: "desk", sha256, scopes: ["read"], role: "viewer", ...more };
}

test("an unknown setting is refused by name, with those that there are", () => {
  for (const [set, words, toDo] of [
    ["LOG_LEVL=debug", /no setting "LOG_LEVL"/, /LOG_LEVEL/],
    ["log_level=debug", /no setting "log_level"/, /LOG_LEVEL/],
    ["=debug", /no setting ""/, /LOG_LEVEL/],
    ["LOG_LEVEL", /NAME=VALUE/, undefined],
    ["API_TOKEN_SHA256=x", /API_TOKEN_SHA256 has an option/, /--token/],
    ["PARTNER_URI=/x", /PARTNER_URI has an option/, /--partner-uri/],
  ]) {
    assert.throws(() => settingsOf({ set: [set] }), (error) => {
      assert.match(error.message, words);
      if (toDo) assert.match(error.toDo, toDo);
      return true;
    });
  }
  assert.throws(() => settingsOf({ set: ["LOG_LEVEL=debug", "LOG_LEVEL=error"] }), /given twice/);
  assert.throws(() => settingsOf({ tokens: file("one.json", "[]"), set: ["API_TOKENS=[]"] }), /API_TOKENS is given twice/);
});

test("a value may hold anything, and be empty", () => {
  const filter = '{"where":{"key":"a","operator":"eq","value":"b=c"}}';
  assert.deepEqual(settingsOf({ set: [`PARTNER_FILTER=${filter}`, "LOG_LEVEL="] }), { PARTNER_FILTER: filter, LOG_LEVEL: "" });
  assert.deepEqual(settingsOf({}), {});
});

test("a file that holds no tokens is refused, with the entry and the member", () => {
  for (const [text, words] of [
    ["{", /is not valid JSON/],
    ["{}", /must be a JSON array/],
    [JSON.stringify([entry({ role: "boss" })]), /entry 1 has an invalid or missing role/],
    [JSON.stringify([entry(), entry()]), /entry 2 has the same hash/],
    [JSON.stringify([entry({ token: "x" })]), /entry 1 has an unknown member/],
  ]) {
    assert.throws(() => settingsOf({ tokens: file("tokens.json", text) }), words);
  }
  assert.throws(() => settingsOf({ tokens: path.join(folder, "none.json") }), /cannot be read \(ENOENT\)/);
  assert.deepEqual(settingsOf({ tokens: file("tokens.json", JSON.stringify([entry()])) }), { API_TOKENS: JSON.stringify([entry()]) });
});

test("scripts/run refuses both before it builds anything", () => {
  for (const [options, words] of [
    [["--set", "LOG_LEVL=debug"], /^scripts\/run: --set: there is no setting "LOG_LEVL"\n  what to do: use one of .*LOG_LEVEL/],
    [["--set", "LOG_LEVEL"], /^scripts\/run: --set/],
    [["--tokens", file("tokens.json", "[1]")], /^scripts\/run: --tokens .* entry 1 must be an object/],
  ]) {
    const { status, stderr } = spawnSync(path.join(ROOT, "scripts/run"), options, { encoding: "utf8" });
    assert.equal(status, 2, stderr);
    assert.match(stderr, words);
  }
  const help = spawnSync(path.join(ROOT, "scripts/run"), ["--help"], { encoding: "utf8" }).stdout;
  assert.match(help, /--tokens FILE/);
  assert.match(help, /--set NAME=VALUE/);
});

/** A port that nothing uses. */
function freePort() {
  return new Promise((done) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** Runs local/run.mjs until it is ready, or has ended; gives its address, and what it wrote. */
async function start(options) {
  const state = fs.mkdtempSync(path.join(folder, "state-"));
  const common = ["--port", String(await freePort()), "--state", state, "--program", "none", "--token", "main", "--empty", "--partner-off"];
  const child = spawn(process.execPath, [path.join(ROOT, "local/run.mjs"), ...common, ...options]);
  const output = { out: "", err: "" };
  child.stdout.on("data", (piece) => (output.out += piece));
  child.stderr.on("data", (piece) => (output.err += piece));
  const ended = new Promise((done) => child.on("exit", (code) => done(code)));
  const stop = () => (child.kill("SIGTERM"), ended);
  for (;;) {
    const url = /^ready (\S+)$/m.exec(output.out)?.[1];
    if (url) return { url, stop, ...output };
    const code = await Promise.race([ended, new Promise((done) => setTimeout(done, 50))]);
    if (code !== undefined) return { code, ...output };
  }
}

test("a value that the Worker refuses is named, with what the setting takes", async () => {
  const { code, err } = await start(["--set", "LOG_LEVEL=loud", "--set", "API_RATE_PER_MINUTE=many"]);
  assert.equal(code, 1, err);
  assert.match(err, /LOG_LEVEL must be/);
  assert.match(err, /API_RATE_PER_MINUTE must be a whole number/);
  assert.match(err, /what to do: LOG_LEVEL: |LOG_LEVEL: /);
});

test("tokens and settings reach the Worker", async () => {
  const tokens = file("tokens.json", JSON.stringify([entry()]));
  const { url, stop, out, err } = await start(["--tokens", tokens, "--set", "API_RATE_PER_MINUTE=2"]);
  try {
    assert.ok(url, err);
    assert.match(out, /desk \(viewer: read\)/);
    const ask = (token) => fetch(`${url}/v1/stats`, { headers: { authorization: `Bearer ${token}` } });
    const statuses = [];
    for (const token of ["viewer-token", "viewer-token", "viewer-token", "other"]) statuses.push((await ask(token)).status);
    assert.deepEqual(statuses, [200, 200, 429, 401]);
  } finally {
    await stop();
  }
});
