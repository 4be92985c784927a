// Pages of problems: unknown addresses, mistakes in words of the page, who is signed in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, world } from "./harness.mjs";

test("an unknown address is a page with a way home", () =>
  open({ expected: [404], js: false }, async (page) => {
    for (const path of ["/nothing", "/v1/nothing", "/r/", "/ops/nothing"]) {
      const reply = await page.goto(`${world.url}${path}`);
      assert.equal(reply.status(), 404);
      await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    }
    await page.getByRole("link", { name: "Back to operations" }).click();
    await page.getByRole("heading", { name: "Operations" }).waitFor();
  }));

test("a problem names who is signed in, and speaks of no routes", () =>
  open({ expected: [400, 403, 404] }, async (page) => {
    for (const path of ["/r/no%20ray", "/rays", "/ops/payloads?decision=drop", "/search?last=1h&novel=1", "/r/x?tab=novel"]) {
      await page.goto(`${world.url}${path}`);
      assert.match(await page.locator(".viewer").innerText(), /^support · support$/, path);
      assert.doesNotMatch(await page.locator("main").innerText(), /JSON|GET \/|POST \/|raydex-|dry_run/, path);
    }
  }));

test("a form without its reason says what it lacks", () =>
  open({ as: "main", expected: [400, 409] }, async (page) => {
    await page.goto(`${world.url}/ops/payloads?decision=resend&state=delivered`);
    await page.locator("#reason").evaluate((box) => box.removeAttribute("required"));
    await page.getByRole("button", { name: /^Resend/ }).click();
    await page.getByText("The form gives no reason").waitFor();
    await page.getByRole("link", { name: "Back to operations" }).click();
    await page.getByRole("heading", { name: "Operations" }).waitFor();
  }));
