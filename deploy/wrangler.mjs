// Runs wrangler, and tells what is not there from what could not be found out.

import { spawn } from "node:child_process";
import path from "node:path";

/** What wrangler answered, where a step cannot go on. */
export class WranglerFailed extends Error {
  constructor(args, output) {
    super(`wrangler ${args.join(" ")} failed:\n${output.trim()}`);
  }
}

/** The program that is run as wrangler: the pinned one, or the one that a test names. */
export function wranglerProgram(root) {
  const named = process.env.RAYDEX_WRANGLER;
  return named ? ["node", named] : [path.join(root, "node_modules/.bin/wrangler")];
}

/** Runs wrangler with these arguments; returns its exit code and what it printed. `program` is what to run. */
export function runWrangler(program, args, { cwd }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program[0], [...program.slice(1), ...args], {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "true" },
    });
    const pieces = [];
    child.stdout.on("data", (piece) => pieces.push(piece));
    child.stderr.on("data", (piece) => pieces.push(piece));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output: Buffer.concat(pieces).toString() }));
  });
}

/**
 * Whether something is there: `found(output)` decides where wrangler answered. If it failed, the words of `absent` mean that
 * it is not there, and any others that nobody knows.
 */
export async function isThere(run, { args, found = () => true, absent }) {
  const { code, output } = await run(args);
  if (code === 0) return found(output);
  if (absent.test(output)) return false;
  throw new WranglerFailed(args, output);
}
