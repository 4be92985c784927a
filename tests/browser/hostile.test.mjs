// Values that attackers write into log lines: markup, scripts, overrides of direction, ESC sequences and a megabyte of text, in
// every field. Each page shows them as text, with and without scripts, and breaks no policy.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldsOf, valueOf } from "../attack/lib/plants.mjs";
import { firewallEvent, keyOf, rayAt, request } from "../attack/lib/records.mjs";
import { isLong, isTooWide, open } from "./harness.mjs";
import { ownWorld } from "./worlds.mjs";

const DATASETS = ["http_requests", "firewall_events", "workers_trace_events"];
/** Fields without which a record would be another one, or none. */
const OWN = ["RayID", "EdgeStartTimestamp", "Datetime", "EventTimestampMs", "Event", "ParentRayID", "OriginatorRayID"];
const MS = Math.floor((Date.now() - 1_800_000) / 1000) * 1000;

/** What is written into each field, by what it would do. */
const TEXTS = {
  markup: `"'></td></code></script></title></textarea><x-hostile><img src=x onerror="raydexRan=1"><svg/onload="raydexRan=1"><iframe src="javascript:parent.raydexRan=1">`,
  script: `<script>raydexRan=1</script>'-raydexRan=1-'\${raydexRan=1}{{constructor.constructor('raydexRan=1')()}}</script><x-hostile>`,
  address: `javascript:raydexRan=1//" href="javascript:raydexRan=1" style="position:fixed;inset:0" onfocus="raydexRan=1" autofocus x="`,
  signs: `\u202egnp.exe\u2066\u2069\u200b\ufeff\u001b[31m\u001b]0;owned\u0007\u0000\u0085\u2028\u{e0041}<x-hostile>`,
  spaces: `\n\n\r\n\t  </pre>\n# Heading\n| a | b |\n\`\`\`\n[x](javascript:raydexRan=1)<x-hostile>`,
};
/** A megabyte, in as much of a line as one may have. */
const MEGABYTE = `<x-hostile>${"\u202e<b>".repeat(20_000)}${"y".repeat(1_000_000 - 220_011)}`;

/** Fields that get a megabyte in the small form of this test. */
const LARGE = ["ClientRequestURI", "ClientRequestUserAgent", "RequestHeaders", "Cookies", "Logs", "Metadata", "ClientIP"];

function recordOf(dataset, low, more) {
  const its = { ms: MS + low * 10, low };
  if (dataset === "http_requests") return request({ ...its, ...more });
  if (dataset === "firewall_events") return firewallEvent({ ...its, ...more });
  const event = { RayID: rayAt(its.ms, low), Request: { URL: more.ScriptName, Method: more.ScriptName }, Response: { Status: more.ScriptName } };
  return JSON.stringify({ EventTimestampMs: its.ms, EventType: "fetch", Outcome: "ok", ScriptName: "shop", Event: event, ...more });
}

const known = fieldsOf();
const fieldsIn = (dataset) => [...known[dataset], ["Unlisted", "string"]].filter(([field]) => !OWN.includes(field));
const records = [];
const add = (dataset, what, more) => {
  const low = records.length;
  records.push({ dataset, what, ray: rayAt(MS + low * 10, low), line: recordOf(dataset, low, more) });
};
for (const [what, text] of Object.entries(TEXTS)) {
  for (const dataset of DATASETS) {
    add(dataset, what, Object.fromEntries(fieldsIn(dataset).map(([field, type]) => [field, valueOf(type, text)])));
    // As the type of another field, too: what is no number is text as well.
    add(dataset, what, Object.fromEntries(fieldsIn(dataset).map(([field]) => [field, text])));
  }
}
const manyFields = records.length;
for (const dataset of DATASETS) {
  for (const [field, type] of fieldsIn(dataset)) {
    if (isLong || LARGE.includes(field)) add(dataset, `a megabyte in ${field}`, { [field]: valueOf(type, MEGABYTE) });
  }
}

const theWorld = ownWorld({}, async (own) => {
  for (const [at, dataset] of DATASETS.entries()) {
    // Batches of a few lines each, since the longest are a megabyte.
    const its = records.filter((record) => record.dataset === dataset);
    for (let from = 0; from < its.length; from += 10) {
      await own.index([{ key: keyOf(dataset, MS, at * 100 + from / 10), lines: its.slice(from, from + 10).map(({ line }) => line) }]);
    }
  }
});

const range = `start=${new Date(MS - 60_000).toISOString()}&end=${new Date(MS + 60_000).toISOString()}`;
const expected = [400, 403, 404, 413];

