// What a look-up weighs and how soon it is seen: medians of five, for a person to read. `node tests/browser/figures.mjs`, from
// scripts/browser --figures. Nothing is asserted: the times are this machine's.
import { gzipSync } from "node:zlib";
import { browser, cookieOf, world } from "./harness.mjs";

const RUNS = 5;
const { examples } = world;

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** One load in a browser of its own cache: bytes as gzip would send them, milliseconds to the answer and to the first paint. */
async function load(path) {
  const context = await browser.newContext();
  await context.addCookies([cookieOf("support")]);
  const page = await context.newPage();
  const bodies = [];
  page.on("response", (response) => bodies.push(response.body().catch(() => Buffer.alloc(0))));
  await page.goto(world.url + path, { waitUntil: "networkidle" });
  const times = await page.evaluate(() => {
    const [navigation] = performance.getEntriesByType("navigation");
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    return { answer: navigation.responseEnd, paint: paint.startTime };
  });
  const bytes = (await Promise.all(bodies)).map((body) => gzipSync(body).length);
  await context.close();
  return { bytes: bytes.reduce((sum, count) => sum + count, 0), requests: bytes.length, ...times };
}

for (const [name, path] of [
  ["the box", "/"],
  ["a story of many records", `/r/${examples.story.ray}`],
  ["a visitor with subrequests", `/r/${examples.visitor_with_subrequests.ray}`],
]) {
  const runs = [];
  for (let run = 0; run < RUNS; run += 1) runs.push(await load(path));
  const of = (member) => median(runs.map((run) => run[member]));
  const words = [
    `${(of("bytes") / 1024).toFixed(1)} KB gzipped in ${of("requests")} requests`,
    `answer after ${of("answer").toFixed(0)} ms`,
    `first paint ${(median(runs.map(({ paint, answer }) => paint - answer))).toFixed(0)} ms later`,
  ];
  process.stdout.write(`${name}: ${words.join(", ")}\n`);
}
await browser.close();
world.stop();
process.exit(0);
