// What a deployment costs in a month at a given rate of requests: the counts are those of docs/cost.md, which tests hold, and
// the prices Cloudflare's. Used by scripts/cost, scripts/audit-load and tests/run/cost.mjs.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** US dollars, November 2026: a million of each, or a GB, a GB-month. */
export const PRICES = {
  workerRequest: 0.3,
  workerCpuMs: 0.02,
  objectCall: 0.15,
  rowWritten: 1,
  objectGbMonth: 0.2,
  r2Write: 4.5,
  r2Read: 0.36,
  r2GbMonth: 0.015,
  queueOperation: 0.4,
  logpushGb: 0.03,
  workersLogsGb: 0.25,
  workersLogsGbMonth: 0.1,
  observabilityGb: 1,
};

/** A record of http_requests as text, and its share of a gzip file, in bytes. */
const [RECORD_BYTES, GZIP_BYTES] = [1_560, 124];
/** Logpush closes a file after 30 seconds, or this number of records. */
const [BATCH_S, BATCH_RECORDS] = [30, 100_000];
/** Lines of a payload: the usual BATCH_SIZE. */
const PAYLOAD_LINES = 1_000;
/** A batch's rows of the index, and its bytes a record in objects of the index, of windows and of summaries. */
const [INDEX_ROWS, INDEX_BYTES, WINDOW_BYTES, SUMMARY_BYTES] = [6, 4.7, 4.3, 1];
/** Payloads that are sent together, with one message, one read of R2, one claim and one commit. */
const GROUP_PAYLOADS = 6;
/** Rows of the ledger, and calls to it: of a batch with its pack and its alarm, and of a group of payloads. */
const [BATCH_ROWS, GROUP_ROWS, BATCH_CALLS, GROUP_CALLS] = [14, 3, 3, 2];
/** Bytes of a pack, which holds payloads of 97 KB. */
const PACK_PAYLOADS = 43;
/** CPU in ms: of a record that is indexed and delivered, of a look-up, and of a searched byte. */
const [RECORD_CPU_MS, LOOKUP_CPU_MS, BYTE_CPU_MS] = [0.016, 0.5, 8e-6];
/** An event of Workers Logs, and what is free of them in a month, in bytes. */
const [EVENT_BYTES, FREE_LOGS] = [4_840, 50e9];
const [MILLION, GB, MONTH_S] = [1e6, 1e9, 30 * 86_400];

/** Dollars of a million look-ups, each with two reads, whose calls to the audit log and written rows are these shares. */
export function lookupDollars({ calls, rows }) {
  const { workerRequest, objectCall, rowWritten, r2Read, workerCpuMs } = PRICES;
  return workerRequest + (1 + calls) * objectCall + rows * rowWritten + 2 * r2Read + LOOKUP_CPU_MS * workerCpuMs;
}

/**
 * The parts of a month's bill: `rate` requests a second, `lookups` and `searches` (of an hour each) a day, logs kept for `days`,
 * and `waiting` callers at a time, whose look-ups share rows of the audit log.
 */
export function monthlyCosts({ rate, lookups, searches, days, waiting }) {
  const records = rate * MONTH_S;
  const batchRecords = Math.min(rate * BATCH_S, BATCH_RECORDS);
  const batches = records / batchRecords;
  const payloads = batches * Math.ceil(batchRecords / PAYLOAD_LINES);
  const packs = batches * Math.ceil(batchRecords / PAYLOAD_LINES / PACK_PAYLOADS);
  const groups = batches * Math.ceil(batchRecords / PAYLOAD_LINES / GROUP_PAYLOADS);
  const kept = (bytes, price) => ((records * days) / 30) * (bytes / GB) * price;
  const million = (count, price) => (count / MILLION) * price;
  const p = PRICES;
  const [looked, searched] = [lookups * 30, searches * 30];
  const perSearch = { shards: 7, reads: (2 * 3_600 * rate) / batchRecords, bytes: 3_600 * rate * RECORD_BYTES };
  // Measured: 0.38 for 10 that wait, 0.08 for 100 (scripts/audit-load).
  const share = 1 / Math.sqrt(Math.max(1, waiting));
  const logged = (looked + searched) * EVENT_BYTES;
  return [
    ["Logpush, to R2", records, million(records, (RECORD_BYTES / 1e3) * p.logpushGb) + million(batches, p.r2Write)],
    ["logs, kept", records, kept(GZIP_BYTES, p.r2GbMonth)],
    ["indexing", batches, million(batches, INDEX_ROWS * p.rowWritten + 2 * p.r2Write + p.r2Read + 3 * p.queueOperation + p.objectCall)],
    ["index, kept", records, kept(INDEX_BYTES, p.objectGbMonth) + kept(WINDOW_BYTES + SUMMARY_BYTES, p.r2GbMonth)],
    ["delivering", payloads, million(groups, p.r2Read + 3 * p.queueOperation + GROUP_ROWS * p.rowWritten + GROUP_CALLS * p.objectCall) + million(packs, p.r2Write) + million(batches, BATCH_ROWS * p.rowWritten + BATCH_CALLS * p.objectCall)],
    ["CPU of both", records, million(records, RECORD_CPU_MS * p.workerCpuMs)],
    ["looking up", looked, million(looked, lookupDollars({ calls: share, rows: share }))],
    ["searching an hour", searched, million(searched, p.workerRequest + perSearch.shards * p.objectCall + perSearch.reads * p.r2Read + p.objectCall + p.rowWritten + perSearch.bytes * BYTE_CPU_MS * p.workerCpuMs)],
    ["Workers Logs of both", looked + searched, (Math.max(0, logged - FREE_LOGS) / GB) * (p.workersLogsGb + p.workersLogsGbMonth)],
  ].map(([what, count, dollars]) => ({ what, count, dollars }));
}

