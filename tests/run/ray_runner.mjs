// Runs scripts/ray for its tests: with nothing in the environment but what a test gives, and only the tools on the path that the
// script says it needs.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { ROOT } from "../../local/runtime.mjs";

const TOOLS = ["awk", "cat", "curl", "cut", "date", "head", "mktemp", "od", "rm", "sed", "sleep", "tr"];
/** A script that ends later than this hangs. */
const PATIENCE_MS = 60_000;

export const TOKEN = "a-token-for-clients";
export const RAY = path.join(ROOT, "scripts/ray");
export const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-ray-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));

/** Where a program is, or undefined. */
export function find(program) {
  const { status, stdout } = spawnSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** The shells that the script must work in, as far as they are here. */
export const SHELLS = [["sh"], ["dash"], ["bash", "--posix"], ["busybox", "sh"], ["ksh"], ["zsh", "--emulate", "sh"]]
  .map(([program, ...options]) => [find(program), ...options])
  .filter(([program]) => program);

const bin = path.join(folder, "bin");
fs.mkdirSync(bin);
for (const tool of TOOLS) fs.symlinkSync(find(process.env[`RAYDEX_TEST_${tool.toUpperCase()}`] ?? tool), path.join(bin, tool));

/**
 * Runs it to its end. `url`: RAYDEX_URL. `env`: further variables. `input`: its standard input. `shell`: with its options.
 * `terminal`: its standard output is a terminal, and `out` has both outputs. `copy`: another place of the script. Returns its exit
 * code, what it wrote, and when the first output came (`firstAt`).
 */
export function ray(args, { url, env = {}, input = "", shell = ["/bin/sh"], terminal = false, script = RAY } = {}) {
  const all = { PATH: bin, HOME: folder, TMPDIR: folder, LANG: "C.UTF-8", RAYDEX_TOKEN: TOKEN, ...(url && { RAYDEX_URL: url }), ...env };
  for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
  const command = [...shell, script, ...args];
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const [program, ...rest] = terminal ? [find("script"), "-qec", quoted, "/dev/null"] : command;
  const child = spawn(program, rest, { env: terminal ? { SHELL: "/bin/sh", ...all } : all, timeout: PATIENCE_MS });
  const output = { out: [], err: [] };
  let firstAt;
  child.stdout.on("data", (piece) => {
    firstAt ??= Date.now();
    output.out.push(piece);
  });
  child.stderr.on("data", (piece) => output.err.push(piece));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return new Promise((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => done({ code, out: Buffer.concat(output.out).toString(), err: Buffer.concat(output.err).toString(), firstAt }));
  });
}

/** A server that answers as `answer(request, response)` does, and keeps the requests. */
export async function double(answer) {
  const requests = [];
  const server = http.createServer((request, response) => {
    requests.push({ url: request.url, headers: request.headers, method: request.method });
    answer(request, response);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const stop = () => (server.closeAllConnections(), new Promise((done) => server.close(done)));
  return { url: `http://127.0.0.1:${server.address().port}`, requests, stop };
}
