// A thousand canaries as a viewer: secrets and addresses in all fields, and a mark in each field that a viewer does not see. A
// viewer walks through every page, and nothing of them is in a document or in a body that came with one.
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { fieldsOf, plantOf, seenIn, valueOf } from "../attack/lib/plants.mjs";
import { randomOf } from "../attack/lib/random.mjs";
import { firewallEvent, keyOf, rayAt, request } from "../attack/lib/records.mjs";
import { open } from "./harness.mjs";
import { ownWorld } from "./worlds.mjs";

const PLANTS = 1_000;
const DATASETS = ["http_requests", "firewall_events", "workers_trace_events"];
/** Fields that say what a record is; a plant there would make it another one. */
const OWN = ["RayID", "EdgeStartTimestamp", "EdgeEndTimestamp", "ZoneName", "Datetime", "Event", "EventTimestampMs", "Outcome", "ScriptName", "ParentRayID", "OriginatorRayID", "ClientRequestHost"];
const MS = Math.floor((Date.now() - 1_800_000) / 1000) * 1000;

const { records, plants, marks } = planted();
const theWorld = ownWorld({ partner: true }, (own) =>
  own.index(DATASETS.map((dataset, at) => ({ key: keyOf(dataset, MS, at), lines: records.filter((record) => record.dataset === dataset).map(({ line }) => line) }))),
);

/** The fields that a role does not see at all, by dataset, from schemas/field_classes.toml. */
function hiddenFields(role) {
  const text = fs.readFileSync(new URL("../../schemas/field_classes.toml", import.meta.url), "utf8");
  const [hidden, found] = [new Set(), {}];
  let section = "";
  for (const line of text.split("\n")) {
    section = /^\[([a-z_.]+)\]$/.exec(line)?.[1] ?? section;
    const [, name, value] = /^([A-Za-z0-9]+) = "([a-z_]+)"/.exec(line) ?? [];
    if (section.startsWith("class.") && name === role && value === "hidden") hidden.add(section.slice("class.".length));
    if (section.startsWith("fields.") && hidden.has(value)) (found[section.slice("fields.".length)] ??= []).push(name);
  }
  return found;
}

/** Records of each dataset, in turns, with a plant in each of their fields, until there are enough; then one with marks. */
function planted() {
  const [random, known, hidden] = [randomOf(19), fieldsOf(), hiddenFields("viewer")];
  const [records, plants, marks] = [[], new Map(), new Map()];
  const add = (dataset, more) => {
    const ray = rayAt(MS + records.length, records.length);
    records.push({ dataset, ray, line: recordOf(dataset, records.length, more) });
  };
  while (plants.size < PLANTS) {
    const dataset = DATASETS[records.length % DATASETS.length];
    const more = {};
    for (const [field, type] of [...known[dataset], ["Unlisted", "string"], ["UnlistedToo", "object"]]) {
      if (OWN.includes(field)) continue;
      const plant = plantOf(random, plants.size);
      plants.set(plant.core, { ...plant, field: `${dataset}.${field}` });
      more[field] = valueOf(type, plant.text);
    }
    add(dataset, more);
  }
  for (const dataset of DATASETS) {
    const fields = [...(hidden[dataset] ?? []).filter((field) => !OWN.includes(field)), "Unlisted"];
    const types = new Map(known[dataset]);
    // A word as any other, which nothing but the name of its field gives away.
    const mark = (field) => {
      const word = `q7z${random.text(18)}`;
      marks.set(word, { field: `${dataset}.${field}`, text: word });
      return word;
    };
    add(dataset, Object.fromEntries(fields.map((field) => [field, valueOf(types.get(field) ?? "string", mark(field))])));
  }
  return { records, plants, marks };
}

function recordOf(dataset, low, more) {
  const its = { ms: MS + low, low };
  if (dataset === "http_requests") return request({ ...its, ...more });
  if (dataset === "firewall_events") return firewallEvent({ ...its, ...more });
  const event = { RayID: rayAt(MS + low, low), Request: { URL: "https://www.a.example/", Method: "GET" } };
  return JSON.stringify({ Event: event, EventTimestampMs: MS + low, EventType: "fetch", Outcome: "ok", ScriptName: "shop", ...more });
}

