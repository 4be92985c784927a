// The page of operations: accounts in sight, decisions with a confirmation, plots with the same figures as text.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isTooWide, open, world } from "./harness.mjs";

test("unaccounted lines are in sight, with coverage, batches and the chain of the audit log", () =>
  open({ as: "main" }, async (page) => {
    await page.goto(`${world.url}/ops`);
    const tile = page.locator(".tile", { hasText: "unaccounted" });
    assert.match(await tile.innerText(), /unaccounted\s*0\s*every line has an outcome/);
    await page.getByText("The breaker is closed").waitFor();
    await page.getByText("The chain of these entries is valid").waitFor();
    assert.ok((await page.locator("#batches tbody tr").count()) >= 10);
    assert.ok((await page.locator("#coverage rect.complete").count()) >= 1);
    await page.locator("#coverage summary").click();
    assert.ok(await page.locator("#coverage td").first().isVisible(), "the same as a table");
    assert.ok((await page.locator("#batches rect.part").count()) >= 3);
  }));

test("operations fit on a phone, and need no scripts", async () => {
  await open({ as: "main", width: 320 }, async (page) => {
    await page.goto(`${world.url}/ops`);
    assert.equal(await isTooWide(page), false);
  });
  await open({ as: "main", js: false }, async (page) => {
    await page.goto(`${world.url}/ops`);
    assert.ok(await page.getByRole("heading", { name: "Audit log" }).isVisible());
  });
});

test("a backfill is stopped and resumed by forms, which work without scripts too", async () => {
  const range = { start: new Date(Date.now() - 3_600_000).toISOString(), end: new Date(Date.now() - 60_000).toISOString() };
  const reply = await fetch(`${world.url}/v1/backfills`, {
    method: "POST",
    headers: { authorization: `Bearer ${world.token}`, "content-type": "application/json" },
    // At this rate it runs for longer than the test.
    body: JSON.stringify({ ...range, index: true, deliver: false, lines_per_second: 1 }),
  });
  assert.equal(reply.status, 201, await reply.clone().text());
  const { id } = await reply.json();
  for (const js of [true, false]) {
    await open({ as: "operator", js }, async (page) => {
      await page.goto(`${world.url}/ops`);
      const row = page.locator("#backfills tbody tr", { has: page.getByRole("rowheader", { name: String(id), exact: true }) });
      await row.getByRole("button", { name: "Stop" }).click();
      await row.getByText("stopped", { exact: true }).waitFor();
      assert.equal(page.url(), `${world.url}/ops#backfills`);
      await row.getByRole("button", { name: "Resume" }).click();
      await row.getByText("running", { exact: true }).waitFor();
    });
  }
});

test("who may only read sees no decisions, and is shown why parts are missing", () =>
  open({ as: "support" }, async (page) => {
    await page.goto(`${world.url}/ops`);
    assert.equal(await page.locator("form.act, details.act").count(), 0);
    assert.match(await page.locator("#dead-letters .note").innerText(), /token|caller|scope|allow/i);
  }));
