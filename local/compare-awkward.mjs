// Awkward batches for scripts/compare: what jobs really write, and what they might, one condition in each record.
//
// Every record has a ray of its own, so that a difference leads back to its cause. Nothing is random, and all values are made up.
import { gzipSync } from "node:zlib";

/** The time of the first record; the others follow at tens of milliseconds. */
const START_MS = Date.parse("2026-03-28T08:42:25Z");
/** Since when rays count ticks of ten milliseconds, and the bits below the count. */
const [RAY_EPOCH_MS, RAY_BITS] = [1_350_000_000_000, 28n];
const FOLDER = "logs/http_requests/20260328/20260328T084200Z_20260328T084230Z_";

/** The ray of the nth record. */
function rayOf(number) {
  const ticks = BigInt(Math.floor((START_MS - RAY_EPOCH_MS) / 10) + number);
  return ((ticks << RAY_BITS) | BigInt((number * 40_503) % 65_536)).toString(16).padStart(16, "0");
}

/** A usual record with some members changed; undefined leaves a member out. */
function recordOf(number, changes) {
  return {
    RayID: rayOf(number),
    EdgeStartTimestamp: new Date(START_MS + number * 10).toISOString(),
    EdgeEndTimestamp: new Date(START_MS + number * 10 + 250).toISOString(),
    CacheCacheStatus: "hit",
    ClientIP: "192.0.2.7",
    ClientCountry: "de",
    ClientRequestBytes: 812,
    ClientRequestHost: "shop.example.com",
    ClientRequestMethod: "GET",
    ClientRequestProtocol: "HTTP/2",
    ClientRequestReferer: "https://shop.example.com/",
    ClientRequestScheme: "https",
    ClientRequestSource: "eyeball",
    ClientRequestURI: `/awkward/${number}`,
    ClientRequestUserAgent: "Mozilla/5.0 Example/1.0",
    ClientSrcPort: 50_123,
    ClientSSLProtocol: "TLSv1.3",
    EdgeColoCode: "SIN",
    EdgeResponseBodyBytes: 1200,
    EdgeResponseBytes: 1600,
    EdgeResponseContentType: "text/html",
    EdgeResponseStatus: 200,
    EdgeServerIP: "198.51.100.4",
    EdgeTimeToFirstByteMs: 149,
    OriginIP: "203.0.113.9",
    OriginResponseDurationMs: 120,
    OriginResponseStatus: 200,
    ParentRayID: "00",
    ...changes,
  };
}

