// The tabs of the answer to a look-up: without scripts, on small screens, and what their links lead to.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isTooWide, open, world } from "./harness.mjs";

const { story, visitor_with_subrequests: visitor } = world.examples;
const PAGE = `${world.url}/r/${story.ray}`;
const tabs = (page) => page.getByRole("navigation", { name: "Parts of the answer" });

test("every tab is a link that works without scripts, down to 320 px", () =>
  open({ js: false, width: 320 }, async (page) => {
    await page.goto(PAGE);
    for (const [name, words] of [
      ["JSON", /"RayID": "/],
      ["Partner line", /remote_addr/],
      ["Deliveries", /payload|delivered/i],
      ["Neighbours", /within 5 min before and after/],
      ["Compare", /Another ray/],
      ["Fields", /EdgeResponseStatus/],
    ]) {
      await tabs(page).getByRole("link", { name }).click();
      await page.locator(".answer").getByText(words).first().waitFor();
      assert.equal(await isTooWide(page), false, name);
    }
  }));

test("neighbours lead to a comparison and back, without scripts", () =>
  open({ js: false }, async (page) => {
    await page.goto(`${PAGE}?tab=neighbours&by=client&within=3600`);
    const rows = page.locator(".near-rows tbody tr");
    assert.ok((await rows.count()) > 1);
    assert.equal(await page.locator(".near-rows tr.asked").count(), 1, "the request itself is among them");
    const other = await rows.locator("a code").first().innerText();
    await page.getByRole("link", { name: `Compare with ${other}` }).click();
    await page.waitForURL(new RegExp(`tab=compare&with=${other}`));
    await page.getByText("Fields that differ").waitFor();
    await page.locator(".answer").getByText(/equal field/).first().click();
    await page.getByText("Equal in both").waitFor();
  }));

test("a pasted ray is put beside this one, and its text stays out of the address", () =>
  open({ width: 320 }, async (page) => {
    await page.goto(`${PAGE}?tab=compare`);
    await page.getByLabel("Another ray").fill(`secret words CF-RAY: ${visitor.ray.toUpperCase()}-SJC`);
    await page.getByRole("button", { name: "Compare" }).click();
    await page.waitForURL(`${PAGE}?tab=compare&with=${visitor.ray}#parts`);
    await page.getByText("Fields that differ").waitFor();
    assert.equal(await isTooWide(page), false);
    const [first, second] = await page.locator(".beside tbody tr td").evaluateAll((cells) => cells.slice(0, 2).map((cell) => cell.getBoundingClientRect().y));
    assert.ok(first < second, "one under the other");
    await page.getByLabel("Another ray").fill("nothing of use");
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByText("No Ray ID was found in what you pasted").waitFor();
  }));

test("the partner's line is copied as the API writes it", () =>
  open({}, async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto(`${PAGE}?tab=partner`);
    await page.getByRole("button", { name: "Copy line" }).click();
    await page.locator(".copied").waitFor();
    const line = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(line.split("\u0001").length, 145);
  }));

test("rows above the ray have what their records say", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    const root = page.locator(".wf-tree .w").first();
    assert.notEqual(await root.getAttribute("data-ray"), story.ray);
    assert.match(await root.locator(".w-text").innerText(), /\b[2-5]\d\d\b .*[A-Z]+ [a-z0-9.-]+\/.*/);
    assert.doesNotMatch(await page.locator(".wf-tree").innerText(), /records on its page/);
  }));

test("several rays have the sentence of their own pages", () =>
  open({ js: false }, async (page) => {
    await page.goto(`${world.url}/r/${visitor.ray}`);
    const sentence = await page.locator("#a-title").innerText();
    await page.goto(`${world.url}/rays?ids=${visitor.ray},${story.ray}`);
    await page.getByText(sentence, { exact: false }).waitFor();
  }));

test("what is stored from a page with a reason is asked for with it", () =>
  open({}, async (page) => {
    await page.goto(`${PAGE}?reason=INC-7`);
    const [request, download] = await Promise.all([
      page.waitForRequest(/format=har/),
      page.waitForEvent("download"),
      page.getByRole("link", { name: "HAR", exact: true }).click(),
    ]);
    assert.deepEqual([request.headers()["raydex-reason"], download.suggestedFilename()], ["INC-7", `${story.ray}.har`]);
    assert.match(await tabs(page).getByRole("link", { name: "JSON" }).getAttribute("href"), /reason=INC-7/);
  }));
