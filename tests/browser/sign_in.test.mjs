// Signing in and out, in a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, tokenOf, world } from "./harness.mjs";

const ray = world.examples.story.ray;

test("a pasted token signs in, and leads back to the page that was asked for", () =>
  open({ as: null, expected: [401] }, async (page, context) => {
    const reply = await page.goto(`${world.url}/r/${ray}?tab=json`);
    assert.equal(reply.status(), 401);
    await page.getByLabel("API token").fill(tokenOf("support"));
    await page.keyboard.press("Enter");
    await page.locator(`[data-ray="${ray}"]`).first().waitFor();
    assert.equal(page.url(), `${world.url}/r/${ray}?tab=json`);
    const [cookie] = await context.cookies();
    assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, cookie.expires], ["raydex", true, "Strict", -1]);
    assert.equal(await page.evaluate(() => document.cookie), "", "no script reads the cookie");
    assert.ok(!(await page.content()).includes(tokenOf("support")));
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(`${world.url}/sign-in`);
    assert.deepEqual(await context.cookies(), []);
  }));

test("recent look-ups are forgotten once no one is signed in", () =>
  open({ as: null, expected: [401] }, async (page) => {
    const signIn = async () => {
      await page.goto(`${world.url}/r/${ray}`);
      await page.getByLabel("API token").fill(tokenOf("support"));
      await page.keyboard.press("Enter");
      await page.locator(`[data-ray="${ray}"]`).first().waitFor();
      await page.waitForFunction((kept) => localStorage.getItem("raydex-recent") === kept, JSON.stringify([ray]));
    };
    await signIn();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.waitForFunction(() => localStorage.length === 0);
    // A browser that was closed signs out too: its cookie is gone.
    await signIn();
    await page.context().clearCookies();
    await page.goto(world.url);
    await page.waitForFunction(() => localStorage.length === 0);
  }));

test("a wrong token is refused in plain words, and is shown nowhere", () =>
  open({ as: null, expected: [401] }, async (page, context) => {
    await page.goto(`${world.url}/sign-in`);
    await page.getByLabel("API token").fill("a wrong token");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").filter({ hasText: "This token is not valid" }).waitFor();
    assert.equal(page.url(), `${world.url}/sign-in`);
    assert.ok(!(await page.content()).includes("a wrong token"));
    assert.deepEqual(await context.cookies(), []);
  }));

test("a link of another site leads a signed-in person to the page, not to the form", () =>
  open({ expected: [401] }, async (page) => {
    // The browser leaves out the cookie after a link of another site, and the page asks again as its own.
    await page.goto("data:text/html,<title>other</title>");
    await page.evaluate((url) => {
      location.href = url;
    }, `${world.url}/r/${ray}`);
    await page.locator(`[data-ray="${ray}"]`).first().waitFor();
  }));

test("the link that scripts/run prints signs in once", () =>
  open({ as: null }, async (page, context) => {
    const link = world.link;
    const reply = await context.request.get(link, { maxRedirects: 0 });
    assert.equal(reply.status(), 303);
    await page.goto(world.url);
    assert.equal(await page.getByRole("heading", { name: "Look up a request" }).count(), 1);
    assert.equal((await context.request.get(link, { maxRedirects: 0 })).status(), 410);
  }));

test("a person without the right to read is told so", () =>
  open({ as: "operator", expected: [403] }, async (page) => {
    assert.equal((await page.goto(`${world.url}/`)).status(), 200);
    assert.equal((await page.goto(`${world.url}/r/${ray}`)).status(), 403);
    assert.equal(await page.getByRole("heading", { name: "You may not see this" }).count(), 1);
  }));
