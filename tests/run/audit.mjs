// Entries of the audit log that wait at the same moment share a call and a row, and survive kills of the runtime.
import assert from "node:assert/strict";
import { test } from "node:test";
import { killLookups, measureCalls } from "../../local/audit-load.mjs";

test("look-ups that wait together cost less", { timeout: 120_000 }, async () => {
  const alone = await measureCalls({ callers: 1, lookups: 100 });
  assert.deepEqual([alone.calls, alone.rows], [1, 1], "one that comes alone has a call and a row");
  const together = await measureCalls({ callers: 100, lookups: 1_000 });
  assert.ok(together.rows < 0.14 && together.calls < 0.14, JSON.stringify(together));
  assert.ok(alone.dollars <= 2.4 && together.dollars <= 1.35, JSON.stringify({ alone, together }));
});

test("chains share the calls", { timeout: 120_000 }, async () => {
  const { ofChains, calls } = await measureCalls({ callers: 100, lookups: 1_000, chains: 4 });
  assert.equal(ofChains.length, 4);
  assert.ok(ofChains.every((count) => count > 0 && count < 1_000 / 4) && calls < 0.5, JSON.stringify({ ofChains, calls }));
});

test("every answer has its entry while chains come and go", { timeout: 120_000 }, async () => {
  const figures = await killLookups({ kills: 3, chains: 4 });
  assert.ok(figures.answered > 100 && figures.chains === 4, JSON.stringify(figures));
  assert.deepEqual([figures.missing, figures.twice], [0, 0], JSON.stringify(figures));
});

test("every answer has its entry after three kills", { timeout: 120_000 }, async () => {
  const figures = await killLookups({ kills: 3 });
  assert.ok(figures.answered > 100, JSON.stringify(figures));
  assert.deepEqual([figures.missing, figures.twice], [0, 0], JSON.stringify(figures));
});
