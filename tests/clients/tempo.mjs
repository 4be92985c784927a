// Tempo's API, asked by the client of Perses and with the requests that Grafana's data source makes.
//
// For `node --test`, run by world.mjs. What was logged is read here without any of raydex's code.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

const { query, search, searchTags, searchTagValues, searchWithFallback } = createRequire(import.meta.url)(
  "@perses-dev/tempo-plugin/lib/cjs/model/tempo-client.js",
);
const { RAYDEX_URL: url, RAYDEX_TOKEN: token, RAYDEX_SAMPLE } = process.env;
const options = { datasourceUrl: `${url}/tempo`, headers: { authorization: `Bearer ${token}` } };

const { batches } = JSON.parse(fs.readFileSync(path.join(RAYDEX_SAMPLE, "manifest.json")));
const RECORDS = batches
  .filter(({ dataset }) => dataset === "http_requests")
  .flatMap(({ key }) => gunzipSync(fs.readFileSync(path.join(RAYDEX_SAMPLE, key))).toString().split("\n"))
  .filter(Boolean)
  .map((line) => JSON.parse(line));
const PARENT = RECORDS.find((record) => RECORDS.some(({ ParentRayID }) => ParentRayID === record.RayID));
const RANGE = { start: Date.parse("2026-03-28T07:00:00Z") / 1000, end: Date.parse("2026-03-28T09:00:00Z") / 1000 };

test("Perses gets a trace, tags, values and searches", async () => {
  const { batches: resources } = await query({ traceId: PARENT.RayID.padStart(32, "0") }, options);
  const spans = resources.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  const child = RECORDS.find(({ ParentRayID }) => ParentRayID === PARENT.RayID);
  for (const { RayID } of [PARENT, child]) assert.ok(spans.some(({ spanId }) => spanId === RayID), RayID);
  const { scopes } = await searchTags({}, options);
  assert.deepEqual(scopes.map(({ name }) => name), ["resource", "span", "intrinsic"]);
  assert.ok(scopes[1].tags.includes("http.request.method"));
  const { tagValues } = await searchTagValues({ tag: "resource.service.name", ...RANGE }, options);
  assert.deepEqual(tagValues.map(({ value }) => value), [...new Set(RECORDS.map((record) => record.ClientRequestHost))].sort());
  const failed = RECORDS.filter((record) => record.EdgeResponseStatus >= 500).length;
  const q = "{ span.http.response.status_code >= 500 }";
  const { traces } = await search({ q, limit: 100, spss: 10, ...RANGE }, options);
  assert.ok(failed > 0 && traces.reduce((sum, { spanSets }) => sum + spanSets[0].matched, 0) >= Math.min(failed, 100));
  const summed = await searchWithFallback({ q, limit: 3, ...RANGE }, options);
  assert.equal(summed.traces.length, 3);
  assert.ok(summed.traces.every(({ serviceStats }) => Object.values(serviceStats).some(({ spanCount }) => spanCount > 0)));
  await assert.rejects(search({ q: "{} | rate()", ...RANGE }, options), /after a pipe/);
});

test("every request of Grafana's data source is answered in its type", async () => {
  const [id, range] = [PARENT.RayID.padStart(32, "0"), `start=${RANGE.start}&end=${RANGE.end}`];
  const [text, json, protobuf] = ["text/plain; charset=utf-8", "application/json", "application/protobuf"];
  const q = encodeURIComponent("{ status = error }");
  const tag = encodeURIComponent(encodeURIComponent("resource.service.name"));
  for (const [asked, accept, status, type] of [
    ["/api/echo", "*/*", 200, text],
    ["/api/status/buildinfo", json, 200, json],
    [`/api/v2/traces/${id}`, protobuf, 200, protobuf],
    [`/api/v2/traces/${PARENT.RayID}?${range}`, protobuf, 200, protobuf],
    [`/api/traces/${id}`, protobuf, 200, protobuf],
    [`/api/v2/traces/${id}`, json, 200, json],
    [`/api/traces/${id}`, json, 200, json],
    ["/api/v2/traces/0000000000000000ffffffffffffffff", protobuf, 404, text],
    ["/api/v2/traces/what", protobuf, 400, text],
    [`/api/search?q=${q}&limit=20&spss=3&${range}`, json, 200, json],
    [`/api/search?tags=${encodeURIComponent('service.name="www.example.net"')}&minDuration=1ms&limit=20&${range}`, json, 200, json],
    [`/api/search?q=${encodeURIComponent("{} | rate()")}&${range}`, json, 400, text],
    [`/api/v2/search/tags?limit=5000&${range}`, json, 200, json],
    ["/api/search/tags", json, 200, json],
    [`/api/v2/search/tag/${tag}/values?q=${q}&limit=5000&${range}`, json, 200, json],
    ["/api/search/tag/service.name/values", json, 200, json],
    ["/api/v2/search/tag/unknown/values", json, 200, json],
    [`/api/metrics/query_range?q=${q}&${range}&step=60s`, json, 404, text],
  ]) {
    const answer = await fetch(`${url}/tempo${asked}`, { headers: { authorization: `Bearer ${token}`, accept } });
    const body = await answer.text();
    assert.deepEqual([answer.status, answer.headers.get("content-type")], [status, type], `${asked} ${body.slice(0, 200)}`);
    if (type === text && status !== 200) assert.match(body, /^[A-Z].*\.\n$/);
  }
  const refused = await fetch(`${url}/tempo/api/echo`);
  assert.deepEqual([refused.status, refused.headers.get("content-type")], [401, text]);
});
