// Point 13: light and dark, small screens, contrast and names that programs can read, on every page.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import fs from "node:fs";
import { test } from "node:test";
import { isTooWide, open, rayAt, world } from "./harness.mjs";

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { ray } = world.examples.story;

/** Every page, with the status that it has. */
export const PAGES = [
  ["/", 200],
  ["/sign-in", 200],
  ["/search?last=1h", 200],
  ["/ops", 200],
  [`/r/${ray}`, 200],
  [`/rays?ids=${ray},${rayAt(Date.now() - 60_000)},test-ray`, 200],
  [`/r/${rayAt(Date.now() - 200_000)}`, 404],
  [`/r/${rayAt(Date.now() - 1000)}`, 404],
  ["/r/no%20ray", 400],
];

const expected = [400, 401, 404];

test("no page is wider than a window of 320 px", () =>
  open({ width: 320, expected }, async (page) => {
    for (const [path, status] of PAGES) {
      const reply = await page.goto(`${world.url}${path}`);
      assert.deepEqual([reply.status(), await isTooWide(page)], [status, false], path);
    }
  }));

test("light and dark follow the person's setting", async () => {
  const colours = (theme) =>
    open({ theme }, async (page) => {
      await page.goto(world.url);
      return page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]);
    });
  const [light, dark] = [await colours("light"), await colours("dark")];
  const brightness = (colour) => colour.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
  assert.ok(brightness(light[0]) > brightness(light[1]) && brightness(dark[0]) < brightness(dark[1]), `${light} ${dark}`);
});

for (const theme of ["light", "dark"]) {
  test(`axe finds nothing on any page, ${theme}`, () =>
    open({ theme, expected, bypass: true }, async (page) => {
      for (const [path] of PAGES) {
        await page.goto(`${world.url}${path}`);
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
        assert.deepEqual(found, [], path);
      }
    }));
}
