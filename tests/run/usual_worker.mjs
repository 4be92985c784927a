// A model of the usual JavaScript Worker, for the tests of scripts/compare alone: what it makes of a batch, and how it delivers.
//
// It is written from behaviour that docs/partner-format.md and docs/migrate.md describe, and shares no code with either Worker. The
// public Worker of April 2026 was run beside raydex over the awkward batches; that of June was read. What is modelled:
//
//   reading    one gzip stream of lines, each trimmed and given to JSON.parse; a line that fails is lost
//   converting 145 values; an error in one (a scheme that is a number has no toLowerCase) loses the line
//   values     String(value); U+0000 to U+001F and U+007F become blanks, then a blank text is "-"; cut at UTF-16 units
//   times      numbers above 10^12 are milliseconds, all others seconds; other texts are whatever Date takes
//   durations  milliseconds through a double, rounded by toFixed; column 6 is the end less the start
//   writing    half a surrogate pair becomes three bytes that are no UTF-8
//   delivering payloads of `batchLines` lines at most, gzip, POST {uri}?auth_key=…, again until it is taken
//
// With `earlier`, it is the Worker before June: values keep their control characters, an unknown data centre has the client's
// country and then CN, and column 6 is that of the first byte.
//
// Left out: queues, retries, markers and the start time, which change when a line is sent, but not the line.
import { createHash } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import { gunzipSync, gzipSync } from "node:zlib";

const SEPARATOR = "\u0001";
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
/** What it sends where the deployment gives nothing else. */
const DEFAULTS = {
  version: "cf_vod_v3.0",
  tenant: "0123456789abcdef0123456789abcdef",
  unknownCountry: "SG",
  serverIp: "",
  batchLines: 2000,
  earlier: false,
};
/** An airport that its table lacks: the table has some 400 of those in schemas/colo_country.csv. */
const LACKING = ["LIL"];
const COUNTRIES = new Map(
  fs.readFileSync(new URL("../../schemas/colo_country.csv", import.meta.url), "utf8")
    .split("\n")
    .map((row) => row.split(","))
    .filter(([airport]) => /^[A-Z]{3}$/.test(airport) && !LACKING.includes(airport)),
);
const CACHE = { HIT: ["hit", "stale", "revalidated", "updating"], MISS: ["miss", "expired", "bypass", "dynamic", "none"] };

/** The line of a record, without its line feed. Throws where the Worker would. */
export function usualLine(record, options = {}) {
  return cellsOf(record, { ...DEFAULTS, ...options }).join(SEPARATOR);
}

function cellsOf(r, { version, tenant, unknownCountry, serverIp, earlier }) {
  const plain = earlier ? asItIs : sanitised;
  const cells = Array(145).fill("-");
  const set = (number, value) => (cells[number - 1] = value);
  const local = localTime(r.EdgeStartTimestamp);
  set(1, version);
  set(2, local);
  set(5, unixTime(r.EdgeStartTimestamp));
  set(6, earlier ? seconds(r.EdgeTimeToFirstByteMs) : span(r.EdgeStartTimestamp, r.EdgeEndTimestamp));
  set(11, plain(r.EdgeServerIP || serverIp));
  set(12, r.ClientRequestScheme ? (r.ClientRequestScheme.toLowerCase() === "https" ? "443" : "80") : "-");
  set(18, plain(`${r.ClientRequestScheme || "http"}://${r.ClientRequestHost || ""}${r.ClientRequestURI || "/"}`, 4096));
  set(21, r.ResponseHeaders?.["content-length"] ? plain(r.ResponseHeaders["content-length"]) : "-");
  set(34, plain(r.ClientRequestReferer, 2048));
  set(35, plain(r.ClientRequestUserAgent, 1024));
  set(45, (r.EdgeColoCode && COUNTRIES.get(r.EdgeColoCode.toUpperCase())) || (earlier ? r.ClientCountry?.toUpperCase() || "CN" : unknownCountry));
  set(55, local === "-" ? "-" : local.slice(1, -1));
  set(58, tenant);
  const cache = r.CacheCacheStatus ? r.CacheCacheStatus.toLowerCase() : "";
  for (const number of [27, 28]) set(number, Object.keys(CACHE).find((name) => CACHE[name].includes(cache)) ?? "-");
  set(42, { hit: "static", dynamic: "dynamic" }[cache] ?? "-");
  for (const [field, ...numbers] of SECONDS) for (const number of numbers) set(number, seconds(r[field]));
  for (const [field, ...numbers] of PLAIN) for (const number of numbers) set(number, plain(r[field]));
  return cells;
}

/** Fields of durations, with their columns. */
const SECONDS = [
  ["OriginResponseHeaderReceiveDurationMs", 7],
  ["OriginRequestHeaderSendDurationMs", 8],
  ["EdgeTimeToFirstByteMs", 9],
  ["OriginResponseDurationMs", 26],
  ["OriginTLSHandshakeDurationMs", 44],
];
/** Fields that are sent as they are, with their columns. */
const PLAIN = [
  ["RayID", 3],
  ["EdgeResponseStatus", 4],
  ["ClientIP", 13, 36, 40],
  ["ClientSrcPort", 14],
  ["ClientRequestMethod", 15],
  ["ClientRequestScheme", 16],
  ["ClientRequestHost", 17, 60],
  ["ClientRequestProtocol", 19],
  ["ClientRequestBytes", 20],
  ["EdgeResponseBytes", 22],
  ["EdgeResponseBodyBytes", 23],
  ["OriginIP", 24, 29],
  ["OriginResponseStatus", 25, 30],
  ["EdgeResponseContentType", 33],
  ["ClientSSLProtocol", 62],
];

