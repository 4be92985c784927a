// The module's names, apart from it: each function of the built Worker has one, and a stack gets them back. Needs
// scripts/build; run by `node --test`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { functionNames, nameFrames } from "../../deploy/name_frames.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const file = (name) => fs.readFileSync(path.join(ROOT, "build", name));
/**
 * The most that the module may take in an upload, in bytes: a tenth more than it did when this was measured (3.69 MB). What adds
 * so much should say so, and set this anew.
 */
const MOST_GZIPPED = 4_060_000;

test("the module has no names and is no larger than it should be", () => {
  const module = file("index_bg.wasm");
  assert.equal(functionNames(module).size, 0);
  const gzipped = gzipSync(module, { level: 9 }).length;
  assert.ok(gzipped < MOST_GZIPPED, `${gzipped} bytes gzipped`);
});

test("the names are those of its functions", () => {
  const names = functionNames(file("names.wasm"));
  assert.ok(names.size > 5_000, `${names.size} functions`);
  const said = [...names.values()];
  for (const words of ["raydex", "find_in_batch", "alloc"]) assert.ok(said.some((name) => name.includes(words)), words);
});

test("a stack gets its names", () => {
  const names = new Map([[7, "raydex[0123456789abcdef]::lookup::find"], [80, "memcpy"], [9, "core::panicking::panic::h0123456789abcdef"]]);
  const line = '    at wasm-function[7]:0x1 (index_bg.wasm) wasm-function[80] wasm-function[9] wasm-function[81]';
  assert.equal(nameFrames(line, names), "    at wasm-function[7] raydex::lookup::find:0x1 (index_bg.wasm) wasm-function[80] memcpy wasm-function[9] core::panicking::panic wasm-function[81]");
});

test("the command reads a log and says what it lacks", () => {
  const run = (...args) => spawnSync(path.join(ROOT, "scripts/name-frames"), args, { input: "a\nwasm-function[0]\n", encoding: "utf8" });
  const { status, stdout } = run();
  assert.equal(status, 0);
  assert.match(stdout, /^a\nwasm-function\[0\]( .+)?\n$/);
  assert.match(run("/nowhere").stderr, /there is no \/nowhere: run scripts\/build/);
  assert.match(run(path.join(ROOT, "README.md")).stderr, /is no wasm module/);
});
