// A look-up weighs little: the document of a ray with 20 records, its style sheets and its scripts, as gzip sends them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { firewallEvent, keyOf, rayAt, request } from "../attack/lib/records.mjs";
import { open } from "./harness.mjs";
import { gzippedOf } from "./weight.mjs";
import { ownWorld } from "./worlds.mjs";

const MOST = 35 * 1024;
const MS = Math.floor((Date.now() - 1_800_000) / 1000) * 1000;

const theWorld = ownWorld();

test("a look-up of 20 records weighs less than 35 KB in all", async () => {
  const own = await theWorld();
  const ray = rayAt(MS, 1);
  const children = Array.from({ length: 7 }, (_, nth) => request({ ms: MS + 20 + nth * 10, low: 2 + nth, ParentRayID: ray, WorkerSubrequest: true, ClientRequestURI: `/api/part/${nth}` }));
  const events = Array.from({ length: 12 }, (_, nth) => firewallEvent({ ms: MS, low: 1, RuleID: `rule-${nth}`, Action: nth % 2 ? "log" : "managed_challenge" }));
  await own.index([
    { key: keyOf("http_requests", MS, 1), lines: [request({ ms: MS, low: 1 }), ...children] },
    { key: keyOf("firewall_events", MS, 2), lines: events },
  ]);
  const bodies = [];
  await open({ at: own }, async (page, context) => {
    context.on("response", (response) => bodies.push(response.body()));
    await page.goto(`${own.url}/r/${ray}`, { waitUntil: "networkidle" });
    assert.equal(await page.locator(".w").count(), 8);
    assert.ok((await page.locator(".rec").count()) >= 13, "the records of the ray itself, at least");
  });
  const bytes = await gzippedOf(bodies);
  console.log(`a look-up of 20 records weighs ${(bytes / 1024).toFixed(1)} KB gzipped in ${bodies.length} requests`);
  assert.ok(bodies.length >= 6 && bytes < MOST, `${bytes} bytes in ${bodies.length} answers`);
});
