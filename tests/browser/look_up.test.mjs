// Point 1 of what people ask for: paste anything, and see what was understood, with the instant of each ray.
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, rayAt, world } from "./harness.mjs";

const { story, visitor_with_subrequests: visitor } = world.examples;
const ERROR_PAGE = `Bad gateway Error code 502\nCloudflare Ray ID: ${story.ray.toUpperCase()} • Your IP: 192.0.2.7`;
const box = (page) => page.getByRole("textbox", { name: /Paste whatever/ });

test("point 1: the box is focused, and says what it understands while a person types", () =>
  open({}, async (page) => {
    await page.goto(world.url);
    await page.keyboard.insertText(ERROR_PAGE);
    const place = page.locator("[data-understood]");
    await place.getByText("Understood: 1 ray.").waitFor();
    assert.match(await place.locator("li").innerText(), new RegExp(`${story.ray}.*\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC · .* ago`, "s"));
    await box(page).fill("nothing of use here");
    await place.getByText("No Ray ID yet").waitFor();
    await box(page).fill("");
    assert.equal(await place.innerText(), "");
    await box(page).fill(`${story.ray} ${visitor.ray} ${story.ray}`);
    await place.getByText("Understood: 2 rays.").waitFor();
  }));

test("a paste leads to the ray, and stays out of the address and of what the browser keeps", () =>
  open({}, async (page) => {
    await page.goto(world.url);
    await page.keyboard.insertText(`secret words, CF-RAY: ${story.ray}-SJC`);
    await page.keyboard.press("Enter");
    await page.waitForURL(`${world.url}/r/${story.ray}`);
    assert.equal(await page.evaluate(() => localStorage.getItem("raydex-recent")), JSON.stringify([story.ray]));
    await page.goBack();
    await page.getByRole("heading", { name: "Look up a request" }).waitFor();
    await page.goForward();
    assert.equal(page.url(), `${world.url}/r/${story.ray}`);
  }));

test("several rays have a line each, with their instants and what happened", () =>
  open({}, async (page) => {
    const absent = rayAt(Date.now() - 60_000);
    await page.goto(world.url);
    await page.keyboard.insertText([story.ray, visitor.ray, absent].join("\n"));
    await page.keyboard.press("Enter");
    await page.waitForURL(`${world.url}/rays?ids=${story.ray},${visitor.ray},${absent}`);
    const rows = await page.locator("tbody tr").allInnerTexts();
    assert.equal(rows.length, 3);
    assert.match(rows[0], new RegExp(`${story.ray}.*Z.*ago.*[1-5][0-9][0-9] `, "s"));
    assert.match(rows[2], /Not found/);
    await page.getByRole("link", { name: visitor.ray }).click();
    await page.waitForURL(`${world.url}/r/${visitor.ray}`);
  }));

test("without scripts everything is there", () =>
  open({ js: false, expected: [404, 422] }, async (page) => {
    await page.goto(world.url);
    await box(page).fill(ERROR_PAGE);
    await page.getByRole("button", { name: "Look up" }).click();
    await page.waitForURL(`${world.url}/r/${story.ray}`);
    await page.locator("#seek").fill(`${story.ray},${visitor.ray}`);
    await page.getByRole("button", { name: "Look up" }).click();
    await page.waitForURL(/\/rays\?ids=/);
    await page.getByRole("link", { name: story.ray }).click();
    await page.waitForURL(`${world.url}/r/${story.ray}`);
    await page.getByRole("link", { name: "raydex", exact: true }).click();
    await box(page).fill("nothing of use");
    await page.getByRole("button", { name: "Look up" }).click();
    await page.getByRole("alert").filter({ hasText: "No Ray ID was found" }).waitFor();
    await page.goto(`${world.url}/r/${rayAt(Date.now() - 1000)}`);
    await page.getByRole("link", { name: "Ask again now" }).click();
    await page.getByRole("heading", { name: "Not yet" }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
  }));

test("recent look-ups are kept in this browser alone, until they are forgotten", () =>
  open({}, async (page) => {
    await page.goto(`${world.url}/r/${story.ray}`);
    await page.goto(`${world.url}/r/${visitor.ray}`);
    await page.goto(world.url);
    const recent = page.getByRole("region", { name: "Recent look-ups" });
    assert.deepEqual(await recent.getByRole("link").allInnerTexts(), [visitor.ray, story.ray]);
    await recent.getByRole("button", { name: "Forget them" }).click();
    assert.equal(await recent.count(), 0);
    assert.equal(await page.evaluate(() => localStorage.length), 0);
    // What is stored may be anything.
    await page.evaluate(() => localStorage.setItem("raydex-recent", '["<img src=x onerror=alert(1)>",7,null]'));
    await page.reload();
    assert.deepEqual(await recent.getByRole("link").allInnerTexts(), ["<img src=x onerror=alert(1)>"]);
  }));

test("point 10: a look-up needs no mouse, and focus is seen", () =>
  open({}, async (page) => {
    await page.goto(world.url);
    await page.keyboard.insertText(story.ray);
    await page.keyboard.press("Tab");
    const focused = () => page.evaluate(() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return [document.activeElement.innerText, outlineStyle !== "none" && outlineWidth !== "0px"];
    });
    // The link to the ray that was understood comes first.
    assert.deepEqual(await focused(), [story.ray, true]);
    await page.keyboard.press("Tab");
    assert.deepEqual(await focused(), ["Look up", true]);
    await page.keyboard.press("Enter");
    await page.waitForURL(`${world.url}/r/${story.ray}`);
    await page.keyboard.press("Tab");
    assert.deepEqual(await focused(), ["Skip to the content", true]);
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  }));
