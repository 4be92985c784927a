// The durations that a script of the page says (web/figures.js): the cases of src/page/figures.rs. Run by `node --test`, from
// scripts/test.
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { duration } from "../../web/figures.js";

const CASES = JSON.parse(fs.readFileSync(new URL("../fixtures/page/durations.json", import.meta.url), "utf8"));

test("durations have the words of the Worker", () => {
  assert.ok(CASES.length > 25);
  for (const [ns, text] of CASES) assert.equal(duration(ns), text, `${ns}`);
});
