// What explains a difference of two values, or a line that one side alone has: one predicate for each known difference.
//
// schemas/migration.json has the same differences as data: their columns, a sentence, and where docs/migrate.md names them. A
// predicate looks at both values and at the record that they were made of, so that it explains the one difference and no other:
// that a column may differ is not enough.
import fs from "node:fs";

const read = (name) => fs.readFileSync(new URL(`../schemas/${name}`, import.meta.url), "utf8");

/** The known differences: [{id, of, columns, sentence, anchor}]. */
export const KNOWN = JSON.parse(read("migration.json")).differences;
/** The columns of the format in order: [{number, name, source}]. */
export const COLUMNS = [...read("partner_v3.toml").matchAll(/\nnumber = (\d+)\nname = "([^"]+)"\nsource = "([^"]+)"/g)].map(
  ([, number, name, source]) => ({ number: Number(number), name, source }),
);
const AIRPORTS = new Set([...read("colo_country.csv").matchAll(/^([A-Z]{3}),/gm)].map(([, airport]) => airport));

const UNAVAILABLE = "-";
const SECONDS = /^\d+\.\d{3}$/;
/** From here on a double does not hold every integer. */
const EXACT = 2 ** 53;
/** Countries that a JavaScript Worker sends for an airport that it does not know. */
const DEFAULT_COUNTRIES = ["SG", "CN"];
/** Years that its times have where it takes nanoseconds for milliseconds: none, or thousands of years ahead. */
const ABSURD_DATE = /NaN|\/\d{5,}:/;
/** Unix seconds of the year 5138. */
const ABSURD_S = 1e11;
const USUAL_TIME = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
/** The years that a count may mean. */
const [FIRST_YEAR, LAST_YEAR] = [2010, 2099];
/** The longest values of columns. */
const LONGEST = { 18: 4096, 34: 2048, 35: 1024 };

const isNested = (value) => value !== null && typeof value === "object";
const isNumeric = (value) => typeof value === "number" || (typeof value === "string" && value.trim() !== "" && !Number.isNaN(Number(value)));
const oneIsMissing = ({ ours, theirs }) => (ours === UNAVAILABLE) !== (theirs === UNAVAILABLE);
const thousandths = (text) => Math.round(Number(text) * 1000);
/** Both values without what may end a line, or be taken for it. */
const blanked = (text) => text.replaceAll(/[\0-\x1f\x7f\u0085\u2028\u2029]/g, " ");

/** Milliseconds as JavaScript Workers read a time. */
function instant(value) {
  if (typeof value !== "number" && typeof value !== "string") return NaN;
  if (typeof value === "string" && !(Number(value) > 0)) return Date.parse(value);
  return Number(value) > 1e12 ? Number(value) : Number(value) * 1000;
}

/** Whether a text is a time that both read. */
function isUsualTime(text) {
  const [, year, month, day] = USUAL_TIME.exec(text) ?? [];
  return day !== undefined && new Date(Date.UTC(year, month - 1, day)).getUTCDate() === Number(day);
}

/** Whether a count is no time of a log line. */
function isOutOfRange(value) {
  const year = new Date(instant(value)).getUTCFullYear();
  return isNumeric(value) && !(Number(value) > 0 && year >= FIRST_YEAR && year <= LAST_YEAR);
}

/** Whether a value is what JavaScript makes of the milliseconds in the record. */
const isDoubleOf = (theirs, value) => theirs === (value / 1000).toFixed(3);

