// Archives of requests (`format=har`) against the published schema of HAR 1.2, by har-validator.
//
// For `node --test`, run by world.mjs. RAYDEX_ARCHIVES: how many rays are asked for. What was logged is read here without
// any of raydex's code.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { har as validate } from "har-validator";

const { RAYDEX_URL: url, RAYDEX_TOKEN: token, RAYDEX_SAMPLE, RAYDEX_ARCHIVES = "100" } = process.env;

const { batches } = JSON.parse(fs.readFileSync(path.join(RAYDEX_SAMPLE, "manifest.json")));
const RECORDS = batches
  .filter(({ dataset }) => dataset === "http_requests")
  .flatMap(({ key }) => gunzipSync(fs.readFileSync(path.join(RAYDEX_SAMPLE, key))).toString().split("\n"))
  .filter(Boolean)
  .map((line) => JSON.parse(line));
const BY_RAY = new Map(RECORDS.map((record) => [record.RayID, record]));

/** The rays that this one caused, and itself. */
function family(ray) {
  const below = RECORDS.filter((record) => record.ParentRayID === ray).map((record) => record.RayID);
  return [ray, ...below.flatMap(family)];
}

/** Every n-th ray of the sample, as many as are wanted. */
const RAYS = [...BY_RAY.keys()].filter((_, place) => place % Math.ceil(BY_RAY.size / RAYDEX_ARCHIVES) === 0);

async function archive(ray) {
  const answer = await fetch(`${url}/v1/rays/${ray}?format=har`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200, ray);
  assert.equal(answer.headers.get("content-disposition"), `attachment; filename="${ray}.har"`);
  return answer.json();
}

test("archives are valid, and say what was logged", async () => {
  let entries = 0;
  for (const ray of RAYS) {
    const made = await archive(ray);
    await validate(made);
    const { log } = made;
    assert.deepEqual(log.entries.map((entry) => entry._ray).sort(), family(ray).sort());
    assert.deepEqual(log.pages.map(({ title }) => title), [ray]);
    for (const [place, entry] of log.entries.entries()) {
      entries += 1;
      const logged = BY_RAY.get(entry._ray);
      const { blocked, dns, connect, ssl, send, wait, receive } = entry.timings;
      const sum = [blocked, dns, connect, send, wait, receive].filter((part) => part >= 0).reduce((all, part) => all + part);
      assert.ok(Math.abs(sum - entry.time) < 1e-6, `${sum} of ${entry.time}`);
      assert.ok(ssl <= connect && entry.time >= logged.EdgeTimeToFirstByteMs);
      assert.equal(entry.response.status, logged.EdgeResponseStatus);
      assert.equal(entry.request.method, logged.ClientRequestMethod);
      assert.equal(new URL(entry.request.url).hostname, logged.ClientRequestHost);
      assert.ok(place === 0 || Date.parse(log.entries[place - 1].startedDateTime) <= Date.parse(entry.startedDateTime));
      const texts = JSON.stringify(entry);
      for (const cookie of Object.values(logged.Cookies ?? {})) assert.ok(!texts.includes(cookie), ray);
    }
  }
  assert.ok(RAYS.length >= Math.min(Number(RAYDEX_ARCHIVES), BY_RAY.size) / 2 && entries >= RAYS.length);
  console.log(`${RAYS.length} archives with ${entries} entries`);
});

test("the validator refuses what is no archive", async () => {
  const made = await archive(RAYS[0]);
  delete made.log.entries[0].timings.wait;
  await assert.rejects(validate(made));
});