const TIMES = [
  "2026-03-28T08:42:25Z", "2026-03-28T08:42:25.149Z", "2026-03-28T08:42:25.149876543Z", "2026-03-28T16:42:25+08:00",
  1774687345, "1774687345", 1774687345.149, "1774687345.149", 1774687345.5, 1774687345149, "1774687345149", 1774687345149876,
  1774687345149.876, 0, -1, "", "0", "-1", null, undefined, "2026-03-28", "Sat, 28 Mar 2026 08:42:25 GMT", "2026-03-28 08:42:25Z",
  "2026-03-28T08:42:60Z", "2026-02-30T08:42:25Z", "2026-03-28T08:42:25.1498765432Z", "soon", 253402300799, 1e30, true, {}, [1774687345],
];
/** Counts that JSON.stringify would round, as they are in the line. */
const RAW_TIMES = [
  "1774687345.149999999", '"1774687345.149999999"', "1774687345149876543", '"1774687345149876543"', "1.7746873451498765e+18", '"1.7746873451498765e+18"', "1774687345149876480",
];
const DURATIONS = [
  0, 149, "149", 149.9999, 0.999, 0.4, 1499.5, -1, -0.4, "", " ", "x", " 5 ", "0x10", "1e3", true, false, [5], {}, null, undefined,
  3_600_000, 1e15, 1e21,
];
const RAW_NUMBERS = [
  "2e2", "200.0", "-0", "1e21", "12345678901234567890", "0.1e-7", '"0200"', '"2e2"', '" 200"', '"x"', "true", "[1,2]", '{"a":1}', "null", '""',
];
const TEXTS = [
  "a\u0001b", "tab\there", "line\r\nend", "nul\u0000", "esc\u001b[31m", 'quote " and \\', "nel\u0085x", "ls\u2028x", "ps\u2029x", "vt\u000bff\u000c",
  "del\u007fx", " ", "   ", "\t", "\u00a0", "\u007f", "\ud83d", "x\ude00y", "\ud83d\ude00", "語", "-", "\ufeffbom", 5, 0, true, false, ["a", "b"], { a: 1 }, [], null, "", undefined,
];
const LONG = [
  { ClientRequestURI: `/${"a".repeat(5000)}` },
  { ClientRequestURI: `/${"語".repeat(4100)}` },
  { ClientRequestURI: `/${"😀".repeat(2100)}` },
  { ClientRequestURI: `/a${"😀".repeat(2100)}` },
  { ClientRequestReferer: "r".repeat(2049) },
  { ClientRequestReferer: "😀".repeat(1500) },
  { ClientRequestUserAgent: `${"u".repeat(1023)}😀` },
  { ClientRequestUserAgent: "😀".repeat(1100) },
  { ClientRequestUserAgent: `${"u".repeat(1023)}\u2028x` },
  { ClientRequestMethod: "M".repeat(9000) },
];
const CACHE = [
  "unknown", "miss", "expired", "updating", "stale", "hit", "ignored", "bypass", "revalidated", "dynamic", "stream_hit", "deferred", "none",
  "HIT", "Dynamic", "hit\n", "", null, undefined, 5, true, {},
];
const SCHEMES = ["http", "HTTPS", "ftp", "", null, undefined, 443, false, ["https"]];
const AIRPORTS = ["SIN", "sin", "LIL", "XXX", "SIN-1", "", null, undefined, 5, {}];
const HEADERS = [
  { "content-length": "12" }, { "Content-Length": "12" }, { "content-length": ["12"] }, { "content-length": ["12", "34"] }, { "content-length": 0 },
  { "content-length": 12 }, { "content-length": "0" }, { "content-length": "" }, { "content-length": {} }, { "content-length": [] }, {}, "content-length: 12", null, [],
];
const REQUESTS = [
  { ParentRayID: "", ClientRequestSource: "eyeball" },
  { ParentRayID: undefined },
  { ParentRayID: null },
  { ParentRayID: rayOf(0), ClientRequestSource: "edgeWorkerFetch", WorkerSubrequest: true },
  { ParentRayID: rayOf(0), ClientRequestSource: "edgeWorkerCacheAPI", WorkerSubrequest: true },
  { ClientRequestSource: "healthcheck" },
  { ClientRequestSource: "purge" },
  { WorkerSubrequest: true },
  { Subrequests: [{ RayID: rayOf(9_000), ParentRayID: rayOf(0), ClientRequestHost: "api.example.com", EdgeResponseStatus: 200 }] },
  { Subrequests: [] },
  { ClientRequestHost: undefined, ClientRequestURI: undefined },
  { ClientRequestHost: "", ClientRequestURI: "" },
  { ClientRequestHost: {}, ClientRequestURI: ["/a"] },
  { ClientRequestURI: 5 },
  { EdgeServerIP: "" },
  { EdgeServerIP: undefined },
  { EdgeEndTimestamp: undefined },
  { EdgeEndTimestamp: new Date(START_MS - 60_000).toISOString() },
  { ClientRequestHost: "filtered.example.com" },
  { ResponseFields: { "content-length": ["7"] } },
  { Extra: { deep: [[[[{}]]]] }, Unknown: "field" },
];
const RAYS = ["9E35512345678ABC", "9e35512345678abc-SJC", "9e35512345678ab", "test-ray-001", "0123456789", "", null, undefined, {}, " 9e35512345678abd "];
const RAW_RAYS = ["12", "7646606485052451123"];

/** What any field may be where types drift. */
const KINDS = [undefined, null, "", "-", 5, -1.5, true, false, {}, ["a", 1]];

/** The texts of single conditions, in order. */
function singles() {
  const lines = [];
  const add = (changes) => lines.push(JSON.stringify(recordOf(lines.length, changes)));
  const addRaw = (field, value) => lines.push(JSON.stringify(recordOf(lines.length, { [field]: "@raw@" })).replace('"@raw@"', value));
  for (const EdgeStartTimestamp of TIMES) add({ EdgeStartTimestamp });
  for (const value of RAW_TIMES) addRaw("EdgeStartTimestamp", value);
  for (const value of DURATIONS) {
    add({ EdgeTimeToFirstByteMs: value, OriginResponseHeaderReceiveDurationMs: value });
    add({ OriginRequestHeaderSendDurationMs: value, OriginResponseDurationMs: value, OriginTLSHandshakeDurationMs: value });
  }
  addRaw("OriginResponseDurationMs", "1e400");
  addRaw("OriginResponseDurationMs", "9007199254740993");
  for (const field of ["ClientRequestBytes", "EdgeResponseStatus", "ClientSrcPort"]) for (const value of RAW_NUMBERS) addRaw(field, value);
  for (const field of ["ClientRequestURI", "ClientRequestUserAgent", "ClientRequestMethod", "ClientRequestHost", "ClientIP"]) {
    for (const value of TEXTS) add({ [field]: value });
  }
  for (const changes of [...LONG, ...REQUESTS]) add(changes);
  for (const CacheCacheStatus of CACHE) add({ CacheCacheStatus });
  for (const ClientRequestScheme of SCHEMES) add({ ClientRequestScheme });
  for (const EdgeColoCode of AIRPORTS) add({ EdgeColoCode });
  for (const ResponseHeaders of HEADERS) add({ ResponseHeaders });
  for (const field of Object.keys(recordOf(0, {}))) for (const value of KINDS) add({ [field]: value });
  for (const RayID of RAYS) add({ RayID });
  for (const value of RAW_RAYS) addRaw("RayID", value);
  return lines;
}

