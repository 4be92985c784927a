// What people ask of such pages (the page of an answer): a test for each point, which its title names. Points 1 and 10 of the box
// are in look_up.test.mjs, contrast and themes of every page in looks.test.mjs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, world } from "./harness.mjs";

const { story } = world.examples;
const PAGE = `${world.url}/r/${story.ray}`;
const visible = (page) => page.locator(".wf-tree .w").filter({ visible: true }).count();
const rays = async (page) => page.locator(".wf-tree .w").evaluateAll((rows) => rows.map((row) => row.dataset.ray));
const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());

test("point 2: what is selected is in the address, and a second browser shows the same", () =>
  open({}, async (page, context) => {
    await page.goto(PAGE);
    const below = (await rays(page)).at(-1);
    await page.locator("#wf-filter").fill(below);
    await page.locator("#wf-axis").press("+");
    await page.getByRole("link", { name: below, exact: true }).click();
    const address = new RegExp(`#r-${below}&zoom=25-75&filter=${below}$`);
    await page.waitForURL(address);
    const second = await context.newPage();
    await second.goto(page.url());
    await second.locator(`.w.chosen[data-ray="${below}"]`).waitFor();
    assert.equal(await second.locator(".bars").first().getAttribute("viewBox"), "2500 0 5000 20");
    assert.equal(await second.locator("#wf-filter").inputValue(), below);
    assert.equal(await visible(second), await visible(page));
    await second.getByRole("link", { name: "Neighbours" }).click();
    await second.waitForURL(/\?tab=neighbours/);
    await second.getByRole("link", { name: "client", exact: true }).click();
    await second.waitForURL(/tab=neighbours&by=client&within=300/);
  }));

test("point 3: the ray stays in view and can be copied while records are open", () =>
  open({}, async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto(PAGE);
    await page.mouse.wheel(0, 3_000);
    const bar = page.locator(".a-bar");
    assert.ok((await bar.boundingBox()).y < 50);
    assert.equal(await bar.locator(".a-ray").innerText(), story.ray);
    await bar.getByRole("button", { name: "Copy ray" }).click();
    await page.locator("#a-said").getByText("Copied.").waitFor({ state: "attached" });
    assert.equal(await clipboard(page), story.ray);
  }));

test("point 4: the start is absolute and relative, in UTC and by the viewer's clock", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    assert.match(await page.locator(".a-when").innerText(), /\d{4}-\d\d-\d\d [\d:.]+ UTC · here .* (ago|now)/s);
  }));

test("point 5: finding counts, goes to the next and the previous one, and Enter jumps", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    const count = page.locator("#wf-count");
    await page.locator("#wf-find").fill("GET");
    await count.getByText(/^0 of [1-9]/).waitFor();
    await page.locator("#wf-find").press("Enter");
    await count.getByText(/^1 of /).waitFor();
    await page.getByRole("button", { name: "Next match" }).click();
    await count.getByText(/^2 of /).waitFor();
    await page.getByRole("button", { name: "Previous match" }).click();
    await page.locator("#wf-find").press("Shift+Enter");
    await count.getByText(/^(\d+) of \1$/).waitFor();
  }));

test("point 6: a filter keeps the ancestors of what it keeps", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    const all = await rays(page);
    await page.locator("#wf-filter").fill("exception");
    await page.waitForURL(/filter=exception/);
    const kept = await page.locator(".wf-tree .w").filter({ visible: true }).evaluateAll((rows) => {
      const isMatch = (row) => row.textContent.includes("exception");
      const above = (row) => row.parentElement.parentElement.closest("li")?.firstElementChild;
      return rows.map((row) => [isMatch(row), above(row) ? above(row).offsetParent !== null : true, row.dataset.ray]);
    });
    assert.ok(kept.length > 2 && kept.length < all.length, `${kept.length} of ${all.length}`);
    assert.ok(kept.some(([isMatch]) => isMatch) && kept.some(([isMatch]) => !isMatch), "matches, and what is above them");
    assert.deepEqual(kept.filter(([, hasAbove]) => !hasAbove), [], "each with all that is above it");
  }));

test("point 7: the tree closes and opens, all at once and level by level", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    const all = (await rays(page)).length;
    await page.getByRole("button", { name: "Collapse all" }).click();
    assert.equal(await visible(page), 1);
    await page.getByRole("button", { name: "One level more" }).click();
    assert.equal(await visible(page), 2);
    await page.getByRole("button", { name: "One level less" }).click();
    assert.equal(await visible(page), 1);
    await page.getByRole("button", { name: "Expand all" }).click();
    assert.equal(await visible(page), all);
  }));

