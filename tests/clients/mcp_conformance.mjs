// The conformance suites of the Model Context Protocol against `/mcp`: every scenario that needs nothing but tools, a handshake and
// HTTP passes. The others are in mcp_scenarios.json, each with the reason; the test fails where one of them is not as it says.
//
// For `node --test`, run by world.mjs. The suites send no token, so that a door of ours adds it; Host and Origin stay as they are.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const { RAYDEX_URL, RAYDEX_TOKEN } = process.env;
const HERE = path.dirname(fileURLToPath(import.meta.url));
const SUITES = JSON.parse(fs.readFileSync(path.join(HERE, "mcp_scenarios.json"), "utf8"));
/** The suites import a function of `fs` that Node 20 does not have, and do not need it for servers. */
const SHIM = 'export * from "node:fs"; export { default } from "node:fs"; export const globSync = () => [];';
const RESOLVE = `export async function resolve(name, context, next) {
  const shim = ${JSON.stringify(`data:text/javascript,${encodeURIComponent(SHIM)}`)};
  return name === "fs" ? { url: shim, shortCircuit: true } : next(name, context);
}`;
const REGISTER = `import { register } from "node:module"; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(RESOLVE)}`)});`;

let door;
before(async () => {
  const target = new URL(RAYDEX_URL);
  door = http.createServer((request, response) => {
    // The port of the door is the one that the client knows.
    const rename = (value) => value?.replaceAll(`:${door.address().port}`, `:${target.port}`);
    const { host, origin, ...others } = request.headers;
    const headers = { ...others, host: rename(host), authorization: `Bearer ${RAYDEX_TOKEN}`, ...(origin ? { origin: rename(origin) } : {}) };
    const asked = http.request({ host: target.hostname, port: target.port, method: request.method, path: request.url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    asked.on("error", () => response.destroy());
    request.pipe(asked);
  });
  await new Promise((listening) => door.listen(0, "127.0.0.1", listening));
});
after(() => door.close());

/** Runs the scenarios of a revision; returns the checks of each. */
async function run(suite, revision, scenario) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-mcp-"));
  const program = path.join(HERE, "node_modules", suite, "dist/index.js");
  const register = `data:text/javascript,${encodeURIComponent(REGISTER)}`;
  const url = `http://127.0.0.1:${door.address().port}/mcp`;
  const asked = ["server", "--url", url, "--scenario", scenario, "--spec-version", revision, "--output-dir", folder];
  const child = spawn(process.execPath, ["--import", register, pathToFileURL(program).pathname, ...asked], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  await new Promise((ended) => child.on("close", ended));
  const files = fs.readdirSync(folder, { recursive: true }).filter((name) => name.endsWith("checks.json"));
  const checks = files.flatMap((name) => JSON.parse(fs.readFileSync(path.join(folder, name), "utf8")));
  fs.rmSync(folder, { recursive: true, force: true });
  return { checks, said };
}

/** What of a scenario fails. */
function failures({ checks, said }) {
  if (checks.length === 0) return [`no checks: ${said.slice(-500)}`];
  return checks.filter(({ status }) => status === "FAILURE").map(({ id, errorMessage }) => `${id}: ${errorMessage}`);
}

for (const { suite, version, revision, passes, fails } of SUITES) {
  test(`conformance ${version}, revision ${revision}`, { concurrency: 4 }, async (t) => {
    const installed = JSON.parse(fs.readFileSync(path.join(HERE, "node_modules", suite, "package.json"), "utf8"));
    assert.equal(installed.version, version);
    const passing = passes.map((scenario) =>
      t.test(`${scenario} passes`, async () => assert.deepEqual(failures(await run(suite, revision, scenario)), [])),
    );
    const failing = Object.entries(fails).map(([scenario, { reason, only }]) =>
      t.test(`${scenario} fails: ${reason}`, async () => {
        const found = failures(await run(suite, revision, scenario));
        assert.ok(found.length > 0, "it passes: list it so");
        // Of a scenario that fails in part, nothing else may.
        if (only) assert.deepEqual([...new Set(found.map((failure) => failure.split(":")[0]))].sort(), [...only].sort());
      }),
    );
    await Promise.all([...passing, ...failing]);
  });
}
