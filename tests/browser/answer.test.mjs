// The answer to a look-up: the points that people ask of such pages, each by its number in the issue.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isTooWide, open, world } from "./harness.mjs";

const { story } = world.examples;
const PAGE = `${world.url}/r/${story.ray}`;
const visible = (page) => page.locator(".wf-tree .w").filter({ visible: true }).count();
const rays = async (page) => page.locator(".wf-tree .w").evaluateAll((rows) => rows.map((row) => row.dataset.ray));

test("points 2 and 9: row, zoom and filter are in the address, and a second browser shows the same", () =>
  open({}, async (page, context) => {
    await page.goto(PAGE);
    assert.ok((await page.locator(".w-time .wf-path").count()) > 1, "a critical path of several requests");
    const all = await rays(page);
    const below = all.at(-1);
    await page.locator("#wf-filter").fill(below);
    await page.locator("#wf-axis").press("+");
    await page.getByRole("link", { name: below, exact: true }).click();
    await page.waitForURL(new RegExp(`#r-${below}&zoom=25-75&filter=${below}$`));
    const second = await context.newPage();
    await second.goto(page.url());
    assert.equal(await second.locator(".w.chosen").getAttribute("data-ray"), below);
    assert.equal(await second.locator(".bars").first().getAttribute("viewBox"), "2500 0 5000 20");
    assert.equal(await second.locator("#wf-filter").inputValue(), below);
    assert.equal(await visible(second), await visible(page));
  }));

test("points 3 and 4: the ray stays in view, and the time is absolute, relative, in UTC and here", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    await page.mouse.wheel(0, 3_000);
    const bar = page.locator(".a-bar");
    assert.ok((await bar.boundingBox()).y < 50);
    assert.equal(await bar.locator(".a-ray").innerText(), story.ray);
    assert.match(await page.locator(".a-when").innerText(), /\d{4}-\d\d-\d\d [\d:.]+ UTC · here .* (ago|just now)/s);
  }));

test("points 5 and 6: finding counts and jumps, and a filter keeps what is above", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    const all = await rays(page);
    await page.locator("#wf-find").fill("GET");
    assert.match(await page.locator("#wf-count").innerText(), /^0 of [1-9]/);
    await page.locator("#wf-find").press("Enter");
    assert.match(await page.locator("#wf-count").innerText(), /^1 of /);
    await page.locator("#wf-find").press("Shift+Enter");
    assert.match(await page.locator("#wf-count").innerText(), /^(\d+) of \1$/);
    await page.locator("#wf-filter").fill("exception");
    const kept = await visible(page);
    assert.ok(kept > 2 && kept < all.length, `${kept} of ${all.length}`);
  }));

test("points 7 and 8: levels close and open, and the time line is zoomed by dragging and by keys", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    const all = (await rays(page)).length;
    await page.locator("#wf-none").click();
    assert.equal(await visible(page), 1);
    await page.locator("#wf-more").click();
    assert.equal(await visible(page), 2);
    await page.locator("#wf-all").click();
    assert.equal(await visible(page), all);
    await page.locator("#wf-axis").scrollIntoViewIfNeeded();
    const { x, y, width } = await page.locator("#wf-axis").boundingBox();
    await page.mouse.move(x + width * 0.5, y + 5);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.75, y + 5);
    await page.mouse.up();
    // The address that a script writes is known to the test a moment later.
    await page.waitForURL(/zoom=50-75/);
    await page.locator("#wf-axis").press("0");
    await page.waitForURL((url) => url.hash === "");
  }));

test("points 12 and 14: what is missing is said, and several details are open at once", () =>
  open({ as: "viewer" }, async (page) => {
    await page.goto(PAGE);
    await page.getByText("shown as [masked]").first().waitFor();
    const closed = page.locator(".rec:not([open]) > summary");
    await closed.first().click();
    await closed.first().click();
    assert.ok((await page.locator(".rec[open]").count()) >= 3);
  }));

test("point 15: a click copies, and the texts have no secret", () =>
  open({}, async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto(PAGE);
    await page.getByRole("button", { name: "Copy ray" }).first().click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), story.ray);
    await page.locator("#a-field").fill("EdgeColoCode");
    const cell = page.locator(".groups td").filter({ visible: true }).first();
    const value = await cell.innerText();
    await cell.click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), value.trim());
    const ticket = await page.locator("#c-ticket").inputValue();
    assert.match(ticket, new RegExp(`\\| Ray ID \\| ${story.ray} \\|`));
    assert.match(await page.locator("#c-curl").inputValue(), /^curl -sS -g -i '?.*https:\/\//);
  }));

test("every tab is a link that works without scripts, down to 320 px", () =>
  open({ js: false, width: 320 }, async (page) => {
    await page.goto(PAGE);
    for (const [name, words] of [["JSON", /"RayID": "/], ["Partner line", /remote_addr/], ["Deliveries", /payload|delivered/i], ["Fields", /EdgeResponseStatus/]]) {
      await page.getByRole("navigation", { name: "Parts of the answer" }).getByRole("link", { name }).click();
      assert.match(await page.locator(".answer").innerText(), words);
      assert.equal(await isTooWide(page), false, name);
    }
  }));
