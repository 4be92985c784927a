// Padded and malformed requests: each leaves an entry in the audit log that names what it read, or is refused.
import { ask, bearer, inTurns } from "./lib/http.mjs";
import { rayAt } from "./lib/records.mjs";
import { startWorld, ZONE } from "./lib/world.mjs";

export const name = "audit";
export const about = "padded requests: each one's entry names what it read, or it is refused";

/** Makers of requests that read one ray, whose entry must name it. */
const LOOKUPS = {
  "a parameter 182 times": (ray) => ({ path: `/v1/rays/${ray}?${"limit=1000&".repeat(182)}` }),
  "a known parameter 182 times": (ray) => ({ path: `/v1/rays/${ray}?${"format=json&".repeat(182)}format=native` }),
  "ampersands": (ray) => ({ path: `/v1/rays/${ray}?${"&".repeat(2_000)}` }),
  "a fragment of percent signs": (ray) => ({ path: `/v1/rays/${ray.replace(/./g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)}` }),
  "a pasted address": (ray) => ({ path: `/v1/rays/${encodeURIComponent(`https://www.${ZONE}/${"x".repeat(1_500)}?ray=${ray}`)}` }),
  "a header of the edge": (ray) => ({ path: `/v1/rays/${encodeURIComponent(`CF-RAY:   ${ray.toUpperCase()}-SJC`)}` }),
  "deliveries with padding": (ray) => ({ path: `/v1/rays/${ray}/deliveries?pad=${"x".repeat(2_000)}` }),
  "differences from a made-up ray": (ray) => ({ path: `/v1/rays/${ray}/diff/${"0".repeat(16)}` }),
  "neighbours with many fields": (ray) => ({ path: `/v1/rays/${ray}/neighbours?fields=${"RayID,".repeat(290)}RayID&by=client` }),
  "2,000 spaces before the JSON": (ray) => posted(`${" ".repeat(2_000)}{"rays":["${ray}"]}`),
  "spaces between the rays": (ray) => posted(`{"rays":[${" ".repeat(2_000)}"${ray}"${"\n".repeat(500)}]}`),
  "the hundredth ray": (ray, at) => posted(JSON.stringify({ rays: [...Array.from({ length: 99 }, (_, other) => rayAt(1_500_000_000_000 + other * 20, at)), ray] })),
  "an unknown member first": (ray) => posted(JSON.stringify({ pad: "x".repeat(2_000), rays: [ray] })),
  "a member twice": (ray) => posted(`{"rays":["${"0".repeat(16)}"],"rays":["${ray}"]}`),
  "an escaped member": (ray) => posted(`{"${"\\u0072ays"}":["${ray}"]}`),
  "an empty parameter": (ray) => ({ path: `/v1/rays/${ray}?${"=&".repeat(900)}format=native` }),
  "Cloudflare's lookup with padding": (ray) => ({ path: `/client/v4/zones/${ZONE}/logs/rayids/${ray}?pad=${"x".repeat(2_500)}` }),
  "Cloudflare's lookup with many paddings": (ray) => ({ path: `/client/v4/zones/${ZONE}/logs/rayids/${ray}?${"pad=x&".repeat(400)}fields=RayID` }),
  "the Logs Engine with padding": (ray) => ({ path: `/client/v4/accounts/a/logs/rayids/${ray}?${"&".repeat(1_000)}pad=${"y".repeat(1_500)}` }),
  "a reason of spaces": (ray) => ({ path: `/v1/rays/${ray}`, headers: { "raydex-reason": `${" ".repeat(400)}x${"y".repeat(400)}` } }),
  "HEAD": (ray) => ({ method: "HEAD", path: `/v1/rays/${ray}?${"&".repeat(500)}` }),
  "a filter of spaces": (ray) => ({ path: `/v1/rays/${ray}?filter=${encodeURIComponent(`${" ".repeat(2_000)}{"where":{"key":"ClientIP","operator":"eq","value":"${"9".repeat(900)}"}}`)}` }),
};

/** Makers of requests that read a range, whose entry must name its start. */
const RANGES = {
  "a range after a limit 182 times": (start) => ({ path: `/v1/logs?${"limit=1000&".repeat(182)}start=${start}` }),
  "a range after ampersands": (start) => ({ path: `/v1/logs?${"&&&".repeat(700)}start=${start}` }),
  "a range with an escaped name": (start) => ({ path: `/v1/logs?%73tart=${start}&fields=${"RayID,".repeat(290)}RayID` }),
  "a range with a long filter": (start) => ({ path: `/v1/logs?filter=${encodeURIComponent(longFilter())}&start=${start}` }),
  "Logpull with padding": (start) => ({ path: `/client/v4/zones/${ZONE}/logs/received?pad=${"x".repeat(2_500)}&start=${start}&end=${soon(start)}` }),
  "Logpull with a start twice": (start) => ({ path: `/client/v4/zones/${ZONE}/logs/received?start=${start}&end=${soon(start)}&start=${start}` }),
  "the Logs Engine's range with padding": (start) => ({ path: `/client/v4/accounts/a/logs/retrieve?${"pad=x&".repeat(400)}start=${start}&end=${soon(start)}&bucket=b&prefix=logs%2F%7BDATE%7D` }),
};

const posted = (body) => ({ method: "POST", path: "/v1/rays", body, headers: { "content-type": "application/json" } });
const soon = (start) => new Date(Date.parse(start) + 60_000).toISOString().replace(/\.\d+/, "");
const longFilter = () => JSON.stringify({ where: { or: Array.from({ length: 40 }, (_, at) => ({ key: "ClientRequestHost", operator: "eq", value: `${at}${"h".repeat(70)}` })) } });

/** What is wrong: requests that were served, and are named by no entry. `sent`: [{what, name, answer}], `entries`: the export. */
export function unnamed(sent, entries) {
  const faults = [];
  for (const { what, name: read, answer } of sent) {
    if (answer.status === 0 || answer.status >= 500) faults.push(`${what}: ${answer.status} ${answer.broken ?? answer.text.slice(0, 80)}`);
    else if (isServed(answer.status) && !entries.includes(read)) faults.push(`${what}: ${answer.status}, and no entry names ${read}`);
  }
  return faults;
}

/** A ray that is not there was looked for all the same. */
const isServed = (status) => status < 300 || status === 404;

const probe = async (url) => {
  const answer = await ask(`${url}/v1/rays/5eed`);
  const entries = (await ask(`${url}/v1/audit?format=ndjson`, { headers: bearer("any") })).text;
  return unnamed([{ what: "a lookup", name: "5eed", answer }], entries);
};
const logging = (entry, status = 200) => (request) => (request.url.startsWith("/v1/audit") ? { body: entry } : { status, body: "{}" });

export const fakes = [
  { bad: "an entry that names nothing", answer: logging('{"request":"limit=1000&limit=1000&"}'), good: logging('{"resource":"5eed"}'), probe },
  { bad: "a log without an entry", answer: logging("", 404), good: logging("", 400), probe },
  { bad: "a failure", answer: logging('{"resource":"5eed"}', 500), probe },
];

export async function attack({ build, slice, random, check }) {
  const world = await startWorld({ build });
  try {
    const kinds = [...Object.entries(LOOKUPS).map(([what, make]) => [what, make, true]), ...Object.entries(RANGES).map(([what, make]) => [what, make, false])];
    const count = slice ? 162 : 1_000;
    const now = Math.floor(Date.now() / 1000) * 1000;
    const sent = await inTurns([...Array(count).keys()], 8, async (at) => {
      const [what, make, isLookup] = kinds[at % kinds.length];
      const read = isLookup ? rayAt(now - 4_000_000 - at * 1_000, random.below(2 ** 28)) : new Date(now - 9_000_000 - at * 1_000).toISOString().replace(/\.\d+/, "");
      const { path, ...options } = make(read, at);
      return { what, name: isLookup ? read : read.replace("Z", ""), answer: await world.ask("support", path, options) };
    });
    const entries = (await world.ask("operator", "/v1/audit?format=ndjson&actor=support")).text;
    for (const [what] of kinds) {
      const own = sent.filter((one) => one.what === what);
      const served = own.filter(({ answer }) => isServed(answer.status)).length;
      check(what, unnamed(own, entries), `${served} of ${own.length} served, the others refused with ${own.find(({ answer }) => !isServed(answer.status))?.answer.status ?? "nothing"}`);
    }
    await operations(world, check);
  } finally {
    await world.stop();
  }
}

/** Operations whose reason is hidden behind padding: an entry has it, or the operation is refused. */
async function operations(world, check) {
  const reason = "because-of-attack-4711";
  const bodies = [`${" ".repeat(2_000)}{"reason":"${reason}"}`, `{"pad":"${"x".repeat(2_000)}","reason":"${reason}"}`, `{"reason":"${"r".repeat(450)}${reason}"}`];
  const sent = [];
  for (const body of bodies) {
    const answer = await world.ask("operator", "/v1/payloads/h.1.1/drop", { method: "POST", body, headers: { "content-type": "application/json" } });
    sent.push({ what: body.slice(0, 12), name: reason, answer });
  }
  const entries = (await world.ask("operator", "/v1/audit?format=ndjson&actor=operator")).text;
  check("an operation's reason behind padding", unnamed(sent, entries), sent.map(({ answer }) => answer.status).join(", "));
}