/** Dollars of Cloudflare Observability for the same requests, unsampled, which it keeps for 30 days. */
export function observabilityDollars({ rate }) {
  return ((rate * MONTH_S * RECORD_BYTES) / GB) * PRICES.observabilityGb;
}

const COUNTED = { "logs, kept": "records", "index, kept": "records", "Logpush, to R2": "records", "CPU of both": "records", indexing: "batches", delivering: "payloads", "looking up": "look-ups", "searching an hour": "searches", "Workers Logs of both": "events" };

function rounded(number) {
  if (number >= 1e9) return `${(number / 1e9).toFixed(2)} billion`;
  if (number >= 1e6) return `${(number / 1e6).toFixed(2)} million`;
  return Math.round(number).toLocaleString("en-US");
}

/** The month's bill as a table in Markdown. */
export function costTable(plan) {
  const parts = monthlyCosts(plan);
  const records = plan.rate * MONTH_S;
  const each = (dollars) => ((dollars / records) * MILLION).toFixed(4);
  const line = ({ what, count, dollars }) => `| ${what} | ${rounded(count)} ${COUNTED[what]} | ${dollars.toFixed(2)} | ${each(dollars)} |`;
  const total = parts.reduce((sum, { dollars }) => sum + dollars, 0);
  const other = observabilityDollars(plan);
  return [
    "| what | a month | dollars a month | dollars a million requests |",
    "|---|---|---|---|",
    ...parts.map(line),
    `| **together** | | **${total.toFixed(2)}** | **${each(total)}** |`,
    `| Cloudflare Observability, for comparison | ${rounded(records)} records | ${other.toFixed(2)} | ${each(other)} |`,
  ].join("\n");
}

/** A number of dollars, or of requests, with commas. */
const grouped = (number, digits) => number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** The month's bills of deployments that differ in their rates alone, as a table in Markdown: dollars by part. */
export function scaleTable(plan, rates) {
  const bills = rates.map((rate) => monthlyCosts({ ...plan, rate }));
  const row = (what, values) => `| ${what} | ${values.map((value) => grouped(value, 2)).join(" | ")} |`;
  const sums = bills.map((bill) => bill.reduce((sum, { dollars }) => sum + dollars, 0));
  return [
    `| dollars a month | ${rates.map((rate, nth) => `${grouped(rate, 0)}${nth === 0 ? " requests a second" : ""}`).join(" | ")} |`,
    `|---|${rates.map(() => "---|").join("")}`,
    ...bills[0].map(({ what }, nth) => row(what, bills.map((bill) => bill[nth].dollars))),
    row("**together**", sums),
    `| a million requests | ${rates.map((rate, nth) => ((sums[nth] / (rate * MONTH_S)) * MILLION).toFixed(4)).join(" | ")} |`,
    row("Cloudflare Observability, for comparison", rates.map((rate) => observabilityDollars({ rate }))),
  ].join("\n");
}

/** The rates of docs/scale.md. */
export const SCALES = [600, 60_000, 1_000_000];

/** The plan of docs/cost.md. */
export const DOCUMENTED = { rate: 600, lookups: 10_000, searches: 100, days: 30, waiting: 1 };

/** The program of scripts/cost. */
function main() {
  const number = (name) => ({ type: "string", default: String(DOCUMENTED[name]) });
  const options = Object.fromEntries(Object.keys(DOCUMENTED).map((name) => [name, number(name)]));
  const { values } = parseArgs({ options });
  const plan = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, Number(text)]));
  const wrong = Object.entries(plan).find(([, value]) => !Number.isFinite(value) || value < 0);
  if (wrong || plan.rate === 0) {
    process.stderr.write(`--${wrong?.[0] ?? "rate"} must be a number above 0\n`);
    process.exit(1);
  }
  process.stdout.write(`${costTable(plan)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
