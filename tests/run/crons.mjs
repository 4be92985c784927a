// The crons as they are fired locally: run by `node --test`.
import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { cronsOf, isDue } from "../../local/crons.mjs";

test("a cron is due in the minutes that it names", () => {
  const due = (cron) => Array.from({ length: 60 }, (_, minute) => minute).filter((minute) => isDue(cron, minute));
  assert.equal(due("* * * * *").length, 60);
  assert.deepEqual(due("*/10 * * * *"), [0, 10, 20, 30, 40, 50]);
  assert.deepEqual(due("*/25 * * * *"), [0, 25, 50]);
});

test("a cron that is not read here is refused", () => {
  for (const cron of ["", "* * * *", "5 * * * *", "*/0 * * * *", "* 3 * * *"]) {
    assert.throws(() => isDue(cron, 0), /unsupported cron/, cron);
  }
});

test("every cron of wrangler.toml can be fired here", async () => {
  const crons = await cronsOf(fileURLToPath(new URL("../..", import.meta.url)));
  assert.ok(crons.length > 0);
  for (const cron of crons) assert.equal(isDue(cron, 0), true, cron);
});