const range = `start=${new Date(MS - 60_000).toISOString()}&end=${new Date(MS + 60_000).toISOString()}`;

/** Every page of these records, with the statuses that it may have. */
function pagesOf(some) {
  const pages = some.flatMap(({ ray, dataset }) => [
    ...["record", "json", "partner", "deliveries"].map((tab) => [`/r/${ray}?tab=${tab}`, [200]]),
    [`/r/${ray}?dataset=${dataset}`, [200]],
    [`/r/${ray}?dataset=dns_logs`, [400, 403, 404]],
  ]);
  for (let at = 0; at < some.length; at += 20) pages.push([`/rays?ids=${some.slice(at, at + 20).map(({ ray }) => ray)}`, [200]]);
  for (const dataset of DATASETS) {
    pages.push([`/search?${range}&dataset=${dataset}`, [200]]);
    pages.push([`/search?${range}&dataset=${dataset}&field1=RayID&operator1=eq&value1=${some[0].ray}`, [200, 403]]);
    pages.push([`/search?${range}&dataset=${dataset}&field1=Cookies&operator1=contains&value1=a`, [200, 400, 403]]);
  }
  pages.push(["/ops", [200]], ["/", [200]], ["/sign-in", [200]], ["/nothing", [404]], ["/r/no%20ray", [400]], [`/r/${rayAt(MS, 99_999)}`, [404]], ["/ops/payloads?decision=drop", [403]]);
  return pages;
}

/** Walks through pages as a role; returns the marks that were seen, each with where. */
async function walk(role, pages, all) {
  const own = await theWorld();
  const seen = new Map();
  let [at, bodies] = ["", 0];
  const look = (text, where) => {
    for (const core of seenIn(text, all)) if (!seen.has(core)) seen.set(core, where);
  };
  const onBody = (text) => {
    bodies += 1;
    look(text, `a body at ${at}`);
  };
  await open({ at: own, as: role, expected: [400, 403, 404, 413], bodies: onBody }, async (page) => {
    for (const [path, statuses] of pages) {
      at = path;
      const reply = await page.goto(own.url + path);
      assert.ok(statuses.includes(reply.status()), `${path}: ${reply.status()}`);
      if (path.startsWith("/search") && (await page.getByRole("link", { name: "Next records" }).count()) > 0) {
        await page.getByRole("link", { name: "Next records" }).click();
        await page.locator("[data-search-count]").getByText(/\d records\.$/).waitFor();
      }
      look(await page.content(), `the document at ${path}`);
      look(await page.evaluate(() => [...document.querySelectorAll("input, textarea")].map((box) => box.value).join("\n") + JSON.stringify(localStorage)), `a form at ${path}`);
    }
  });
  assert.ok(bodies >= pages.length, `${bodies} bodies of ${pages.length} pages`);
  return seen;
}

const both = new Map([...plants, ...marks]);

test("1,000 canaries as a viewer: none in any document or body", async () => {
  assert.ok(plants.size >= PLANTS && marks.size > 15, `${plants.size} plants, ${marks.size} marks of fields that are hidden`);
  const pages = pagesOf(records);
  const seen = await walk("viewer", pages, both);
  const faults = [...seen].map(([core, where]) => `${both.get(core).field}: ${both.get(core).text} in ${where}`);
  assert.deepEqual(faults, []);
  console.log(`${plants.size} canaries and ${marks.size} marks of hidden fields, ${pages.length} pages as a viewer: none seen`);
});

test("canaries are on the pages of those who may see them", async () => {
  const some = [records[0], records[1], records[2], ...records.slice(-3)];
  const pages = pagesOf(some).filter(([path]) => path.startsWith("/r/") && path.includes("tab=json"));
  const seen = await walk("forensics", pages, both);
  const there = [...both.keys()].filter((core) => some.some(({ line }) => line.includes(core)));
  assert.ok(seen.size > 0.95 * there.length, `${seen.size} of ${there.length} marks are seen by who may see all`);
});
