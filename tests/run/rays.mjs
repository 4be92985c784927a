// The rays that a script of the page finds in a paste (web/rays.js): the cases of src/page/find_rays.rs, and the times of rays.
// Run by `node --test`, from scripts/test.
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { MOST, findRays, rayTime } from "../../web/rays.js";

const CASES = JSON.parse(fs.readFileSync(new URL("../fixtures/page/rays.json", import.meta.url), "utf8"));

test("a paste is read as the Worker reads it", () => {
  assert.ok(CASES.length > 20);
  for (const { text, rays } of CASES) assert.deepEqual(findRays(text).rays, rays, JSON.stringify(text));
});

test("more rays than a page shows are said", () => {
  const text = (count) => Array.from({ length: count }, (_, n) => `764660d8ec5c${n.toString(16).padStart(4, "0")}`).join("\n");
  assert.deepEqual([findRays(text(MOST)).rays.length, findRays(text(MOST)).hasMore], [MOST, false]);
  assert.deepEqual([findRays(text(MOST + 1)).rays.length, findRays(text(MOST + 1)).hasMore], [MOST, true]);
});

test("a ray has its time, and an id of another form has none", () => {
  assert.equal(new Date(rayTime("9e3550d8ec5c2ab1")).toISOString(), "2026-03-28T08:37:57.260Z");
  assert.equal(rayTime("test-ray-001"), undefined);
});
