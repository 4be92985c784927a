// Much at once: trees of hundreds and thousands of requests, a search of 10,000 rows, and a dead letter that is redriven.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { keyOf, rayAt, request } from "../attack/lib/records.mjs";
import { isLong, isTooWide, open, world } from "./harness.mjs";
import { ownWorld } from "./worlds.mjs";

const AT = Math.floor((Date.now() - 1_800_000) / 1000) * 1000;
/** Requests with so many children each, by the low digits of their rays. */
const FAMILIES = new Map([[1, 199], [2, isLong ? 9_999 : 2_499]]);

const theWorld = ownWorld({}, async (own) => {
  for (const [nth, children] of FAMILIES) {
    const ms = AT + nth * 60_000;
    const parent = rayAt(ms, 1);
    const child = (low) => request({ ms: ms + 100 + (low % 2_000), low, ParentRayID: parent, ClientRequestURI: `/part/${low}`, WorkerSubrequest: true });
    const lines = [request({ ms, low: 1 }), ...Array.from({ length: children }, (_, at) => child(10 + at))];
    await own.index([{ key: keyOf("http_requests", ms, nth), lines }]);
  }
});

const parentOf = (nth) => rayAt(AT + nth * 60_000, 1);
const rays = (page) => page.locator(".wf-tree .w").evaluateAll((rows) => rows.map((row) => row.dataset.ray));

test("a tree of 200 requests is on one page", async () => {
  const own = await theWorld();
  await open({ at: own, width: 320 }, async (page) => {
    await page.goto(`${own.url}/r/${parentOf(1)}`);
    assert.equal(new Set(await rays(page)).size, 200);
    assert.equal(await page.getByRole("link", { name: "Next requests of the tree" }).count(), 0);
    assert.equal(await isTooWide(page), false);
  });
});

for (const js of [true, false]) {
  test(`point 11: pages of a large tree have each request once, ${js ? "with" : "without"} scripts`, async () => {
    const own = await theWorld();
    await open({ at: own, js }, async (page) => {
      await page.goto(`${own.url}/r/${parentOf(2)}`);
      const seen = await rays(page);
      const next = page.getByRole("link", { name: "Next requests of the tree" });
      while ((await next.count()) > 0) {
        const href = await next.getAttribute("href");
        await page.goto(new URL(href, page.url()).href);
        seen.push(...(await rays(page)));
      }
      assert.equal(seen.length, FAMILIES.get(2) + 1);
      assert.equal(new Set(seen).size, seen.length);
      await page.getByRole("link", { name: "First requests of the tree" }).click();
      await page.locator(`.w[data-ray="${parentOf(2)}"]`).waitFor();
    });
  });
}

test("point 11: a search takes 10,000 rows, and stays usable", () =>
  open({}, async (page) => {
    await page.goto(`${world.url}/search?last=1h`);
    await page.getByRole("link", { name: "Next records" }).click();
    await page.locator("[data-search-count]").getByText(/^10000 records/).waitFor({ timeout: 60_000 });
    const last = page.locator("table tbody tr a[href^='/r/']").last();
    await last.scrollIntoViewIfNeeded();
    await last.click();
    await page.locator("[data-ray]").first().waitFor();
    await page.goBack();
    await page.locator("#range-title, form.search, form[action='/search']").first().waitFor();
  }));

test("a dead letter is redriven with a reason, or only dismissed where nothing can process it", async () => {
  const own = await theWorld();
  const ms = AT + 600_000;
  const object = await own.runtime.put(keyOf("http_requests", ms, 9), gzipSync(`${request({ ms, low: 9 })}\n`));
  await own.runtime.dispatch("parse-dlq", [own.runtime.event(object), { nothing: true }]);
  await open({ at: own, as: "operator" }, async (page) => {
    const decide = async (row, decision) => {
      await row.getByText("Decide").first().click();
      const choices = row.getByRole("radio");
      const names = await choices.evaluateAll((radios) => radios.map((radio) => radio.value));
      await row.getByRole("radio", { name: new RegExp(`^${decision}`) }).check();
      await row.getByLabel("Reason, for the audit log").fill("tried again");
      await row.getByRole("button", { name: "Decide" }).click();
      await page.getByRole("heading", { name: "Dead letters" }).waitFor();
      return names;
    };
    const rows = page.locator("#dead-letters tbody tr");
    await page.goto(`${own.url}/ops`);
    assert.equal(await rows.count(), 2);
    assert.deepEqual(await decide(rows.filter({ hasNotText: object.key }), "dismiss"), ["dismiss"]);
    assert.deepEqual(await decide(rows.filter({ hasText: object.key }), "redrive"), ["redrive", "dismiss"]);
    assert.equal(await rows.count(), 0);
  });
  const found = async () => (await own.ask("root", `/v1/rays/${rayAt(ms, 9)}`)).status;
  for (let turn = 0; turn < 300 && (await found()) !== 200; turn += 1) await new Promise((done) => setTimeout(done, 100));
  assert.equal(await found(), 200, "its batch is indexed");
});