test("point 8: the time line is zoomed by dragging and by keys", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    const axis = page.locator("#wf-axis");
    await axis.scrollIntoViewIfNeeded();
    const { x, y, width } = await axis.boundingBox();
    await page.mouse.move(x + width * 0.5, y + 5);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.75, y + 5);
    await page.mouse.up();
    // The address that a script writes is known to the test a moment later.
    await page.waitForURL(/zoom=50-75/);
    await axis.press("ArrowRight");
    await page.waitForURL(/zoom=56.25-81.25/);
    await axis.press("0");
    await page.waitForURL((url) => url.hash === "");
  }));

test("point 9: the critical path is marked, in words too, and adds up to what the request took", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    const marked = page.locator(".w-time .wf-path");
    assert.ok((await marked.count()) > 1, "several requests");
    assert.match(await marked.first().innerText(), /◆\s*critical [\d.]+ (µs|ms|s|min)/);
    await page.locator(".wf-legend").getByText("critical path").waitFor();
  }));

test("point 10: the answer works by keyboard, with focus in sight, and Enter copies a value", () =>
  open({}, async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto(PAGE);
    const seen = new Set();
    for (let step = 0; step < 120; step += 1) {
      await page.keyboard.press("Tab");
      const [name, isOutlined] = await page.evaluate(() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
        const of = document.activeElement;
        return [of.id || of.className || of.tagName, of === document.body || (outlineStyle !== "none" && outlineWidth !== "0px")];
      });
      assert.ok(isOutlined, `${name} shows that it has the focus`);
      if (name === "BODY") break;
      seen.add(name);
    }
    for (const id of ["wf-filter", "wf-find", "wf-axis", "wf-figures", "a-field"]) assert.ok(seen.has(id), `${id} of ${[...seen]}`);
    const values = page.locator(".groups td").filter({ visible: true });
    await values.first().focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator(".groups td.copied").waitFor();
    const second = await values.nth(1).evaluate((cell) => cell.firstChild.textContent.trim());
    assert.equal(await clipboard(page), second);
    assert.equal(await values.nth(1).evaluate((cell) => cell.tabIndex), 0, "Tab comes back to it");
  }));

test("point 11: a tree of 10,000 rows is there in full, can be searched, and scrolls", () =>
  open({}, async (page) => {
    const html = await (await page.context().request.get(PAGE)).text();
    await page.route(PAGE, (route) => route.fulfill({ contentType: "text/html; charset=utf-8", body: large(html, 10_000) }));
    await page.goto(PAGE);
    assert.equal((await rays(page)).length, 10_001);
    const { paint, longest } = await page.evaluate(async () => {
      const tasks = [];
      new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
      for (let step = 0; step < 40; step += 1) {
        scrollBy(0, 2_000);
        await new Promise((done) => requestAnimationFrame(done));
      }
      return { paint: performance.getEntriesByName("first-contentful-paint")[0].startTime, longest: Math.max(0, ...tasks) };
    });
    // For a person to read: times are this machine's.
    console.log(`# 10,000 rows: first paint after ${paint.toFixed(0)} ms, longest task while scrolling ${longest.toFixed(0)} ms`);
    const drawn = await page.locator(".w").evaluateAll((rows) => rows.filter((row) => getComputedStyle(row).contentVisibility === "auto").length);
    assert.equal(drawn, 10_001, "rows out of sight are not laid out");
    await page.locator("#wf-find").fill("/items/9999");
    await page.locator("#wf-find").press("Enter");
    await page.locator("#wf-count").getByText("1 of 1", { exact: true }).waitFor();
    await page.waitForFunction(() => {
      const { top, bottom } = document.querySelector(".w.chosen").getBoundingClientRect();
      return top >= 0 && bottom <= innerHeight;
    });
  }));

/** The page with so many rows below its last one. */
function large(html, count) {
  const row = (number) => {
    const ray = (0xa625656066000000n + BigInt(number)).toString(16);
    return `<li><div class="w" data-ray="${ray}"><span class="w-text"><a href="/r/${ray}">${ray}</a> <b class="ok">200</b> GET api.example/items/${number}</span><span class="w-time">+${number} ms <b>9 ms</b></span><svg class="bars" viewBox="0 0 10000 20" preserveAspectRatio="none" aria-hidden="true"><rect class="p-edge" x="${number % 9000}" y="5" width="90" height="10"/></svg></div></li>`;
  };
  const [before, rest] = html.split('<ul class="wf-tree">');
  const end = rest.lastIndexOf("</ul>", rest.indexOf("</section>"));
  const root = rest.slice(0, rest.indexOf("<details"));
  const rows = Array.from({ length: count }, (_, number) => row(number)).join("\n");
  return `${before}<ul class="wf-tree">${root}<details open><summary><span class="vh">${count} below</span></summary><ul>${rows}</ul></details></li>${rest.slice(end)}`;
}

