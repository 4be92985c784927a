// Each verdict on a ray without records, from a bucket in which it is so: its words, its time line, and the wait that finds it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { firewallEvent, keyOf, rayAt, request } from "../attack/lib/records.mjs";
import { isTooWide, open } from "./harness.mjs";
import { clock, ownWorld } from "./worlds.mjs";

const HOUR = 3_600_000;
/** Time that a batch covers. */
const BATCH = 30_000;
const NOW = Math.floor(Date.now() / 1000) * 1000;
const [LOGGED, QUARANTINED, DAMAGED, GAPPED, OPEN, SKEWED] = [4, 8, 12, 16, 20, 40].map((hours) => NOW - hours * HOUR);
const TWELVE = Array.from({ length: 12 }, (_, nth) => nth);

/** Whether the bucket takes nothing that the Worker writes, such as the lines for the partner: what is read then stays open. */
let isFull = false;
const OPTIONS = { partner: true, settings: { LOG_RETENTION_DAYS: "30" }, faults: ({ op }) => (isFull && op === "put" ? "error" : null) };
const theWorld = ownWorld(OPTIONS, async (own) => {
  await own.index(batchesOf(LOGGED));
  await own.index(batchesOf(DAMAGED, { 3: `${lines(DAMAGED).join("\n")}\nno record\n` }));
  await own.index(batchesOf(GAPPED, { 4: null, 5: null }));
  await handOver(own, batchesOf(QUARANTINED, { 3: "a,b\n1,2\n" }));
});

/** A batch of a dozen requests of a zone. */
const lines = (ms, ahead = 0) =>
  Array.from({ length: 12 }, (_, nth) => {
    const at = ms + nth * 2_000;
    return request({ ms: at, low: 9, host: "www.b.example", RayID: rayAt(at + ahead, 9) });
  });
const batchesOf = (ms, but = {}) =>
  TWELVE.filter((nth) => but[nth] !== null).map((nth) => {
    const at = ms + nth * BATCH;
    const text = but[nth] ?? `${lines(at).join("\n")}\n`;
    return { key: keyOf("http_requests", at, nth), bytes: Buffer.from(text) };
  });

/** Hands batches to the Worker, whatever becomes of them. */
async function handOver(own, batches) {
  const events = [];
  for (const { key, bytes } of batches) events.push(own.runtime.event(await own.runtime.put(key, bytes)));
  await own.runtime.dispatch("parse-queue", events);
}

/** Opens the page of a ray that no batch has, and checks what every verdict has. */
async function verdict(own, page, [ms, query = ""], code, heading, words) {
  const ray = rayAt(ms, 1);
  const reply = await page.goto(`${own.url}/r/${ray}${query}`);
  assert.equal(reply.status(), 404);
  assert.equal(await page.locator("[data-verdict]").getAttribute("data-verdict"), code);
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), heading);
  assert.match(await page.locator(".lead").innerText(), words, code);
  const shown = await page.locator("main").evaluate((main) => {
    const copy = main.cloneNode(true);
    for (const name of copy.querySelectorAll("code, svg")) name.remove();
    return copy.textContent;
  });
  assert.doesNotMatch(shown, /[a-z]_[a-z]|GET \/|POST \//, "words for people");
  assert.ok((await page.locator("main").innerText()).includes(ray));
  return ray;
}

/** The kinds of the parts of the time line, with the words beside it, which the picture has too. */
async function timeLine(page) {
  const drawn = await page.locator(".time-line rect[class]:not(.rest)").evaluateAll((parts) => parts.map((part) => [part.getAttribute("class"), part.textContent]));
  const said = await page.locator(".legend li").evaluateAll((items) => items.map((item) => [item.className, item.textContent]));
  assert.deepEqual(said, drawn);
  return said;
}

const fact = (page, name) => page.locator(".figures tr", { has: page.locator("th", { hasText: new RegExp(`^${name}$`) }) }).locator("td").first();
const span = (ms, from, to) => `${clock(ms + from * BATCH)} to ${clock(ms + to * BATCH)}`;

test("a ray whose batches were all read is not logged, once the bucket was searched", async () => {
  const own = await theWorld();
  await open({ at: own, expected: [404] }, async (page) => {
    await verdict(own, page, [LOGGED], "maybe_not_logged", "Not found: maybe not logged", /the bucket was not searched/);
    assert.deepEqual(await timeLine(page), [["sealed", `Sealed: ${span(LOGGED, 0, 10)}`]]);
    await own.runtime.scheduled();
    await verdict(own, page, [LOGGED], "not_logged", "Not found: not logged", /All batches of its time were read, and none has it/);
    assert.equal(await fact(page, "Batches read").innerText(), "10");
    assert.equal(await fact(page, "Records in them").innerText(), "120");
    assert.equal(await page.locator(".doubt").count(), 0);
  });
});

test("quarantined batches and lines that are no records leave a doubt, with the batches named", async () => {
  const own = await theWorld();
  await open({ at: own, expected: [404], theme: "dark" }, async (page) => {
    await verdict(own, page, [QUARANTINED], "maybe_not_logged", "Not found: maybe not logged", /Quarantined batches of its time may contain it \(1\)/);
    assert.equal((await timeLine(page))[0][0], "quarantined");
    assert.equal(await fact(page, "Quarantined batches").innerText(), "1");
    const handle = await page.locator(".handles a").first().innerText();
    const { batch } = JSON.parse((await own.ask("support", `/v1/batches/${handle}`)).text);
    assert.equal(batch.object.key, keyOf("http_requests", QUARANTINED + 3 * BATCH, 3));
    await verdict(own, page, [DAMAGED], "maybe_not_logged", "Not found: maybe not logged", /lines that are not records \(1\)/);
    assert.equal(await fact(page, "Rejected lines").innerText(), "1");
  });
});