function asItIs(value, max = Infinity) {
  return value === undefined || value === null || value === "" ? "-" : String(value).slice(0, max);
}

function sanitised(value, max = Infinity) {
  const text = asItIs(value).replaceAll(/[\0-\x1f\x7f]/g, " ");
  return text.trim() === "" ? "-" : text.slice(0, max);
}

/** A text as bytes: half a pair as the three bytes that it would have in UTF-8 if it were a character. */
function bytesOf(text) {
  const pieces = text.split(/([\ud800-\udfff])/u).map((piece) => {
    const half = piece.length === 1 ? piece.charCodeAt(0) : 0;
    const isHalf = half >= 0xd800 && half <= 0xdfff;
    return isHalf ? Buffer.from([0xe0 | (half >> 12), 0x80 | ((half >> 6) & 0x3f), 0x80 | (half & 0x3f)]) : Buffer.from(piece);
  });
  return Buffer.concat(pieces);
}

/** Milliseconds since 1970, NaN included; null where there is no time. */
function instant(value) {
  const scaled = (number) => (number > 1e12 ? number : number * 1000);
  if (typeof value === "number") return scaled(value);
  if (typeof value !== "string") return null;
  if (Number(value) > 0) return scaled(Number(value));
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? null : ms;
}

function localTime(value) {
  const ms = instant(value);
  if (ms === null) return "-";
  const at = new Date(ms + 8 * 3_600_000);
  const two = (number) => String(number).padStart(2, "0");
  const time = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(":");
  return `[${two(at.getUTCDate())}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${time} +0800]`;
}

function unixTime(value) {
  const ms = instant(value);
  return ms === null ? "-" : `${Math.floor(ms / 1000)}.${String(Math.floor(ms) % 1000).padStart(3, "0")}`;
}

function seconds(ms) {
  return ms === undefined || ms === null ? "-" : (ms / 1000).toFixed(3);
}

function span(start, end) {
  const [from, to] = [instant(start), instant(end)];
  return from === null || to === null || to < from ? "-" : ((to - from) / 1000).toFixed(3);
}

/** The lines of a batch. Throws where the Worker would retry the message: damaged gzip, not one record. */
export function usualLines(bytes, options = {}) {
  const texts = gunzipSync(bytes).toString("utf8").replace(/^\ufeff/, "").split("\n").map((text) => text.trim()).filter(Boolean);
  const [lines, read] = [[], { records: 0 }];
  for (const text of texts) {
    try {
      const record = JSON.parse(text);
      read.records += 1;
      lines.push(usualLine(record, options));
    } catch {
      // Logged by the Worker, and lost.
    }
  }
  if (texts.length > 0 && read.records === 0) throw new Error("no line is JSON");
  return options.change ? options.change(lines) : lines;
}

/** The bodies of a batch's payloads, as they are under `processed/`: [{key, text}], the text as bytes. */
export function processedBodies(key, bytes, options = {}) {
  const { batchLines } = { ...DEFAULTS, ...options };
  const lines = usualLines(bytes, options);
  const bodies = [];
  for (let first = 0; first < lines.length; first += batchLines) {
    const name = `processed/${key.replaceAll(/[^a-zA-Z0-9_-]/g, "_")}-${bodies.length}.txt`;
    bodies.push({ key: name, text: bytesOf(`${lines.slice(first, first + batchLines).join("\n")}\n`) });
  }
  return bodies;
}

/** Delivers a payload as the Worker does; returns the status. */
async function post({ endpoint, uri, key }, text) {
  const [ts, rand] = [Math.floor(Date.now() / 1000) + 300, Math.floor(Math.random() * 99_999)];
  const md5 = createHash("md5").update(`${uri}-${ts}-${rand}-${key}`).digest("hex");
  const headers = { "content-type": "text/plain; charset=utf-8", "content-encoding": "gzip" };
  const options = { method: "POST", headers, body: gzipSync(text) };
  return (await fetch(`${endpoint}${uri}?auth_key=${ts}-${rand}-${md5}`, options)).status;
}

/**
 * Starts the model behind the entrance that scripts/compare --other expects: a POST with a batch and its key, whose payloads go
 * to `partner`. `options` has the settings of the lines, and `change(lines)`, a fault. Returns {url, stop}.
 */
export async function startUsualWorker(partner, options = {}) {
  const server = http.createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    try {
      for (const { text } of processedBodies(request.headers["x-object-key"], Buffer.concat(pieces), options)) {
        while ((await post(partner, text)) !== 200) await new Promise((done) => setTimeout(done, 50));
      }
      response.writeHead(202).end();
    } catch {
      // The message goes back to the queue, and at last to the dead letters; the entrance has taken it all the same.
      response.writeHead(202).end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const stop = () => (server.closeAllConnections(), new Promise((done) => server.close(done)));
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}