test("point 12: what is missing is said: masked, counted alone, not compared", () =>
  open({ as: "viewer" }, async (page) => {
    await page.goto(PAGE);
    await page.getByText("shown as [masked]").first().waitFor();
    await page.goto(`${PAGE}?tab=neighbours&by=client&within=3600`);
    await page.getByText("ClientIP is masked in part").waitFor();
    await page.goto(`${PAGE}?tab=neighbours&by=status&within=3600`);
    await page.getByText(/nearest are listed: [\d,]+ more are counted alone/).waitFor();
  }));

test("point 13: never colour alone: each status, phase, level and mark has its words", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    const bare = await page.evaluate(() => {
      const has = (element) => element.textContent.trim() !== "";
      const toned = [...document.querySelectorAll(".answer .ok, .answer .warn, .answer .error, .w-text em")];
      const phases = new Set([...document.querySelectorAll(".bars rect")].map((bar) => bar.getAttribute("class")));
      const keys = new Set([...document.querySelectorAll(".wf-legend .key rect")].map((key) => key.getAttribute("class")));
      return [toned.filter((element) => !has(element)).length, [...phases].filter((name) => name !== "p-all" && !keys.has(name)), toned.length];
    });
    assert.deepEqual(bare.slice(0, 2), [0, []]);
    assert.ok(bare[2] > 5);
    const figures = page.locator(".w .fig");
    assert.equal(await figures.count(), await page.locator(".w:has(.bars rect:not(.p-all))").count(), "bars have their figures as text");
    const [error, warn] = await page.evaluate(() =>
      ["error", "warn"].map((name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`)));
    assert.notEqual(error, warn, "red is for errors alone");
  }));

test("point 14: several details are open at once, and stay until they are closed", () =>
  open({}, async (page) => {
    await page.goto(PAGE);
    const opened = page.locator(".rec[open]");
    const before = await opened.count();
    const closed = page.locator(".rec:not([open]) > summary");
    await closed.first().click();
    await closed.first().click();
    assert.equal(await opened.count(), before + 2);
    await opened.last().locator("summary").first().click();
    assert.equal(await opened.count(), before + 1);
  }));

test("point 15: a click copies, and what is passed on has no more than support sees", () =>
  open({ as: "main" }, async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto(PAGE);
    await page.locator("#a-field").fill("EdgeColoCode");
    const cell = page.locator(".groups td").filter({ visible: true }).first();
    const value = await cell.evaluate((cell) => cell.firstChild.textContent.trim());
    await cell.click();
    await page.locator("td.copied").waitFor();
    assert.equal(await clipboard(page), value);
    const ticket = await page.locator("#c-ticket").inputValue();
    assert.match(ticket, new RegExp(`\\| Ray ID \\| ${story.ray} \\|`));
    assert.match(await page.locator("#c-curl").inputValue(), /^curl -sS -g -i '?.*https:\/\//);
    await page.getByText("what the role support sees at most").waitFor();
    const archive = async (name) => {
      const href = await page.getByRole("link", { name, exact: true }).getAttribute("href");
      return (await context.request.get(world.url + href)).json();
    };
    const har = await archive("HAR");
    // The request above, which was challenged, sent none of the others.
    const [challenged, ...sent] = await rays(page);
    const entries = har.log.entries.map((entry) => entry._ray);
    assert.deepEqual(entries.toSorted(), sent.toSorted(), "an entry for each request of the tree");
    assert.ok(entries.includes(story.ray) && challenged !== story.ray);
    const secret = /hunter2|session=|Bearer [A-Za-z0-9]/;
    for (const text of [ticket, JSON.stringify(har)]) assert.doesNotMatch(text, secret);
    const phases = await page.locator(".wf-legend span").allInnerTexts();
    for (const name of ["DNS", "connect", "TLS", "send", "wait", "receive"]) assert.ok(phases.includes(name), `${name} of ${phases}`);
    await page.goto(`${world.url}/r/${sent.find((ray) => ray !== story.ray)}`);
    const whole = await archive("HAR of the whole tree");
    assert.deepEqual(whole.log.entries.map((entry) => entry._ray), entries);
  }));
