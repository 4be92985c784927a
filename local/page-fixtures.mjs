// Writes tests/fixtures/page/*.json: answers of the Worker to callers of each role, for the goldens of the page.
//
// `node local/page-fixtures.mjs --program FILE` (make-batches) starts the Worker with sample data as scripts/run does, asks
// it, and stops it. scripts/page-fixtures calls this.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./runtime.mjs";

const { values: options } = parseArgs({ options: { program: { type: "string" }, port: { type: "string", default: "8749" } } });
const URL_OF = `http://127.0.0.1:${options.port}`;
const TO = path.join(ROOT, "tests/fixtures/page");
const ALL = "?subrequests=list&parts=records,tree,deliveries";

const state = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-page-"));
const tokens = path.join(state, "tokens.json");
const token = (role) => {
  const make = ["make", "--id", role, "--scopes", "read", "--role", role, "--file", tokens];
  return spawnSync(process.execPath, [path.join(ROOT, "local/token.mjs"), ...make], { encoding: "utf8" }).stdout.trim();
};
const roles = Object.fromEntries(["viewer", "support", "forensics"].map((role) => [role, token(role)]));
const run = ["--port", options.port, "--state", path.join(state, "run"), "--fresh", "--tokens", tokens, "--program", options.program];
const worker = spawn(process.execPath, [path.join(ROOT, "local/run.mjs"), ...run], { stdio: ["ignore", "pipe", "inherit"] });

try {
  const said = await readyText();
  const story = /rays\/([0-9a-f]{16})/.exec(said)[1];
  const root = JSON.parse(await get("forensics", `/v1/rays/${story}?parts=tree`)).tree;
  const leaf = root.nodes.filter((node) => node.records.workers_trace_events).at(-1).ray;
  await save("story", "forensics", `/v1/rays/${story}${ALL}`);
  await save("challenged", "forensics", `/v1/rays/${root.root}${ALL}`);
  await save("threw", "support", `/v1/rays/${leaf}${ALL}`);
  await save("masked", "viewer", `/v1/rays/${story}${ALL}`);
  await save("hit", "support", `/v1/rays/${await find("CacheCacheStatus", "hit")}${ALL}`);
  await save("blocked", "support", `/v1/rays/${await find("SecurityAction", "block")}${ALL}`);
  const failed = await find("EdgeResponseStatus", 522);
  await save("refused", "support", `/v1/rays/${failed}${ALL}`);
  const fields = "ClientRequestMethod,ClientRequestHost,ClientRequestPath,EdgeResponseStatus,ClientIP,CacheCacheStatus,EdgeStartTimestamp,EdgeEndTimestamp,EdgeTimeToFirstByteMs,OriginResponseDurationMs";
  await save("neighbours", "support", `/v1/rays/${failed}/neighbours?by=status&within=3600s&limit=50&fields=${fields}`);
  await save("comparison", "support", `/v1/rays/${failed}/diff/${await find("CacheCacheStatus", "hit")}`);
} finally {
  worker.kill("SIGINT");
  await new Promise((resolve) => worker.once("exit", resolve));
  fs.rmSync(state, { recursive: true, force: true });
}

/** Resolves with what the runner prints until it is ready. */
function readyText() {
  return new Promise((resolve, reject) => {
    let text = "";
    worker.stdout.setEncoding("utf8").on("data", (piece) => {
      text += piece;
      if (/^ready /m.test(text)) resolve(text);
    });
    worker.once("exit", () => reject(new Error(`the Worker did not start:\n${text}`)));
  });
}

async function get(role, where) {
  const answer = await fetch(URL_OF + where, { headers: { authorization: `Bearer ${roles[role]}` } });
  if (!answer.ok) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
  return await answer.text();
}

/** The ray of a request of the last half hour whose field has this value. */
async function find(key, value) {
  const [start, end] = [Date.now() - 1_800_000, Date.now() + 60_000].map((ms) => Math.floor(ms / 1_000));
  const filter = encodeURIComponent(JSON.stringify({ where: { key, operator: "eq", value } }));
  const text = await get("forensics", `/v1/logs?start=${start}&end=${end}&fields=RayID&limit=1&filter=${filter}`);
  return JSON.parse(text.split("\n", 1)[0]).RayID;
}

async function save(name, role, where) {
  const answer = JSON.parse(await get(role, where));
  delete answer.cost;
  delete answer.moment?.cost;
  fs.mkdirSync(TO, { recursive: true });
  fs.writeFileSync(path.join(TO, `${name}.json`), `${JSON.stringify(answer)}\n`);
}
