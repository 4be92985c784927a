// Cloudflare's own SDK for JavaScript against raydex: nothing but the base URL and the token are changed.
//
// For `node --test`, run by world.mjs. Each answer is compared with the batches themselves, which are read here without
// any of raydex's code.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import Cloudflare from "cloudflare";

const { RAYDEX_URL: url, RAYDEX_TOKEN: token, RAYDEX_ZONE: zone_id, RAYDEX_ZONE_NAME, RAYDEX_SAMPLE } = process.env;
const DEFAULTS = ("ClientIP ClientRequestHost ClientRequestMethod ClientRequestURI EdgeEndTimestamp EdgeResponseBytes " +
  "EdgeResponseStatus EdgeStartTimestamp RayID").split(" ");
const TIMES = ["EdgeStartTimestamp", "EdgeEndTimestamp"];
/** Three minutes: three batches, each with another unit of its timestamps. */
const RANGE = { start: "2026-03-28T08:01:00Z", end: "2026-03-28T08:04:00Z" };
/** All of it, late records too. */
const EVER = { start: "2026-03-28T07:00:00Z", end: "2026-03-28T09:00:00Z" };

/** The records of NDJSON; numbers too long for JavaScript become BigInts. */
function parsed(text) {
  const exact = (_, value) => (typeof value === "string" && value.startsWith("big:") ? BigInt(value.slice(4)) : value);
  const lines = text.split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line.replace(/:\s*(\d{16,})(?=\s*[,}])/g, ':"big:$1"'), exact));
}

/** A time as it is stored, in Unix nanoseconds. */
function nanoseconds(time) {
  if (typeof time === "bigint") return time;
  if (typeof time === "number") return BigInt(time) * 1_000_000_000n;
  return BigInt(Date.parse(time)) * 1_000_000n;
}

/** The same as a client asks for it. */
function spelled(time, form) {
  const at = nanoseconds(time);
  if (form === "unixnano") return at;
  const seconds = Number(at / 1_000_000_000n);
  return form === "unix" ? seconds : new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}

const { batches } = JSON.parse(fs.readFileSync(path.join(RAYDEX_SAMPLE, "manifest.json")));
const RECORDS = batches
  .filter(({ dataset }) => dataset === "http_requests")
  .flatMap(({ key }) => parsed(gunzipSync(fs.readFileSync(path.join(RAYDEX_SAMPLE, key))).toString()));

/** The records of the zone that began in the range. */
function ofZone({ start, end }) {
  const began = ({ EdgeStartTimestamp: at }) => nanoseconds(start) <= nanoseconds(at) && nanoseconds(at) < nanoseconds(end);
  return RECORDS.filter((record) => record.ZoneName === RAYDEX_ZONE_NAME && began(record));
}

/** Records in an order that has nothing to do with where they stand, each with its members in order. */
function sorted(records) {
  const text = (value) => (typeof value === "bigint" ? `${value}n` : JSON.stringify(value));
  const line = (record) => Object.keys(record).sort().map((name) => `${name}=${text(record[name])}`).join(" ");
  return records.map(line).sort();
}

function same(answer, records, { fields = DEFAULTS, form = "unixnano" } = {}) {
  assert.ok(records.length > 0, "the sample holds nothing to compare with");
  const value = (record, name) => (TIMES.includes(name) ? spelled(record[name], form) : record[name]);
  const shown = (record) => Object.fromEntries(fields.filter((name) => name in record).map((name) => [name, value(record, name)]));
  assert.deepEqual(sorted(parsed(answer)), sorted(records.map(shown)));
}

const client = (apiToken = token) => new Cloudflare({ baseURL: `${url}/client/v4`, apiToken, maxRetries: 0 });
const { logs } = client();
const received = (query) => logs.received.get({ zone_id, ...RANGE, ...query });

test("a range is answered with its records", async () => {
  same(await received(), ofZone(RANGE));
  same(await received(EVER), ofZone(EVER));
});

test("times of a range are taken in every spelling", async () => {
  const [start, end] = [RANGE.start, RANGE.end].map((time) => Date.parse(time) / 1000);
  same(await received({ start, end }), ofZone(RANGE));
  same(await received({ start: `${start}000000000`, end: `${end}000000000` }), ofZone(RANGE));
});

