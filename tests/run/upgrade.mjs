// Lives of a deployment that takes over its own state, and of one whose Worker is bound to the objects of another one: the slice of
// scripts/upgrade that needs no second build. Needs scripts/build; run by `node --test`.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import path from "node:path";
import { before, test } from "node:test";
import { exitAtSignals } from "../../local/guard.mjs";
import { ROOT } from "../../local/runtime.mjs";
import { LIVES, liveThrough } from "../../local/upgrade.mjs";

const BUILD = path.join(ROOT, "build");

before(() => exitAtSignals());

for (const [name, lives] of Object.entries(LIVES)) {
  test(`${name}: every answer stays, each line is delivered once`, { timeout: 120_000 }, async () => {
    const figures = await liveThrough(lives([BUILD, BUILD]).slice(0, 3));
    const { batches, lines, delivered, duplicates, answers, unknownCalls } = figures;
    assert.deepEqual([batches, delivered, duplicates, unknownCalls], [6, lines - lines / batches, 0, 0], JSON.stringify(figures));
    assert.equal(answers, batches * 11);
  });
}

test("the patch of the next version applies", () => {
  execFileSync("git", ["apply", "--check", path.join(ROOT, "tests/upgrade/next.patch")], { cwd: ROOT });
});
