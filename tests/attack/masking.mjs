// A thousand plants of addresses and secrets in all fields: no viewer sees one of them in any form, and support sees no secret.
import { ask, inTurns, toolCall } from "./lib/http.mjs";
import { fieldsOf, plantOf, seenIn, valueOf } from "./lib/plants.mjs";
import { firewallEvent, keyOf, rayAt, request } from "./lib/records.mjs";
import { startWorld, ZONE } from "./lib/world.mjs";

export const name = "masking";
export const about = "1,000 plants of addresses and secrets in all fields: 0 seen by viewer and support";

/** Fields that say what a record is; a plant there would make it another one. */
const OWN = ["RayID", "EdgeStartTimestamp", "EdgeEndTimestamp", "ZoneName", "Datetime", "Event", "EventTimestampMs", "Outcome", "ScriptName", "ParentRayID", "OriginatorRayID", "ClientRequestHost"];
const DATASETS = ["http_requests", "firewall_events", "workers_trace_events"];
/** Rays that are looked up in every form, of each dataset. */
const LOOKED_UP = 12;

const CORE = "q7z000000000000000000";
const CORES = new Map([[CORE, { kind: "secret" }], ["203.0.113.77", { kind: "address" }]]);
const probe = async (url) => seenIn((await ask(url)).text, CORES);

export const fakes = [
  { bad: "a secret in a value", answer: () => ({ body: JSON.stringify({ a: `token=${CORE}` }) }), good: () => ({ body: '{"a":"token=[masked]"}' }), probe },
  { bad: "an address with escapes", answer: () => ({ body: '{"a":"203\\u002e0%2e113.77:443"}' }), good: () => ({ body: '{"a":"203.0.113.0"}' }), probe },
  { bad: "an address of dashes", answer: () => ({ body: "x,ec2-203-0-113-77.example" }), probe },
];

export async function attack({ build, slice, random, check }) {
  const world = await startWorld({ build });
  try {
    const ms = Date.now() - 3_600_000;
    const { plants, batches, fields } = planted(ms, slice ? 400 : 1_000, random);
    await world.index(batches);
    const all = new Map(plants.map((plant) => [plant.core, plant]));
    const answers = await inTurns(questions(ms, plants, fields), 6, async ({ what, path, body }) => {
      const options = body ? { method: "POST", body, headers: { "content-type": "application/json" } } : {};
      const [shown, viewer, support] = await Promise.all(["forensics", "viewer", "support"].map((caller) => world.ask(caller, path, options)));
      return { what, shown: seenIn(shown.text, all), viewer, support };
    });
    const everSeen = new Set(answers.flatMap(({ shown }) => shown));
    const missing = plants.filter(({ core }) => !everSeen.has(core));
    check("the plants are there", missing.length > 0 ? [`${missing.length} are in no answer to forensics, such as ${missing[0].text} in ${missing[0].field}`] : [], `${plants.length} plants, ${answers.length} questions`);
    for (const what of new Set(answers.map((answer) => answer.what))) judge(what, answers.filter((answer) => answer.what === what), all, check);
  } finally {
    await world.stop();
  }
}

/** What of the plants the roles see in the answers of a form. */
function judge(what, answers, all, check) {
  for (const role of ["viewer", "support"]) {
    const faults = new Map();
    let served = 0;
    for (const answer of answers) {
      const { status, text } = answer[role];
      if (status === 200) served += 1;
      for (const core of seenIn(text, all)) {
        const { kind, text: plant, field } = all.get(core);
        if (kind === "secret" || role === "viewer") faults.set(core, `${kind} in ${field}: ${plant}`);
      }
    }
    const none = served === 0 ? [`no question was answered: ${answers[0][role].status} ${answers[0][role].text.slice(0, 200)}`] : [];
    check(`${what}, ${role}`, [...none, ...faults.values()], `${faults.size} of ${all.size} plants seen in ${served} answers`);
  }
}

/** Records with a plant each, in a field of each dataset in turns. */
function planted(ms, count, random) {
  const known = fieldsOf();
  const fields = Object.fromEntries(DATASETS.map((dataset) => [dataset, [...known[dataset].filter(([field]) => !OWN.includes(field)), ["Unlisted", "string"], ["UnlistedToo", "object"]]]));
  const lines = Object.fromEntries(DATASETS.map((dataset) => [dataset, []]));
  const plants = [];
  for (let number = 0; number < count; number += 1) {
    const dataset = DATASETS[number % DATASETS.length];
    const list = fields[dataset];
    // Ways and fields have different periods, so that they meet in all combinations.
    const [field, type] = list[Math.floor(number / DATASETS.length) % list.length];
    const plant = plantOf(random, Math.floor(number / DATASETS.length) + (number % DATASETS.length));
    lines[dataset].push(recordOf(dataset, ms, number, { [field]: valueOf(type, plant.text) }));
    plants.push({ ...plant, dataset, field: `${dataset}.${field}`, ray: rayAt(ms + number, number) });
  }
  const batches = DATASETS.map((dataset, at) => ({ key: keyOf(dataset, ms, at), lines: lines[dataset] }));
  const names = Object.fromEntries(DATASETS.map((dataset) => [dataset, ["RayID", ...fields[dataset].map(([field]) => field)]]));
  return { plants, batches, fields: names };
}

