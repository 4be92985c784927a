// The search: everything in the address, counts as a picture and as text, ten thousand rows that stay usable.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isTooWide, open, world } from "./harness.mjs";

const SEARCH = `${world.url}/search?last=1h`;
const rows = (page) => page.locator(".search-rows tbody tr");

test("a search shows records, and its counts by time and status", () =>
  open({}, async (page) => {
    await page.goto(SEARCH);
    assert.equal(await rows(page).count(), 100);
    assert.ok((await page.locator("#search-counts-title").count()) === 1);
    assert.ok((await page.locator("rect.part").count()) >= 3);
    await page.getByText("The same as a table").first().click();
    assert.ok(await page.locator(".plot td").first().isVisible());
    await rows(page).first().getByRole("link").first().click();
    await page.waitForURL(/\/r\/[0-9a-f]{16}$/);
  }));

test("point 2: conditions are clicked, and a second browser shows the same by the address", async () => {
  const seen = [];
  const address = await open({}, async (page) => {
    await page.goto(SEARCH);
    await page.getByLabel("Field").fill("EdgeResponseStatus");
    await page.getByLabel("Comparison").selectOption("geq");
    await page.getByLabel("Value", { exact: true }).fill("500");
    await page.getByRole("button", { name: "Search", exact: true }).click();
    await rows(page).first().waitFor();
    await page.getByRole("link", { name: "Link to this range" }).click();
    await rows(page).first().waitFor();
    seen.push(await rows(page).allInnerTexts());
    return page.url();
  });
  await open({}, async (page) => {
    await page.goto(address);
    seen.push(await rows(page).allInnerTexts());
  });
  assert.deepEqual(seen[1], seen[0]);
  assert.ok(seen[0].length > 0 && seen[0].every((text) => /\b5\d\d\b/.test(text)));
});

test("point 11: ten thousand rows are loaded as they come, and stay usable", () =>
  open({}, async (page) => {
    await page.goto(SEARCH);
    await page.getByRole("link", { name: "Next records" }).click();
    await page.locator("[data-search-count]").getByText(/^10000 records/).waitFor({ timeout: 60_000 });
    assert.equal(await rows(page).count(), 10_000);
    const rays = await page.evaluate(() => new Set([...document.querySelectorAll(".search-rows tbody th")].map((cell) => cell.textContent)).size);
    assert.ok(rays > 9_000, `other records each time: ${rays}`);
    const longest = await page.evaluate(async () => {
      const tasks = [];
      new PerformanceObserver((list) => tasks.push(...list.getEntries())).observe({ type: "longtask" });
      for (let step = 0; step < 60; step += 1) {
        scrollBy(0, 900);
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 16)));
      }
      return Math.max(0, ...tasks.map((task) => task.duration));
    });
    console.log(`longest task while scrolling through 10,000 rows: ${Math.round(longest)} ms`);
  }));

test("point 12: what the answer may lack is said, and mistakes are", async () => {
  await open({ as: "main", expected: [400] }, async (page) => {
    await page.goto(SEARCH);
    await page.getByLabel("Field").fill("EdgeResponseStatus");
    await page.getByLabel("Comparison").selectOption("geq");
    await page.getByLabel("Value", { exact: true }).fill("many");
    await page.getByRole("button", { name: "Search", exact: true }).click();
    // The form has what was typed, and the mistake is beside it.
    const condition = page.getByRole("group", { name: "Condition 1" });
    await condition.getByRole("alert").filter({ hasText: "The value of this operator must be" }).waitFor();
    assert.equal(await page.getByLabel("Value", { exact: true }).first().inputValue(), "many");
    await page.getByLabel("Value", { exact: true }).first().fill("500");
    await page.getByRole("button", { name: "Search", exact: true }).click();
    await rows(page).first().waitFor();
    await page.goto(`${world.url}/search?last=1h&filter=%7Bnonsense`);
    assert.match(await page.getByRole("alert").innerText(), /The filter is invalid: it must be valid JSON/);
    assert.equal(await page.locator("textarea[name=filter]").inputValue(), "{nonsense");
    await page.goto(`${world.url}/search?last=1h&field1=NoSuchField&operator1=eq&value1=1`);
    assert.match(await page.locator(".search-end").innerText(), /No list has this field/);
  });
  await open({ as: "viewer" }, async (page) => {
    await page.goto(SEARCH);
    assert.match(await page.locator(".search-end").innerText(), /as viewer sees them/);
  });
});

test("a search fits on a phone, and needs no scripts", async () => {
  await open({ width: 320 }, async (page) => {
    await page.goto(SEARCH);
    assert.equal(await isTooWide(page), false);
  });
  await open({ js: false }, async (page) => {
    await page.goto(SEARCH);
    await page.getByRole("link", { name: "Next records" }).click();
    await page.waitForURL(/cursor=/);
    assert.equal(await rows(page).count(), 100);
  });
});
