// The table of docs/cost.md is what scripts/cost prints, and its parts are those that the tests count.
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { DOCUMENTED, SCALES, costTable, lookupDollars, monthlyCosts, observabilityDollars, scaleTable } from "../../local/cost.mjs";

test("the document has the table of its plan", () => {
  const text = fs.readFileSync(new URL("../../docs/cost.md", import.meta.url), "utf8");
  assert.ok(text.includes(costTable(DOCUMENTED)), costTable(DOCUMENTED));
});

test("a look-up costs what its parts do", () => {
  assert.equal(lookupDollars({ calls: 1, rows: 1 }).toFixed(2), "2.33");
  assert.equal(lookupDollars({ calls: 0, rows: 0 }).toFixed(2), "1.18");
});

test("costs grow with what is asked for", () => {
  const sum = (plan) => monthlyCosts({ ...DOCUMENTED, ...plan }).reduce((sum, { dollars }) => sum + dollars, 0);
  const usual = sum({});
  for (const [plan, factor] of [[{ rate: 1_200 }, 1.9], [{ days: 60 }, 1.02], [{ lookups: 1e6 }, 1.5], [{ searches: 1_000 }, 1.1]]) {
    assert.ok(sum(plan) > factor * usual, JSON.stringify(plan));
  }
  assert.ok(sum({ lookups: 1e6, waiting: 100 }) < sum({ lookups: 1e6 }));
  assert.ok(usual * 20 < observabilityDollars(DOCUMENTED));
});

test("docs/scale.md has the bills of its rates", () => {
  const text = fs.readFileSync(new URL("../../docs/scale.md", import.meta.url), "utf8");
  assert.ok(text.includes(scaleTable(DOCUMENTED, SCALES)), scaleTable(DOCUMENTED, SCALES));
});