/** Usual records, beginning with the nth. */
function usual(first, count) {
  return Array.from({ length: count }, (_, at) => JSON.stringify(recordOf(first + at, {})));
}

/** Lines that are damaged, no records, or not of this dataset: each a function of a record with a ray of its own. */
const ODD = {
  number: () => "5",
  null: () => "null",
  list: () => "[]",
  text: () => '"text"',
  nothing: () => "{}",
  "not-a-number": () => '{"RayID":NaN}',
  quotes: () => "{'RayID':1}",
  deep: () => `{"a":${"[".repeat(200)}${"]".repeat(200)}}`,
  short: (record) => record({}).slice(0, -20),
  more: (record) => `${record({})}x`,
  mark: (record) => `\ufeff${record({})}`,
  blanks: (record) => ` ${record({})} `,
  tab: (record) => record({}).replace('"GET"', '"G\tT"'),
  twice: (record) => record({ ClientRequestMethod: "last" }).replace("{", '{"ClientRequestMethod":"first",'),
  // The letters of Latin-1 are bytes that are not UTF-8.
  latin: (record) => Buffer.from(record({ ClientRequestHost: "caf\u00e9.example.com" }), "latin1"),
  long: (record) => record({ Extra: "x".repeat(1_100_000) }),
  unsettled: (record) => record(Object.fromEntries(Object.keys(recordOf(0, {})).filter((name) => !/^(RayID|EdgeStart|ClientIP)/.test(name)).map((name) => [name, undefined]))),
  firewall: (record) => JSON.stringify({ Action: "block", Datetime: "2026-03-28T08:42:25Z", Kind: "firewall", RayID: JSON.parse(record({})).RayID, RuleID: "r", Source: "waf" }),
};

/** A batch for each, with enough usual records around the odd line. */
function oddBatches() {
  return Object.entries(ODD).map(([name, line], at) => {
    const first = 3_000 + at * 40;
    const lines = usual(first, 30).map((text) => Buffer.from(`${text}\n`));
    const odd = line((changes) => JSON.stringify(recordOf(first + 35, changes)));
    lines.splice(20, 0, Buffer.concat([Buffer.from(odd), Buffer.from("\n")]));
    return [`odd-${name}`, gzipSync(Buffer.concat(lines))];
  });
}

/** The awkward batches: [{key, bytes}]. */
export function awkwardBatches() {
  const text = (lines, end = "\n") => `${lines.join("\n")}${end}`;
  const twice = usual(2_000, 6);
  const copied = gzipSync(text(usual(2_100, 5)));
  const batches = {
    singles: gzipSync(text(singles())),
    ...Object.fromEntries(oddBatches()),
    duplicates: gzipSync(text([...twice, twice[1], twice[4], twice[4]])),
    original: copied,
    zcopy: copied,
    crlf: gzipSync(usual(2_200, 5).join("\r\n")),
    unterminated: gzipSync(text(usual(2_300, 5), "")),
    members: Buffer.concat([gzipSync(text(usual(2_400, 3))), gzipSync(`\n\n${text(usual(2_410, 3))}`)]),
    nothing: gzipSync(""),
    empty: Buffer.alloc(0),
    glued: gzipSync(usual(2_500, 4).join("")),
    array: gzipSync(`[${usual(2_600, 4).join(",\n")}]\n`),
    "array-of-lines": gzipSync(`[\n${usual(2_700, 4).join(",\n")}\n]\n`),
  };
  return Object.entries(batches).map(([name, bytes]) => ({ key: `${FOLDER}${name}.log.gz`, bytes }));
}
