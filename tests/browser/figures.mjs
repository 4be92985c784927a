// What pages weigh and how soon they are seen: medians of five, for a person to read. `node tests/browser/figures.mjs`, from
// scripts/browser --figures. No time is asserted: they are this machine's. That a look-up weighs little is (weight.test.mjs).
import { keyOf, rayAt, request } from "../attack/lib/records.mjs";
import { startWorld } from "../attack/lib/world.mjs";
import { browser, cookieOf, world } from "./harness.mjs";
import { gzippedOf } from "./weight.mjs";

const RUNS = 5;
const CHILDREN = 10_000;
const { examples } = world;

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const ms = (number) => `${Math.round(number)} ms`;

/** Opens a page in a browser of its own cache, and runs `use` with it. */
async function visit(at, path, use) {
  const context = await browser.newContext();
  await context.addCookies([cookieOf("support", at)]);
  const page = await context.newPage();
  await page.addInitScript(() => {
    globalThis.tasks = [];
    new PerformanceObserver((list) => globalThis.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask", buffered: true });
  });
  const bodies = [];
  page.on("response", (response) => bodies.push(response.body().catch(() => Buffer.alloc(0))));
  try {
    await page.goto(at.url + path, { waitUntil: "networkidle", timeout: 120_000 });
    return await use(page, bodies);
  } finally {
    await context.close();
  }
}

/** The longest task since the last question, in milliseconds; 0 if none took 50. */
const longest = (page) => page.evaluate(() => Math.max(0, ...globalThis.tasks.splice(0)));

/** Scrolls through the page, and returns the longest task meanwhile. */
async function scroll(page) {
  await longest(page);
  await page.evaluate(async () => {
    for (let step = 0; step < 90; step += 1) {
      scrollBy(0, 900);
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 16)));
    }
  });
  await page.waitForTimeout(200);
  return longest(page);
}

const times = (page) =>
  page.evaluate(() => {
    const [navigation] = performance.getEntriesByType("navigation");
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    return { answer: navigation.responseEnd, paint: paint.startTime - navigation.responseStart };
  });

/** Medians of runs, by the names of the members. */
async function medians(run) {
  const runs = [];
  for (let nth = 0; nth < RUNS; nth += 1) runs.push(await run());
  return Object.fromEntries(Object.keys(runs[0]).map((name) => [name, median(runs.map((one) => one[name]))]));
}

const say = (name, words) => process.stdout.write(`${name}: ${words.filter(Boolean).join(", ")}\n`);

/** A page as it is opened: what it weighs, when it is seen, how it scrolls. */
async function figuresOf(name, at, path) {
  const found = await medians(() =>
    visit(at, path, async (page, bodies) => ({
      ...(await times(page)),
      bytes: await gzippedOf(bodies),
      requests: bodies.length,
      opening: await longest(page),
      scrolling: await scroll(page),
    })),
  );
  say(name, [
    `${(found.bytes / 1024).toFixed(1)} KB gzipped in ${found.requests} requests`,
    `whole answer after ${ms(found.answer)}`,
    `first paint ${ms(found.paint)} after the answer begins`,
    `longest task while it opens ${ms(found.opening)}, while scrolling ${ms(found.scrolling)}`,
  ]);
}

/** A ray with many children, in a world of its own. */
async function family() {
  const at = Math.floor((Date.now() - 1_800_000) / 1000) * 1000;
  const own = await startWorld({});
  own.tokenOf = (id) => own.headers(id).authorization.slice("Bearer ".length);
  const parent = rayAt(at, 1);
  const child = (nth) => request({ ms: at + 100 + (nth % 2_000), low: 10 + nth, ParentRayID: parent, ClientRequestURI: `/part/${nth}`, WorkerSubrequest: true });
  await own.index([{ key: keyOf("http_requests", at, 1), lines: [request({ ms: at, low: 1 }), ...Array.from({ length: CHILDREN }, (_, nth) => child(nth))] }]);
  return { own, parent };
}

/** Finds and filters in the tree of a page: the longest task, and how long until it is shown. */
async function findAndFilter({ own, parent }) {
  const found = await medians(() =>
    visit(own, `/r/${parent}`, async (page) => {
      const typed = async (id, text) => {
        await longest(page);
        const before = performance.now();
        await page.locator(id).fill(text);
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
        const took = performance.now() - before;
        await page.waitForTimeout(100);
        return [took, await longest(page)];
      };
      const [find, findTask] = await typed("#wf-find", "/part/7");
      const [filter, filterTask] = await typed("#wf-filter", "/part/77");
      return { find, findTask, filter, filterTask, rows: await page.locator(".w").count() };
    }),
  );
  say(`  find and filter in its ${found.rows} rows`, [`find ${ms(found.find)} (longest task ${ms(found.findTask)})`, `filter ${ms(found.filter)} (longest task ${ms(found.filterTask)})`]);
}

/** Loads 10,000 rows into the table of a search. */
async function tenThousandRows() {
  const found = await medians(() =>
    visit(world, "/search?last=1h", async (page) => {
      await longest(page);
      const before = performance.now();
      await page.getByRole("link", { name: "Next records" }).click();
      await page.locator("[data-search-count]").getByText(/^10000 records/).waitFor({ timeout: 120_000 });
      const took = performance.now() - before;
      return { took, loading: await longest(page), scrolling: await scroll(page) };
    }),
  );
  say("  10,000 rows of it", [`loaded in ${ms(found.took)}`, `longest task meanwhile ${ms(found.loading)}, while scrolling ${ms(found.scrolling)}`]);
}

await figuresOf("the box", world, "/");
await figuresOf("a story of many records", world, `/r/${examples.story.ray}`);
await figuresOf("a visitor with subrequests", world, `/r/${examples.visitor_with_subrequests.ray}`);
await figuresOf("operations", world, "/ops");
await figuresOf("a search", world, "/search?last=1h");
await tenThousandRows();
const large = await family();
await figuresOf(`a ray with ${CHILDREN.toLocaleString("en")} children`, large.own, `/r/${large.parent}`);
await findAndFilter(large);
await large.own.stop();
await browser.close();
world.stop();
process.exit(0);
