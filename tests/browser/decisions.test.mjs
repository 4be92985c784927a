// Decisions about several payloads on the page of operations: counted first, confirmed with a reason, with and without scripts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOf, request } from "../attack/lib/records.mjs";
import { isTooWide, open } from "./harness.mjs";
import { ownWorld } from "./worlds.mjs";

const theWorld = ownWorld({ partner: true, settings: { BATCH_SIZE: "5" } });

/** Has the partner refuse lines for good, so that `count` payloads of five are parked. */
async function park(own, count, nth) {
  own.partner.behave([{ do: { status: 422 } }]);
  const ms = Math.floor((Date.now() - 600_000 - nth * 60_000) / 1000) * 1000;
  const lines = Array.from({ length: 5 * count }, (_, low) => request({ ms: ms + low, low: nth * 1_000 + low }));
  await own.index([{ key: keyOf("http_requests", ms, nth), lines }]);
  const parked = async () => JSON.parse((await own.ask("root", "/v1/payloads?state=parked")).text).payloads.length;
  for (let turn = 0; turn < 300 && (await parked()) < count; turn += 1) await new Promise((done) => setTimeout(done, 100));
  assert.equal(await parked(), count);
}

for (const [nth, js, width] of [[1, true, 1200], [2, false, 320]]) {
  test(`parked payloads are dropped together, ${js ? "with" : "without"} scripts`, async () => {
    const own = await theWorld();
    await park(own, 3, nth);
    await open({ at: own, as: "operator", js, width, expected: [409] }, async (page) => {
      await page.goto(`${own.url}/ops`);
      assert.equal(await page.locator("#parked tbody tr").count(), 3);
      await page.getByText("Decide about several payloads").click();
      const form = page.locator("form.select");
      assert.equal(await form.locator("datalist option").count(), 1);
      await form.getByRole("radio", { name: /^drop/ }).check();
      assert.equal(await isTooWide(page), false);
      await form.getByRole("button", { name: "Count them" }).click();
      await page.getByRole("heading", { name: "Drop 3 payloads?" }).waitFor();
      assert.match(await page.locator("main").innerText(), /3 payloads of 15 lines: parked\. By this decision, the partner never gets them/);
      const address = page.url();
      await page.getByLabel("Reason, for the audit log").fill("the partner does not want them");
      await page.getByRole("button", { name: "Drop 3 payloads of 15 lines" }).click();
      await page.getByRole("heading", { name: "3 payloads were dropped" }).waitFor();
      assert.equal(await isTooWide(page), false);
      await page.goto(address);
      await page.getByRole("heading", { name: "Nothing to decide about" }).waitFor();
      await page.getByRole("link", { name: "Back to operations" }).click();
      await page.getByText("None. A payload is parked when").waitFor();
    });
    const { entries } = JSON.parse((await own.ask("root", "/v1/audit?limit=200")).text);
    const entry = entries.map((link) => link.entry).findLast(({ action }) => action === "POST /v1/payloads/decide");
    assert.equal(entry.request.reason, "the partner does not want them");
    assert.equal(entry.outcome, "admitted");
  });
}

test("what changed after the count is left alone", async () => {
  const own = await theWorld();
  await park(own, 2, 3);
  await open({ at: own, as: "operator", expected: [409] }, async (page) => {
    await page.goto(`${own.url}/ops/payloads?decision=drop`);
    await page.getByRole("heading", { name: "Drop 2 payloads?" }).waitFor();
    const [{ id }] = JSON.parse((await own.ask("root", "/v1/payloads?state=parked")).text).payloads;
    const body = JSON.stringify({ reason: "first" });
    await own.ask("root", `/v1/payloads/${id}/drop`, { method: "POST", body, headers: { "content-type": "application/json" } });
    await page.getByLabel("Reason, for the audit log").fill("late");
    await page.getByRole("button", { name: /^Drop 2 payloads/ }).click();
    await page.getByRole("heading", { name: "The payloads changed" }).waitFor();
    assert.match(await page.locator("main").innerText(), /Nothing was done/);
  });
  const { payloads } = JSON.parse((await own.ask("root", "/v1/payloads?state=parked")).text);
  assert.equal(payloads.length, 1);
});
