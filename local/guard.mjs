// Ends workerd when this process ends, however it ends.
//
// miniflare ends workerd when Node exits or gets SIGINT or SIGTERM. A Node that is killed leaves workerd behind,
// with the port and the databases open. So a small shell waits in a session of its own, on a pipe whose other end
// only this process holds: its end of file is this process's end. workerd is started through ./workerd, which
// writes its process id into the guard's folder before there is anything to leave behind.
//
// What always holds: once this process is gone, so is every workerd it started, and the folder of their temporary
// files; a guard ends with the process that it guards.
import { spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const GUARD = `
cat >/dev/null
for file in "$1"/pids/*; do
  [ ! -e "$file" ] || kill -KILL "\${file##*/}" 2>/dev/null
done
rm -rf "$1"
`;

let folder;

/** Has the signals that end a program end it by its exit, at which it cleans up, with the status that shells give them. */
export function exitAtSignals() {
  for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]]) {
    process.on(signal, () => process.exit(128 + number));
  }
}

/** Makes every workerd that this process starts from now on end with it. */
export function guardWorkerd() {
  if (folder) return;
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-"));
  const pids = path.join(folder, "pids");
  fs.mkdirSync(pids);
  const guard = spawn("sh", ["-c", GUARD, "guard", folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.unref();
  guard.stdin.unref();
  const miniflare = createRequire(import.meta.resolve("miniflare"));
  process.env.RAYDEX_WORKERD = process.env.MINIFLARE_WORKERD_PATH ?? miniflare("workerd").default;
  process.env.RAYDEX_WORKERDS = pids;
  process.env.MINIFLARE_WORKERD_PATH = fileURLToPath(new URL("./workerd", import.meta.url));
  // miniflare's own temporary files: a killed process cannot remove them either.
  process.env.TMPDIR = folder;
}

/** Ends every workerd of this process at once, as a crash would: nothing is closed, nothing is written out. */
export async function killWorkerd() {
  const pids = fs.readdirSync(path.join(folder, "pids")).map(Number).filter(isRunning);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  // The killed are seen as running until they are waited for, which Node does on its own.
  while (pids.some(isRunning)) await new Promise((done) => setTimeout(done, 5));
}

/** Forgets those that have ended: their numbers may be given to others. */
export function forgetEnded() {
  const pids = path.join(folder, "pids");
  for (const pid of fs.readdirSync(pids)) {
    if (!isRunning(Number(pid))) fs.rmSync(path.join(pids, pid), { force: true });
  }
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
