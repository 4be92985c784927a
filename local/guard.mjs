// Stops workerd when this process ends, however it ends.
//
// miniflare stops workerd when Node exits or gets SIGINT or SIGTERM. If Node is killed, workerd survives and keeps the
// port and the databases open. So a small shell waits in its own session on a pipe whose other end only this process
// has: end of file means that this process is gone. ./workerd, the wrapper that starts workerd, writes the process ID
// into the guard's folder first.
//
// After this process ends, the guard kills every workerd that it started, removes their temporary files and exits.
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

/** Turns termination signals into a normal exit, which cleans up, with the exit status that shells use. */
export function exitAtSignals() {
  for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]]) {
    process.on(signal, () => process.exit(128 + number));
  }
}

/** Ensures that every workerd started from now on stops with this process. */
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
  // What a guarded process starts inherits the path of a wrapper: it would start itself for ever.
  process.env.RAYDEX_WORKERD ??= process.env.MINIFLARE_WORKERD_PATH ?? miniflare("workerd").default;
  process.env.RAYDEX_WORKERDS = pids;
  process.env.MINIFLARE_WORKERD_PATH = fileURLToPath(new URL("./workerd", import.meta.url));
  // Includes miniflare's temporary files, which a killed process cannot remove.
  process.env.TMPDIR = folder;
}

/** Kills every workerd of this process, like a crash: nothing is closed or flushed. */
export async function killWorkerd() {
  const pids = fs.readdirSync(path.join(folder, "pids")).map(Number).filter(isRunning);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  // A killed process counts as running until Node has reaped it.
  while (pids.some(isRunning)) await new Promise((done) => setTimeout(done, 5));
}

/** Forgets the processes that have ended, whose IDs can be reused. */
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
