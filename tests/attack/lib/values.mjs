// What the names in braces of routes.json stand for: the worst request of each row.
import { toolCall } from "./http.mjs";
import { keyOf, manyOfRay, rayAt } from "./records.mjs";

/** How much later the records are that are looked up by their rays, beyond the range that is searched, in milliseconds. */
export const LATER = 1_400_000;

/** The values in a world whose records begin at `ms`; `batch` is the handle of one of its batches. */
export function valuesOf({ ms, now, batch = "h.1" }) {
  const week = new Date(now - 6.9 * 86_400_000).toISOString();
  const fields = [...Array(300).keys()].map((at) => `f${at}`);
  return {
    ray: rayAt(ms + LATER, 0x30000),
    traceRay: rayAt(ms, 1),
    growingRay: rayAt(ms + 1_000, 0x10000),
    namesRay: rayAt(ms + 2_000, 0x20000),
    rays: JSON.stringify({ rays: [...Array(100).keys()].map((at) => rayAt(ms + LATER, 0x40000 + at)) }),
    worstRays: JSON.stringify({ rays: [rayAt(ms + 1_000, 0x10000), rayAt(ms + 2_000, 0x20000), rayAt(ms + LATER, 0x30000)] }),
    start: new Date(ms - 60_000).toISOString(),
    end: new Date(ms + 600_000).toISOString(),
    week,
    now: new Date(now).toISOString(),
    logpullStart: new Date(ms - 60_000).toISOString().replace(/\.\d+/, ""),
    logpullEnd: new Date(ms + 600_000).toISOString().replace(/\.\d+/, ""),
    oldStart: new Date(ms - 91_000_000).toISOString().replace(/\.\d+/, ""),
    oldEnd: new Date(ms + 600_000).toISOString().replace(/\.\d+/, ""),
    logs300: "Logs,".repeat(300).slice(0, -1),
    unknown300: fields.join(","),
    zone: "a.example",
    account: "account",
    batch,
    payload: "h.1.1",
    backfill: "1",
    deadLetter: "1",
    madeUpToken: "t.1",
    madeUpErasure: "1",
    // Without a range, so that nothing is erased.
    erasure: JSON.stringify({ by: "field", field: "ClientRequestURI", values: [...Array(900).keys()].map((at) => `/${at}`.padEnd(24, "u")), reason: "because" }),
    // Beyond what the caller has, so that no number of them is kept.
    token: JSON.stringify({ id: "attack", scopes: ["ingest"], role: "forensics", zones: [...Array(100).keys()].map((at) => `${at}.example`), days: 1 }),
    decision: JSON.stringify({ decision: "release", dry_run: true }),
    reason: JSON.stringify({ reason: "because ".repeat(60).trim() }),
    upload: `${manyOfRay(ms, 0x7ffff, 120, 8_000, { text: (length) => "u".repeat(length) }).join("\n")}\n`,
    export: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [...Array(400).keys()].map((at) => spanOf(ms, at)) }] }] }),
    // One span whose bytes are all below 128.
    wire: `\n5\x123\x121\n\x10${"t".repeat(16)}\x12\x08${"s".repeat(8)}*\x01n9\0\0\0\0\0\0P\x18A\0\0\0\0\0\0P\x18`,
    key: JSON.stringify({ key: keyOf("http_requests", ms - 90_000_000, 0x100000) }),
    // Of a time without objects: what is attacked is the answer, and not what a backfill does later.
    range: JSON.stringify({ start: "2020-01-01T00:00:00Z", end: "2020-01-01T00:01:00Z", index: true, deliver: false }),
    assistantRay: toolCall("ray", { ray: rayAt(ms + 1_000, 0x10000), subrequests: "list" }),
    assistantSearch: toolCall("search", { start: new Date(ms - 60_000).toISOString(), end: new Date(ms + 600_000).toISOString(), limit: 20 }),
    flag: JSON.stringify({ flag: true }),
    indexRange: JSON.stringify({ start: week, end: new Date(now).toISOString(), bucket: "cdn-logs-raw", prefix: "logs/http_requests/{DATE}" }),
  };
}

/** A span with a long text, as an exporter sends it. */
function spanOf(ms, at) {
  const [traceId, spanId] = [32, 16].map((digits) => (at + 1).toString(16).padStart(digits, "a"));
  const attributes = [{ key: "note", value: { stringValue: "u".repeat(8_000) } }];
  return { traceId, spanId, name: "n", startTimeUnixNano: `${ms}000000`, endTimeUnixNano: `${ms}000001`, attributes };
}
