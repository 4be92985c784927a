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
  ["/search", 200],
  ["/search?last=1h", 200],
  ["/search?last=1h&field1=EdgeResponseStatus&operator1=geq&value1=many&filter=%7Bnonsense", 400],
  ["/ops", 200],
  ["/ops/payloads?decision=resend&state=delivered", 200],
  ["/ops/payloads?decision=drop", 200],
  ["/ops/payloads?decision=nothing", 400],
  ["/nothing-of-this-name", 404],
  ...["record", "partner", "json", "deliveries"].map((tab) => [`/r/${ray}?tab=${tab}`, 200]),
  [`/r/${ray}`, 200],
  [`/rays?ids=${ray},${rayAt(Date.now() - 60_000)},test-ray`, 200],
  [`/r/${rayAt(Date.now() - 200_000)}`, 404],
  [`/r/${rayAt(Date.now() - 1000)}`, 404],
  ["/r/no%20ray", 400],
];

const expected = [400, 401, 404];

/** Pages that are no documents of their own: files, and what robots may read. */
const FILES = ["/assets/{version}/{name}", "/favicon.svg", "/robots.txt"];

test("every page of the table of routes is looked at", () => {
  const table = fs.readFileSync(new URL("../../src/router/routes.rs", import.meta.url), "utf8");
  const paths = [...table.matchAll(/^    page\("GET", "([^"]+)"/gm)].map(([, path]) => path).filter((path) => !FILES.includes(path));
  assert.ok(paths.length >= 7, `${paths}`);
  const isOf = (path) => new RegExp(`^${path.replaceAll(/\{[a-z_]+\}/g, "[^/?]+")}(\\?|$)`);
  const missing = paths.filter((path) => !PAGES.some(([page]) => isOf(path).test(page)));
  assert.deepEqual(missing, [], "pages that no test looks at");
});

test("no page is wider than a window of 320 px", () =>
  open({ as: "main", width: 320, expected }, async (page) => {
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

test("no page shows a code of the API as its words", () =>
  open({ as: "main", expected }, async (page) => {
    for (const [path] of PAGES.filter(([path]) => !path.startsWith(`/r/${ray}`))) {
      await page.goto(`${world.url}${path}`);
      const found = await page.evaluate(() => {
        const shown = document.body.cloneNode(true);
        // Raw names are in code; records, and what a person typed, are as they are.
        for (const raw of shown.querySelectorAll("code, option, textarea, .search-rows tbody, .failed")) raw.remove();
        return [...shown.textContent.matchAll(/\S*[a-z]_[a-z]\S*/g)].map(([word]) => word);
      });
      assert.deepEqual(found, [], path);
    }
  }));

for (const theme of ["light", "dark"]) {
  test(`axe finds nothing on any page, ${theme}`, () =>
    open({ as: "main", theme, expected, bypass: true }, async (page) => {
      for (const [path] of PAGES) {
        await page.goto(`${world.url}${path}`);
        for (const closed of await page.locator("details.act:not([open]) > summary").all()) await closed.click();
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
        assert.deepEqual(found, [], path);
      }
    }));
}