const PREDICATES = {
  format_version: ({ ours, theirs }) => [ours, theirs].every((value) => /^c[fs]_vod_v3\.0$/.test(value)),
  tenant: ({ ours, theirs }) => ours === UNAVAILABLE && /^[0-9a-f]{32}$/.test(theirs),
  request_time({ theirs, line }, { EdgeStartTimestamp: start, EdgeEndTimestamp: end }) {
    const span = instant(end) - instant(start);
    const isSpan = span >= 0 ? Math.abs(thousandths(theirs) - span) <= 1 + span / 1e6 : [UNAVAILABLE, "NaN"].includes(theirs);
    return line[5] === line[8] && isSpan;
  },
  server_address: ({ theirs, value }) => theirs !== UNAVAILABLE && !value,
  duration_fraction: ({ ours, theirs, value }) =>
    [ours, theirs].every((text) => SECONDS.test(text)) && Number(value) % 1 !== 0 && thousandths(theirs) - thousandths(ours) === 1,
  duration_negative: ({ ours, theirs, value }) => ours === UNAVAILABLE && Number(value) < 0 && isDoubleOf(theirs, value),
  duration_huge: ({ theirs, value }) => isNumeric(value) && Number(value) >= EXACT && isDoubleOf(theirs, value),
  duration_not_a_number: ({ ours, theirs, value }) =>
    ours === UNAVAILABLE && value !== undefined && value !== null && !/^-?\d/.test(String(JSON.stringify(value))) && isDoubleOf(theirs, value),
  time_count: ({ number, theirs, value }) => isNumeric(value) && Number(value) > 1e14 && (number === 5 ? !(Number(theirs) < ABSURD_S) : ABSURD_DATE.test(theirs)),
  time_fraction: ({ number, ours, theirs, value }) =>
    number === 5 && isNumeric(value) && Number(value) % 1 !== 0 && Math.abs(thousandths(ours) - thousandths(theirs)) === 1,
  time_text: (d) => oneIsMissing(d) && typeof d.value === "string" && !isNumeric(d.value) && !isUsualTime(d.value),
  time_out_of_range: ({ ours, value }) => ours === UNAVAILABLE && isOutOfRange(value),
  line_ends: ({ ours, theirs }) => blanked(ours) === blanked(theirs),
  blank_text: ({ ours, theirs }) => theirs === UNAVAILABLE && blanked(ours).trim() === "" && ours !== "",
  cut({ number, ours, theirs }) {
    // What is left of a character that was cut in two is no UTF-8.
    const whole = theirs.replace(/\ufffd+$/, "");
    const isLongest = whole.length === LONGEST[number] - (whole === theirs ? 0 : 1);
    return isLongest && /[\ud800-\udbff]/.test(ours) && blanked(ours).startsWith(blanked(whole));
  },
  half_pair: ({ ours, theirs }) => theirs !== ours && blanked(theirs.replaceAll("\ufffd\ufffd\ufffd", "\ufffd")) === blanked(ours),
  number_precision: ({ ours, theirs, value }) => isNumeric(ours) && Number(ours) === Number(theirs) && Math.abs(Number(value)) >= EXACT,
  number_spelling: ({ ours, theirs }) => isNumeric(ours) && isNumeric(theirs) && Number(ours) === Number(theirs),
  nested: ({ ours, theirs, value }) => ours === UNAVAILABLE && isNested(value) && theirs === blanked(String(value)),
  nested_url: ({ theirs }, { ClientRequestScheme: scheme, ClientRequestHost: host, ClientRequestURI: uri }) =>
    [scheme, host, uri].some(isNested) && theirs === `${scheme || "http"}://${host || ""}${uri || "/"}`,
  false_value: ({ theirs, value }, { ClientRequestScheme: scheme, ClientRequestHost: host, ClientRequestURI: uri }) =>
    [value, scheme, host, uri].some((part) => part === false || part === 0) && [UNAVAILABLE, `${scheme || "http"}://${host || ""}${uri || "/"}`].includes(theirs),
  content_length_name: ({ theirs }, { ResponseHeaders, ResponseFields }) =>
    theirs === UNAVAILABLE && !ResponseHeaders?.["content-length"] && (isNested(ResponseHeaders) || isNested(ResponseFields)),
  content_length_list({ theirs }, { ResponseHeaders }) {
    const value = ResponseHeaders?.["content-length"];
    return isNested(value) && [String(value), UNAVAILABLE].includes(theirs);
  },
  airport_lacking: ({ theirs }, { EdgeColoCode, ClientCountry }) => isKnown(EdgeColoCode) && isDefault(theirs, ClientCountry),
  airport_unknown: ({ theirs }, { EdgeColoCode, ClientCountry }) => !isKnown(EdgeColoCode) && isDefault(theirs, ClientCountry),
};

const isKnown = (airport) => typeof airport === "string" && AIRPORTS.has(airport.toUpperCase());
const isDefault = (country, client) => DEFAULT_COUNTRIES.includes(country) || (typeof client === "string" && country === client.toUpperCase());

/** The predicates' names, which the tests compare with the data. */
export const PREDICATE_NAMES = Object.keys(PREDICATES);

/** The known differences of a column, in the order of the data: predicates that say less come last. */
const BY_COLUMN = new Map(COLUMNS.map(({ number }) => [number, KNOWN.filter(({ of, columns }) => of === "column" && columns.includes(number)).map(({ id }) => id)]));

/**
 * The known difference that explains two values of a column; undefined if none does. `line` is the cells of raydex, `entries`
 * the input lines with its ray.
 */
export function explainValue({ number, ours, theirs, line }, entries) {
  const { source } = COLUMNS[number - 1];
  const records = entries.map(({ record }) => record).filter((record) => isNested(record));
  const holds = (id) => records.some((record) => PREDICATES[id]({ number, ours, theirs, line, value: record[source] }, record));
  return BY_COLUMN.get(number).find(holds);
}

/** Texts of a record that a JavaScript Worker before June 2026 sends with what ends a column or a line. */
const brokenTexts = (record) => (isNested(record) ? Object.values(record).filter((value) => typeof value === "string" && /[\u0001\n]/.test(value)) : []);

/** How many lines of another number of columns come of a record at most: each end of a line may be in five columns. */
export function brokenLines({ record }) {
  const texts = brokenTexts(record);
  return texts.length > 0 ? 1 + 5 * texts.join("").split("\n").length : 0;
}

/** Why a JavaScript Worker has no line for a record: undefined if it should have one. */
export function lostThere({ record }) {
  if (brokenTexts(record).length > 0) return "control_characters";
  const texts = [record?.ClientRequestScheme, record?.EdgeColoCode, record?.CacheCacheStatus];
  return texts.some((value) => value && typeof value !== "string") ? "conversion_error" : undefined;
}

/** By raydex's codes and reasons, why it has no line. */
const LEFT_OUT = {
  duplicate: "duplicate",
  filter: "excluded",
  subrequest: "excluded",
  not_a_visitor: "excluded",
  no_plan: "excluded",
  before_start: "excluded",
  unsettled_dataset: "unsettled_dataset",
  not_json: "not_a_record",
  not_an_object: "not_a_record",
  line_too_long: "line_too_long",
  other_dataset: "other_dataset",
  quarantined: "quarantined",
};

/** The known difference of a code or reason with which raydex leaves a line out. */
export function leftOut(reason) {
  return LEFT_OUT[reason];
}
