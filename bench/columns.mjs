// The partner's 145 columns in JavaScript: JSON.parse and a template, as one writes it by hand for such a format.
//
// It is the baseline of the row `transform`, and an independent writing of schemas/partner_v3.toml: the bench compares
// its bytes with ours before it prints a figure.
//
// It does no work that another implementation of the format could avoid. Instants are read as numbers, and from the
// line's own digits only where a double is too coarse.
import colos from "../schemas/colo_country.csv";

const SEPARATOR = "\x01";
const CONTROL = /[\x00-\x1f]/;
const CONTROLS = /[\x00-\x1f]/g;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const CACHE = new Map([
  ...["hit", "stale", "revalidated", "updating"].map((name) => [name, "HIT"]),
  ...["miss", "expired", "bypass", "dynamic", "none"].map((name) => [name, "MISS"]),
]);
const DYSTA = new Map([["hit", "static"], ["dynamic", "dynamic"]]);
const COUNTRIES = new Map(colos.split("\n").filter((row) => /^[A-Z]{3},/.test(row)).map((row) => row.split(",")));
const UNKNOWN_COUNTRY = "CN";
const TENANT = "-";

/** So many columns that the format leaves empty. */
const none = (count) => Array(count).fill("-").join(SEPARATOR);
const [NONE_2, NONE_3, NONE_9, NONE_83] = [2, 3, 9, 83].map(none);

/** The partner's line of one line of a batch, with its line feed. */
export function partnerLine(line) {
  const record = JSON.parse(line);
  const ms = unixMs(record.EdgeStartTimestamp, line);
  const local = ms === undefined ? "" : localTime(ms);
  const ip = text(record.ClientIP);
  const host = text(record.ClientRequestHost);
  const originIp = text(record.OriginIP);
  const originStatus = text(record.OriginResponseStatus);
  const cache = lower(record.CacheCacheStatus);
  const cacheStatus = CACHE.get(cache) ?? "-";
  const firstByte = seconds(record.EdgeTimeToFirstByteMs);
  return [
    "cs_vod_v3.0",
    local ? `[${local}]` : "-",
    text(record.RayID),
    text(record.EdgeResponseStatus),
    ms === undefined ? "-" : (ms / 1000).toFixed(3),
    firstByte,
    seconds(record.OriginResponseHeaderReceiveDurationMs),
    seconds(record.OriginRequestHeaderSendDurationMs),
    firstByte,
    "-",
    text(record.EdgeServerIP),
    port(record.ClientRequestScheme),
    ip,
    text(record.ClientSrcPort),
    text(record.ClientRequestMethod),
    text(record.ClientRequestScheme),
    host,
    cut(url(record), 4096),
    text(record.ClientRequestProtocol),
    text(record.ClientRequestBytes),
    header(record.ResponseHeaders, "content-length"),
    text(record.EdgeResponseBytes),
    text(record.EdgeResponseBodyBytes),
    originIp,
    originStatus,
    seconds(record.OriginResponseDurationMs),
    cacheStatus,
    cacheStatus,
    originIp,
    originStatus,
    NONE_2,
    text(record.EdgeResponseContentType),
    cut(text(record.ClientRequestReferer), 2048),
    cut(text(record.ClientRequestUserAgent), 1024),
    ip,
    NONE_3,
    ip,
    "-",
    DYSTA.get(cache) ?? "-",
    "-",
    seconds(record.OriginTLSHandshakeDurationMs),
    COUNTRIES.get(String(record.EdgeColoCode).toUpperCase()) ?? UNKNOWN_COUNTRY,
    NONE_9,
    local || "-",
    NONE_2,
    TENANT,
    "-",
    host,
    "-",
    `${text(record.ClientSSLProtocol)}${SEPARATOR}${NONE_83}\n`,
  ].join(SEPARATOR);
}

/** What a column shows of a value: nothing of what is nested. */
function plain(value) {
  return value === undefined || value === null || typeof value === "object" ? "" : String(value);
}

function text(value) {
  return clean(plain(value)) || "-";
}

function clean(value) {
  return CONTROL.test(value) ? value.replace(CONTROLS, " ") : value;
}

/** The first `max` characters. */
function cut(value, max) {
  return value.length <= max ? value : Array.from(value).slice(0, max).join("");
}

function lower(value) {
  return plain(value).toLowerCase();
}

function port(scheme) {
  const name = lower(scheme);
  if (!name) return "-";
  return name === "https" ? "443" : "80";
}

function url(record) {
  const scheme = plain(record.ClientRequestScheme) || "http";
  return clean(`${scheme}://${plain(record.ClientRequestHost)}${plain(record.ClientRequestURI) || "/"}`);
}

function header(headers, wanted) {
  if (headers === null || typeof headers !== "object") return "-";
  let found;
  for (const name in headers) if (name.toLowerCase() === wanted) found = headers[name];
  return text(Array.isArray(found) ? found[0] : found);
}

function seconds(ms) {
  const value = typeof ms === "string" && ms !== "" ? Number(ms) : ms;
  return typeof value === "number" && value >= 0 ? (Math.trunc(value) / 1000).toFixed(3) : "-";
}

/** An instant of a record in milliseconds: nanoseconds, seconds or a date. */
function unixMs(value, line) {
  if (typeof value === "string") return Date.parse(value) || undefined;
  if (typeof value !== "number") return undefined;
  if (value < 1e11) return Math.trunc(value * 1000);
  // A double knows nanoseconds to 256 only, which may be the next millisecond already.
  const rest = value % 1e6;
  if (rest >= 512 && rest <= 1e6 - 512) return Math.floor(value / 1e6);
  const digits = /"EdgeStartTimestamp":(\d+)\d{6}\b/.exec(line);
  return digits ? Number(digits[1]) : Math.floor(value / 1e6);
}

/** `28/Mar/2026:16:42:25 +0800`. */
function localTime(ms) {
  const at = new Date(ms + 8 * 3_600_000);
  const time = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(":");
  return `${two(at.getUTCDate())}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${time} +0800`;
}

function two(number) {
  return number < 10 ? `0${number}` : String(number);
}