function recordOf(dataset, ms, number, more) {
  const own = { ms: ms + number, low: number };
  if (dataset === "http_requests") return request({ ...own, ...more });
  if (dataset === "firewall_events") return firewallEvent({ ...own, ...more });
  const event = { RayID: rayAt(ms + number, number), Request: { URL: `https://www.${ZONE}/`, Method: "GET" } };
  return JSON.stringify({ Event: event, EventTimestampMs: ms + number, EventType: "fetch", Outcome: "ok", ScriptName: "shop", ...more });
}

/** Every form of every route that shows records. */
function questions(ms, plants, fields) {
  const range = `start=${new Date(ms - 1_000).toISOString()}&end=${new Date(ms + 60_000).toISOString()}`;
  const plain = range.replace(/\.\d+Z/g, "Z");
  const asked = [];
  for (const dataset of DATASETS) {
    const forms = ["native", "json", "csv", ...(dataset === "http_requests" ? ["partner"] : [])];
    for (const form of forms) {
      const shown = form === "csv" ? `&fields=${fields[dataset].join(",")}` : "";
      asked.push({ what: `a range of ${dataset} as ${form}`, path: `/v1/logs?${range}&dataset=${dataset}&format=${form}${shown}` });
      const rays = plants.filter((plant) => plant.dataset === dataset).slice(0, LOOKED_UP);
      for (const { ray } of rays) asked.push({ what: `a lookup in ${dataset} as ${form}`, path: `/v1/rays/${ray}?dataset=${dataset}&format=${form}${shown}` });
    }
  }
  // Each field alone: one that is hidden is refused.
  for (const dataset of DATASETS) for (const field of fields[dataset]) asked.push({ what: `counts of ${dataset} by each field`, path: `/v1/counts?${range}&dataset=${dataset}&by=${field}` });
  for (let at = 0; at < plants.length; at += 100) asked.push({ what: "lists of rays", path: "/v1/rays", body: JSON.stringify({ rays: plants.slice(at, at + 100).map(({ ray }) => ray) }) });
  const [start, end] = [new Date(ms - 1_000).toISOString(), new Date(ms + 60_000).toISOString()];
  const assistant = (tool, given) => asked.push({ what: `the tool ${tool}`, path: "/mcp", body: toolCall(tool, given) });
  for (const dataset of DATASETS) {
    for (let at = 0; at < fields[dataset].length; at += 20) assistant("search", { start, end, dataset, fields: fields[dataset].slice(at, at + 20), limit: 20 });
    for (const field of fields[dataset]) assistant("counts", { start, end, dataset, by: [field] });
    for (const { ray } of plants.filter((plant) => plant.dataset === dataset).slice(0, LOOKED_UP)) assistant("ray", { ray, dataset });
  }
  const own = plants.filter(({ dataset }) => dataset === "http_requests");
  for (const { ray } of own.slice(0, LOOKED_UP)) {
    asked.push({ what: "Logpull's lookup", path: `/client/v4/zones/${ZONE}/logs/rayids/${ray}` });
    asked.push({ what: "the Logs Engine's lookup", path: `/client/v4/accounts/a/logs/rayids/${ray}?bucket=cdn-logs-raw&prefix=logs` });
    asked.push({ what: "differences", path: `/v1/rays/${ray}/diff/${own[0].ray}` });
    for (const by of ["client", "status"]) asked.push({ what: `neighbours by ${by}`, path: `/v1/rays/${ray}/neighbours?by=${by}&limit=500&fields=${fields.http_requests.join(",")}` });
    asked.push({ what: "an explanation", path: `/v1/rays/${ray}?format=explain` });
    asked.push({ what: "an archive", path: `/v1/rays/${ray}?format=har` });
    asked.push({ what: "deliveries", path: `/v1/rays/${ray}/deliveries` });
    for (const tab of ["record", "json", "partner", "deliveries", "neighbours&by=client", "neighbours&by=status&within=3600", `compare&with=${own[0].ray}`]) {
      asked.push({ what: "pages", path: `/r/${ray}?tab=${tab}` });
    }
    asked.push({ what: "pages of several rays", path: `/rays?ids=${ray},${own[0].ray}` });
  }
  const all = fields.http_requests.join(",");
  asked.push({ what: "Logpull's range", path: `/client/v4/zones/${ZONE}/logs/received?${plain}&fields=${all}` });
  asked.push({ what: "the Logs Engine's range", path: `/client/v4/accounts/a/logs/retrieve?${plain}&bucket=cdn-logs-raw&prefix=logs%2Fhttp_requests%2F%7BDATE%7D` });
  return asked;
}