test("timestamps come as they are asked for", async () => {
  for (const form of ["unixnano", "unix", "rfc3339"]) same(await received({ timestamps: form }), ofZone(RANGE), { form });
});

test("the fields are those that are asked for", async () => {
  const fields = ["RayID", "EdgeStartTimestamp", "CacheCacheStatus", "NoSuchField"];
  same(await received({ fields: fields.join(",") }), ofZone(RANGE), { fields });
});

test("the safety switch is understood or refused", async () => {
  same(await received({ "CVE-2021-44228": true }), ofZone(RANGE));
  await assert.rejects(received({ "CVE-2021-44228": "on" }), Cloudflare.BadRequestError);
});

test("a count is not passed", async () => {
  const rays = parsed(await received({ count: 7 })).map((record) => record.RayID);
  const known = ofZone(RANGE).map((record) => record.RayID);
  assert.equal(rays.length, 7);
  assert.ok(rays.every((ray) => known.includes(ray)));
});

test("a sample is a part, and the same each time", async () => {
  const [one, other] = [await received({ ...EVER, sample: 0.2 }), await received({ ...EVER, sample: 0.2 })];
  const count = parsed(one).length;
  assert.ok(0 < count && count < ofZone(EVER).length, `${count}`);
  assert.deepEqual(sorted(parsed(one)), sorted(parsed(other)));
});

test("a ray is answered with its records", async () => {
  const rays = ofZone(EVER).slice(0, 20).map((record) => record.RayID);
  for (const ray of rays) {
    const records = RECORDS.filter((record) => record.RayID === ray);
    same(await logs.RayID.get(ray, { zone_id }), records);
    same(await logs.RayID.get(`${ray}-SJC`, { zone_id, timestamps: "rfc3339" }), records, { form: "rfc3339" });
  }
  assert.equal(await logs.RayID.get("764660d8ec5c2ab1", { zone_id }), "");
});

test("a ray of another zone has no records", async () => {
  const other = RECORDS.find((record) => record.ZoneName !== RAYDEX_ZONE_NAME);
  assert.equal(await logs.RayID.get(other.RayID, { zone_id }), "");
});

test("the fields are told", async () => {
  const fields = await logs.received.fields.get({ zone_id });
  assert.ok(DEFAULTS.every((name) => fields[name]) && Object.keys(fields).length > 100);
});

test("logs are kept", async () => {
  const { retention } = logs.control;
  assert.deepEqual(await retention.get({ zone_id }), { flag: true });
  assert.deepEqual(await retention.create({ zone_id, flag: true }), { flag: true });
  await assert.rejects(retention.create({ zone_id, flag: false }), Cloudflare.BadRequestError);
});

test("a bad query is a bad request, in Logpull's words", async () => {
  const words = (text) => (error) => error instanceof Cloudflare.BadRequestError && error.message.includes(text);
  await assert.rejects(received({ start: "yesterday" }), words("error parsing start time: must be unix timestamp"));
  await assert.rejects(received({ start: RANGE.end, end: RANGE.start }), words("start not before end"));
});

test("a wrong token is an authentication error", async () => {
  const asked = client("wrong").logs.received.fields.get({ zone_id });
  await assert.rejects(asked, (error) => error instanceof Cloudflare.AuthenticationError && error.errors[0].code === 10000);
});

test("another zone is denied", async () => {
  const zone = { zone_id: "0".repeat(32) };
  for (const ask of [() => logs.received.fields.get(zone), () => logs.control.retention.get(zone)]) {
    await assert.rejects(ask, (error) => error instanceof Cloudflare.PermissionDeniedError && error.errors[0].code === 10000);
  }
});

// The last one: the caller may ask nothing for a while.
test("asking too often is a rate limit error", async () => {
  const ask = async () => {
    for (let count = 0; count < 500; count += 1) await logs.control.retention.get({ zone_id });
  };
  await assert.rejects(ask(), (error) => error instanceof Cloudflare.RateLimitError && Number(error.headers.get("retry-after")) >= 1);
});
