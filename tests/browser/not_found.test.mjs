// A ray without records: each verdict that the sample data can give, its time line, and the wait that asks again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, rayAt, world } from "./harness.mjs";

const DAY = 86_400_000;

const verdictOf = (page) => page.locator("[data-verdict]").getAttribute("data-verdict");

test("each verdict has its heading and its words", () =>
  open({ expected: [404, 400] }, async (page) => {
    for (const [ray, verdicts, heading] of [
      [rayAt(Date.now() + 400 * DAY), ["ahead_of_clock"], /its time is in the future/],
      [rayAt(Date.now() - 1000), ["not_yet"], /Not yet/],
      [rayAt(Date.now() - 900 * DAY), ["older_than_kept"], /older than the logs/],
    ]) {
      const reply = await page.goto(`${world.url}/r/${ray}`);
      assert.equal(reply.status(), 404);
      assert.ok(verdicts.includes(await verdictOf(page)), `${ray}: ${await verdictOf(page)}`);
      assert.match(await page.getByRole("heading", { level: 1 }).innerText(), heading);
      assert.match(await page.locator(".lead").innerText(), /\w{3}.*[.:]/);
      assert.ok((await page.locator("dl").innerText()).includes(ray));
    }
    const reply = await page.goto(`${world.url}/r/${encodeURIComponent("no ray at all")}`);
    assert.equal(reply.status(), 400);
    await page.getByRole("heading", { name: "This is not a Ray ID" }).waitFor();
  }));

test("records of another dataset are one click away", () =>
  open({ expected: [404] }, async (page) => {
    const { ray } = world.examples.late;
    await page.goto(`${world.url}/r/${ray}?dataset=firewall_events`);
    assert.equal(await verdictOf(page), "in_another_dataset");
    await page.getByRole("heading", { name: "Found in another dataset" }).waitFor();
    await page.getByRole("link", { name: "Show them" }).click();
    await page.waitForURL(`${world.url}/r/${ray}`);
    await page.locator(`[data-ray="${ray}"]`).first().waitFor();
  }));

test("point 12: the window is on a time line, with the same in words", () =>
  open({ expected: [404] }, async (page) => {
    await page.goto(`${world.url}/r/${rayAt(Date.now() - 200_000)}`);
    const line = page.getByRole("img", { name: /Time line of five minutes from \d\d:\d\d:\d\d\./ });
    assert.equal(await line.count(), 1);
    assert.ok((await line.locator("rect").count()) >= 2);
    assert.ok((await page.locator(".figures tr").count()) >= 2);
  }));

test("a wait asks again by itself, and can be stopped", () =>
  open({ expected: [404] }, async (page) => {
    await page.clock.install();
    const ray = rayAt(Date.now() - 1000);
    let asked = 0;
    page.on("request", (request) => {
      asked += Number(request.url().endsWith(ray));
    });
    await page.goto(`${world.url}/r/${ray}`);
    await page.getByText(/Asks again by itself in \d+ s\./).waitFor();
    const seconds = Number(await page.locator("[data-retry-after]").getAttribute("data-retry-after"));
    assert.ok(seconds > 0);
    const again = page.waitForRequest((request) => request.url().endsWith(ray));
    await page.clock.runFor(1000 * (seconds + 1));
    await again;
    await page.getByText(/Asks again by itself in \d+ s\./).waitFor();
    await page.getByRole("button", { name: "Stop asking" }).click();
    const before = asked;
    await page.clock.runFor(1000 * 2 * seconds);
    assert.equal(asked, before);
    assert.equal(await page.getByText("Asks again by itself").count(), 0);
  }));

test("a reader who sees masked records gets a verdict too", () =>
  open({ as: "viewer", expected: [404] }, async (page) => {
    await page.goto(`${world.url}/r/${rayAt(Date.now() - 1000)}`);
    assert.equal(await verdictOf(page), "not_yet");
  }));