/** What a page made of a value, other than text. */
const damage = (page) =>
  page.evaluate(() => {
    const found = [...document.querySelectorAll("x-hostile, iframe, object, embed, base, img, script:not([src]), [onerror], [onload], [onfocus]")].map((element) => element.outerHTML.slice(0, 80));
    for (const link of document.querySelectorAll("a[href], form[action], [src]")) {
      if (/^\s*(javascript|data|vbscript):/i.test(link.getAttribute("href") ?? link.getAttribute("action") ?? link.getAttribute("src"))) found.push(link.outerHTML.slice(0, 80));
    }
    if (globalThis.raydexRan) found.push("a script of a value ran");
    // Texts to copy, which are data, keep what they are copied for.
    const shown = document.body.cloneNode(true);
    for (const box of shown.querySelectorAll("textarea, template")) box.remove();
    const bare = /[\u202a-\u202e\u2066-\u2069\u200b\ufeff\u001b\u0007]/.exec(shown.textContent);
    if (bare) found.push(`U+${bare[0].codePointAt(0).toString(16)} in ${shown.textContent.slice(bare.index - 40, bare.index + 20)}`);
    return found;
  });

async function look(own, page, path) {
  const reply = await page.goto(own.url + path);
  assert.ok([200, ...expected].includes(reply.status()), `${path}: ${reply.status()}`);
  assert.deepEqual(await damage(page), [], path);
  return reply.status();
}

for (const js of [true, false]) {
  const how = js ? "" : ", without scripts";
  test(`hostile values in every field stay text on each tab${how}`, async () => {
    const own = await theWorld();
    await open({ at: own, as: "forensics", js, expected }, async (page) => {
      let [whole, asText] = [0, 0];
      // The documents are the same without scripts.
      const some = records.slice(0, manyFields).filter((_, nth) => js || nth % 3 === 0);
      for (const { ray } of some) {
        for (const tab of ["record", "json", "partner", "deliveries"]) {
          const status = await look(own, page, `/r/${ray}?tab=${tab}`);
          whole += Number(status === 200);
          asText += Number((await page.locator("main").innerText()).includes("<x-hostile>"));
        }
      }
      assert.ok(whole >= 0.75 * 4 * some.length && asText >= some.length, `${whole} pages, ${asText} with a value as text`);
    });
  });

  test(`a megabyte in a field is shown in part${how}`, async () => {
    const own = await theWorld();
    await open({ at: own, as: "forensics", js, expected }, async (page) => {
      const large = records.slice(manyFields);
      assert.ok(large.length >= 6);
      for (const { ray, what } of large) {
        assert.equal(await look(own, page, `/r/${ray}`), 200, what);
        assert.ok((await page.content()).length < 400_000, `${what}: ${(await page.content()).length} characters`);
        for (const tab of ["json", "partner"]) await look(own, page, `/r/${ray}?tab=${tab}`);
      }
    });
  });

  test(`hostile values stay text in lists and searches${how}`, async () => {
    const own = await theWorld();
    await open({ at: own, as: "forensics", js, expected }, async (page) => {
      for (let at = 0; at < records.length; at += 20) {
        assert.equal(await look(own, page, `/rays?ids=${records.slice(at, at + 20).map(({ ray }) => ray)}`), 200);
      }
      for (const dataset of DATASETS) assert.equal(await look(own, page, `/search?${range}&dataset=${dataset}`), 200);
      for (const text of Object.values(TEXTS)) {
        const value = encodeURIComponent(text.replaceAll("\0", ""));
        await look(own, page, `/search?${range}&field1=ClientRequestURI&operator1=contains&value1=${value}`);
        assert.equal(await look(own, page, `/search?${range}&field1=${value}&operator1=${value}&value1=${value}&filter=${value}&dataset=${value}`), 400);
        await look(own, page, `/${value}`);
        await look(own, page, `/r/${value}`);
        await look(own, page, `/sign-in?to=${value}`);
      }
      await look(own, page, "/ops");
    });
  });
}

test("rows that a script adds show hostile values as text, in 320 px too", async () => {
  const own = await theWorld();
  await open({ at: own, as: "forensics", width: 320, expected }, async (page) => {
    // A page has a hundred records: those that follow are made by the script.
    const more = Array.from({ length: 120 }, (_, nth) => request({ ms: MS + 40_000 + nth, low: 5_000 + nth, ClientRequestURI: TEXTS.signs, ClientRequestHost: TEXTS.markup, ClientRequestMethod: TEXTS.script }));
    await own.index([{ key: keyOf("http_requests", MS + 30_000, 900), lines: more }]);
    await look(own, page, `/search?start=${new Date(MS + 39_000).toISOString()}&end=${new Date(MS + 60_000).toISOString()}`);
    await page.getByRole("link", { name: "Next records" }).click();
    await page.locator("[data-search-count]").getByText(/^120 records\.$/).waitFor();
    assert.deepEqual(await damage(page), []);
    assert.ok((await page.locator(".piece td", { hasText: "⟨U+202E⟩" }).count()) > 10);
    assert.equal(await isTooWide(page), false);
  });
});
