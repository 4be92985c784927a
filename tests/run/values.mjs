// Values of records as a script of the page shows them (web/values.js): the cases of src/page/search/rows.rs. Run by
// `node --test`, from scripts/test.
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { shown, textOf } from "../../web/values.js";

const CASES = JSON.parse(fs.readFileSync(new URL("../fixtures/page/texts.json", import.meta.url), "utf8"));

test("a text is shown as the Worker shows it", () => {
  assert.ok(CASES.length > 15);
  for (const [text, seen] of CASES) assert.equal(shown(text), seen, JSON.stringify(text));
});

test("a megabyte takes no longer than what is shown of it", () => {
  const start = performance.now();
  const long = "👋".repeat(500_000);
  for (let turn = 0; turn < 100; turn += 1) assert.equal(shown(long).length, 2 * 200 + 1);
  assert.ok(performance.now() - start < 1_000);
});

test("what is no text becomes one", () => {
  for (const [value, text] of [[null, ""], [undefined, ""], [502, "502"], [false, "false"], [[1, "a"], '[1,"a"]'], [{ a: 1 }, '{"a":1}']]) {
    assert.equal(textOf(value), text);
  }
});
