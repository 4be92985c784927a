// Uploads with tokens that are limited to a zone or a dataset: no line of another one is found later, or reaches the partner.
// The partner's receipts are the proof. A deployment may refuse such tokens as a setting instead.
import { ask, jsonOf, sleep, until } from "./lib/http.mjs";
import { firewallEvent, rayAt, request } from "./lib/records.mjs";
import { OTHER_ZONE, startWorld, ZONE } from "./lib/world.mjs";

export const name = "ingest";
export const about = "tokens limited to zones or datasets cannot plant lines of others; the partner's receipts prove it";

const LIMITED = {
  "zone-ingest": { scopes: ["ingest"], role: "viewer", zones: [ZONE] },
  "dataset-ingest": { scopes: ["ingest"], role: "viewer", datasets: ["firewall_events"] },
};
/** How long a planted line has to arrive after an honest one did, in milliseconds. */
const LATER_MS = 3_000;

/** Planted rays that are in the receipts ({request_ids: {ray: count}}) or in an answer. */
export function planted(rays, receipts, answers) {
  const ids = Object.keys(receipts.request_ids ?? {});
  const faults = rays.filter((ray) => ids.some((id) => id.includes(ray))).map((ray) => `the partner received ${ray}`);
  return [...faults, ...answers.filter(({ status, text }) => status === 200 && rays.some((ray) => text.includes(`"RayID":"${ray}"`))).map(({ text }) => `it is found: ${text.slice(0, 120)}`)];
}

const RAY = "a5e33aff24280fa2";
const probe = async (url) => {
  const receipts = jsonOf(await ask(`${url}/receipts`));
  return planted([RAY], receipts, [await ask(`${url}/v1/rays/${RAY}`)]);
};
const deployed = (receipts, found) => (asked) => (asked.url === "/receipts" ? { body: JSON.stringify({ request_ids: receipts }) } : found);
const absent = { status: 404, body: '{"code":"ray_not_found"}' };

export const fakes = [
  { bad: "a line that the partner received", answer: deployed({ [RAY]: 1 }, absent), good: deployed({ b5e33aff24280fa2: 1 }, absent), probe },
  { bad: "a line that is found", answer: deployed({}, { body: `{"RayID":"${RAY}"}` }), probe },
];

export async function attack({ build, check }) {
  for (const [caller, rights] of Object.entries(LIMITED)) {
    const world = await startWorld({ build, partner: true, callers: { [caller]: rights } });
    try {
      await plant(world, caller, check);
    } finally {
      await world.stop();
    }
  }
}

async function plant(world, caller, check) {
  const health = await world.ask(null, "/healthz");
  if (health.status === 503 || /API_TOKENS/.test(health.text)) {
    const says = /API_TOKENS/.test(health.text);
    return check(`${caller} is refused as a setting`, says ? [] : [health.text.slice(0, 200)], health.text.slice(0, 120));
  }
  const ms = Date.now() - 600_000;
  const attempts = attemptsOf(caller, ms);
  const answers = [];
  for (const { dataset, lines } of attempts) answers.push(await upload(world, caller, dataset, lines));
  const honest = rayAt(ms, 0xffff);
  await upload(world, "ingest", "http_requests", [request({ ms, low: 0xffff })]);
  await until("the honest line at the partner", () => world.partner.lines().request_ids[honest], 30_000);
  await sleep(LATER_MS);
  const rays = attempts.flatMap(({ rays: some }) => some);
  const found = [];
  for (const ray of rays) found.push(await world.ask("root", `/v1/rays/${ray}?format=native`), await world.ask("root", `/v1/rays/${ray}?format=native&dataset=http_requests`));
  const statuses = attempts.map(({ what }, at) => `${what}: ${answers[at].status}`).join(", ");
  check(`${caller} plants no line of others`, planted(rays, world.partner.lines(), found), statuses);
  await recorded(world, caller, answers, check);
}

/** What a limited caller tries: lines that it may not bring, with the rays that must not turn up. */
function attemptsOf(caller, ms) {
  const foreign = (low, more = {}) => request({ ms, low, host: `www.${OTHER_ZONE}`, ...more });
  const own = (low, more = {}) => request({ ms, low, host: `www.${ZONE}`, ...more });
  const rays = (...lows) => lows.map((low) => rayAt(ms, low));
  if (caller === "dataset-ingest") {
    return [
      { what: "requests as requests", dataset: "http_requests", lines: [own(1)], rays: rays(1) },
      { what: "requests as events", dataset: "firewall_events", lines: [own(2)], rays: rays(2) },
      { what: "a request between events", dataset: "firewall_events", lines: [...Array.from({ length: 30 }, (_, at) => firewallEvent({ ms, low: 0x100 + at })), own(3)], rays: rays(3) },
      { what: "requests in capitals", dataset: "HTTP_Requests", lines: [own(4)], rays: rays(4) },
      { what: "requests by an escaped name", dataset: "http%5Frequests", lines: [own(5)], rays: rays(5) },
    ];
  }
  return [
    { what: "another zone", dataset: "http_requests", lines: [foreign(11)], rays: rays(11) },
    { what: "another zone between one's own", dataset: "http_requests", lines: [...Array.from({ length: 30 }, (_, at) => own(0x200 + at)), foreign(12)], rays: rays(12) },
    { what: "another zone's name and one's own host", dataset: "http_requests", lines: [own(13, { ZoneName: OTHER_ZONE })], rays: rays(13) },
    { what: "no zone at all", dataset: "http_requests", lines: [own(14, { ZoneName: undefined, ClientRequestHost: undefined })], rays: rays(14) },
    { what: "another zone's event", dataset: "firewall_events", lines: [firewallEvent({ ms, low: 15, host: `www.${OTHER_ZONE}` })], rays: rays(15) },
    { what: "a zone that only begins so", dataset: "http_requests", lines: [request({ ms, low: 16, host: `www.${ZONE}.evil.example`, zone: `${ZONE}.evil.example` })], rays: rays(16) },
  ];
}

function upload(world, caller, dataset, lines) {
  const headers = { "content-type": "application/x-ndjson" };
  return world.ask(caller, `/v1/ingest/${dataset}`, { method: "POST", body: `${lines.join("\n")}\n`, headers });
}

/** Each upload that was taken has an entry with its key, its size and its hash. */
async function recorded(world, caller, answers, check) {
  const { text } = await world.ask("operator", `/v1/audit?format=ndjson&actor=${caller}`);
  const faults = answers.filter(({ status }) => status === 200).filter((answer) => !text.includes(jsonOf(answer)?.key ?? "?")).map((answer) => `no entry names ${jsonOf(answer)?.key ?? answer.text.slice(0, 100)}`);
  if (answers.some(({ status }) => status === 200) && !/sha256/.test(text)) faults.push("no entry has a hash");
  const denied = answers.filter(({ status }) => status === 403).length;
  if (denied > 0 && !/denied/.test(text)) faults.push("no entry says that an upload was denied");
  check(`${caller}'s uploads are in the audit log`, faults, `${answers.length} uploads, ${denied} denied`);
}