test("a gap is on the time line, with its times", async () => {
  const own = await theWorld();
  await open({ at: own, expected: [404], width: 320 }, async (page) => {
    await verdict(own, page, [GAPPED], "maybe_not_logged", "Not found: maybe not logged", /No batch covers all of its time/);
    assert.deepEqual(await timeLine(page), [
      ["sealed", `Sealed: ${span(GAPPED, 0, 4)}`],
      ["sealed", `Sealed: ${span(GAPPED, 6, 10)}`],
      ["gap", `No batch: ${span(GAPPED, 4, 6)}`],
    ]);
    const red = await page.locator(".time-line .gap").evaluate((gap) => getComputedStyle(gap).stroke);
    const error = await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue("--error"));
    const [r, g, b] = red.match(/\d+/g).map(Number);
    assert.ok(Math.max(r, g, b) - Math.min(r, g, b) < 40, `no colour of an error: ${red}, not ${error}`);
    assert.equal(await isTooWide(page), false);
  });
});

test("a batch that is being indexed is pending, and its ray is waited for", async () => {
  const own = await theWorld();
  await open({ at: own, expected: [404] }, async (page) => {
    const batches = batchesOf(OPEN);
    await own.index(batches.filter((_, nth) => nth !== 3));
    isFull = true;
    await handOver(own, [batches[3]]);
    isFull = false;
    await verdict(own, page, [OPEN], "not_yet", "Not yet", /still being indexed \(1\)/);
    assert.equal((await timeLine(page))[0][0], "pending");
    assert.equal(await fact(page, "Batches being indexed").innerText(), "1");
    await page.getByText(/Asks again by itself in \d+ s\./).waitFor();
  });
});

test("a ray of the future, one that is too old, and one of another dataset say so", async () => {
  const own = await theWorld();
  await open({ at: own, expected: [404] }, async (page) => {
    await verdict(own, page, [NOW + 400 * 24 * HOUR], "ahead_of_clock", "Not found: its time is in the future", /check its digits/);
    assert.equal(await page.locator("[data-retry-after]").count(), 0);
    await verdict(own, page, [NOW - 31 * 24 * HOUR], "older_than_kept", "Not found: older than the logs", /older than the logs, which begin at \d{4}-/);
    await own.index([{ key: keyOf("firewall_events", LOGGED, 1), lines: [firewallEvent({ ms: LOGGED, low: 1 })] }]);
    const ray = await verdict(own, page, [LOGGED, "?dataset=http_requests"], "in_another_dataset", "Found in another dataset", /not in the dataset of this address/);
    await page.getByRole("link", { name: "Show them" }).click();
    await page.locator(`[data-ray="${ray}"]:not([data-verdict])`).first().waitFor();
  });
});

test("a caller who sees one zone is shown a verdict without figures of others", async () => {
  const own = await theWorld();
  await open({ at: own, as: "support-a", expected: [404] }, async (page) => {
    for (const ms of [QUARANTINED, DAMAGED, GAPPED, OPEN]) {
      await verdict(own, page, [ms], "maybe_not_logged", "Not found: maybe not logged", /Either the request was not logged/);
      assert.equal(await page.locator(".time-line, .figures, .handles").count(), 0);
    }
  });
});

test("the page asks again by itself, and finds the ray once its batch has come", async () => {
  const own = await theWorld();
  await open({ at: own, expected: [404] }, async (page) => {
    await page.clock.install();
    const ms = Date.now() - 20_000;
    const ray = await verdict(own, page, [ms], "not_yet", "Not yet", /may not have landed/);
    await page.getByText(/Asks again by itself in \d+ s\./).waitFor();
    const seconds = Number(await page.locator("[data-retry-after]").getAttribute("data-retry-after"));
    await page.clock.runFor(1000 * (seconds - 2));
    assert.match(await page.locator("[data-countdown]").innerText(), /in 2 s\.$/);
    await own.index([{ key: keyOf("http_requests", ms - 10_000, 7), lines: [request({ ms, low: 1 })] }]);
    await page.clock.runFor(2_000);
    await page.locator(`[data-ray="${ray}"]:not([data-verdict])`).first().waitFor();
    assert.equal(await page.locator("[data-retry-after]").count(), 0);
  });
});

// Last, since rays with other times than their records leave a doubt about others too.
test("rays with other times than their records say nothing of what to wait for", async () => {
  const own = await theWorld();
  await open({ at: own, expected: [404] }, async (page) => {
    const batches = TWELVE.map((nth) => ({ key: keyOf("http_requests", SKEWED + nth * BATCH, nth), lines: lines(SKEWED + nth * BATCH, 20 * 60_000) }));
    await own.index(batches);
    await own.runtime.scheduled();
    await verdict(own, page, [SKEWED], "of_unknown_layout", "Not found: its ID does not say when it was", /search by the time of the request/);
    await page.getByRole("link", { name: "Search by time" }).click();
    await page.getByRole("heading", { name: "Search", level: 1 }).waitFor();
  });
});
