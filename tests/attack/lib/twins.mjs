// Two worlds that differ in another zone alone: one has records of one zone, the other has them and those of a second one, in
// batches of their own and between the lines of the first's. A caller of the first zone cannot tell which of them answers.
import { firewallEvent, keyOf, rayAt, request } from "./records.mjs";
import { OTHER_ZONE, startWorld, ZONE } from "./world.mjs";
import { END_HEADER } from "./names.mjs";

/** Batches of each dataset, and visible lines of each. */
const [BATCHES, EACH] = [5, 60];
/** Visible and hidden hosts and addresses. */
const HOSTS = [ZONE, `www.${ZONE}`, `api.${ZONE}`];
const HIDDEN_HOSTS = [OTHER_ZONE, `secret.${OTHER_ZONE}`, `www.${OTHER_ZONE}`];
const ADDRESSES = ["192.0.2.7", "198.51.100.9", "203.0.113.40"];
const HIDDEN_ADDRESSES = ["203.0.113.200", "198.51.100.77"];
const STATUSES = [200, 404, 502];

/** Starts both. `lone` has one zone, `both` has two; `pools` has what questions are made of. */
export async function startTwins({ build, random }) {
  const ms = Math.floor((Date.now() - 7_200_000) / 60_000) * 60_000;
  const { lone, both, visible, hidden } = batchesOf(ms, random);
  const options = { build, settings: { API_ZONES: JSON.stringify({ "023e105f4ecef8ad9ca31a8372d0c353": ZONE }) } };
  const [first, second] = await Promise.all([startWorld(options), startWorld(options)]);
  // One after the other: a stream has the order in which batches were indexed.
  const index = async (world, batches) => {
    for (const batch of batches) await world.index([batch]);
  };
  await Promise.all([index(first, lone), index(second, both)]);
  const absent = visible.map((ray) => (BigInt(`0x${ray}`) ^ 0x5555555n).toString(16).padStart(16, "0"));
  const pools = { ms, visible, hidden, absent, hosts: [...HOSTS, ...HIDDEN_HOSTS], addresses: [...ADDRESSES, ...HIDDEN_ADDRESSES], statuses: [...STATUSES, 500] };
  return { lone: first, both: second, pools, stop: () => Promise.all([first.stop(), second.stop()]) };
}

function batchesOf(ms, random) {
  const [lone, both, visible, hidden] = [[], [], [], []];
  let low = 1;
  const made = (dataset, host, address, at) => {
    low += 1 + random.below(50);
    const common = { ms: at, low, host, ClientIP: address };
    const line = dataset === "http_requests" ? request({ ...common, EdgeResponseStatus: random.pick(STATUSES) }) : firewallEvent(common);
    return { line, ray: rayAt(at, low) };
  };
  for (const dataset of ["http_requests", "firewall_events"]) {
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const start = ms + batch * 400_000;
      const [own, mixed, alone] = [[], [], []];
      for (let line = 0; line < EACH; line += 1) {
        const at = start + line * 500;
        const shown = made(dataset, random.pick(HOSTS), random.pick(ADDRESSES), at);
        const other = made(dataset, random.pick(HIDDEN_HOSTS), random.pick(HIDDEN_ADDRESSES), at + 3);
        visible.push(shown.ray);
        hidden.push(other.ray);
        own.push(shown.line);
        mixed.push(shown.line);
        // Of every second batch, lines of the other zone are between the visible ones; of the others, in a batch of their own.
        (batch % 2 === 0 ? mixed : alone).push(other.line);
      }
      const key = keyOf(dataset, start, batch);
      if (alone.length > 0) both.push({ key: keyOf(dataset, start, 0x100 + batch), lines: alone });
      lone.push({ key, lines: own });
      both.push({ key, lines: mixed });
    }
  }
  return { lone, both, visible, hidden };
}

/** Headers that differ between any two answers. */
const VARY = ["date", END_HEADER, "cf-ray", "connection", "keep-alive", "transfer-encoding", "content-length"];

/** An answer without what may differ between two equal ones: times, random tokens, and the text of a cursor. */
export function comparable({ status, headers, text, broken }) {
  const token = headers[END_HEADER];
  const kept = Object.entries(headers).filter(([name]) => !VARY.includes(name)).map(([name, value]) => [name, timeless(String(value))]);
  const body = timeless(token ? text.replaceAll(token, "<end>") : text);
  return { status, broken: broken ? "broken" : null, headers: Object.fromEntries(kept.sort()), body };
}

function timeless(text) {
  return text
    .replace(/("?(?:elapsed_ms|uptime_ms)"?[:=] ?)\d+/g, "$1<ms>")
    .replace(/"((?:next_)?cursor)\\?":\\?"([^"\\]*)\\?"/g, (_, name, cursor) => `"${name}":"<${cursor.length} signs>"`)
    .replace(/((?:&amp;|\?)cursor=)([\w-]+)/g, (_, name, cursor) => `${name}<${cursor.length} signs>`)
    .replace(/http:\/\/127\.0\.0\.1:\d+/g, "http://<host>")
    .replace(/>(?:in )?(?:now|\d+ (?:s|min|h|days)(?: ago)?)</g, "><age><")
    .replace(/("(?:now|at|time)":)"\d{4}-[^"]*"/g, '$1"<now>"');
}

/** Where two answers differ first: "" where they do not. */
export function difference(one, other) {
  const [a, b] = [comparable(one), comparable(other)];
  if (a.status !== b.status) return `status ${a.status} and ${b.status}`;
  if (a.broken !== b.broken) return `one is broken: ${a.broken} and ${b.broken}`;
  for (const name of new Set([...Object.keys(a.headers), ...Object.keys(b.headers)])) {
    if (a.headers[name] !== b.headers[name]) return `header ${name}: ${a.headers[name]} and ${b.headers[name]}`;
  }
  if (a.body === b.body) return "";
  let at = 0;
  while (a.body[at] === b.body[at]) at += 1;
  const around = (body) => body.slice(Math.max(0, at - 60), at + 60).replace(/\n/g, "⏎");
  return `body at ${at}: …${around(a.body)}… and …${around(b.body)}…`;
}
