// How a stream ended: whole and said so, cut and said so, broken, or short as if it were whole. Only the last is a fault.
//
// A marker counts only with the token of the header, which no stored record can know.
import { END_HEADER, LOGPULL_CUT, MARKERS } from "./names.mjs";
import { linesOf } from "./http.mjs";

/** The text after which a marker's JSON begins. */
function markerOf(line) {
  const mark = MARKERS.find((mark) => line.startsWith(mark));
  if (!mark) return undefined;
  try {
    const text = mark.startsWith("{") ? line : line.slice(mark.length);
    const value = JSON.parse(text);
    return value.raydex ?? value;
  } catch {
    return undefined;
  }
}

/**
 * The last line of a broken body. Its connection breaks behind it; the local runtime makes an ordinary end of that, and the line
 * says it all the same. It has the token of the response, or is no JSON where that has none, so that no record can be it.
 */
function brokenLine(token) {
  return token ? `${LOGPULL_CUT.slice(0, -1)}: ${token}` : LOGPULL_CUT;
}

/**
 * How an answer ended: {end: "broken" | "whole" | "cut" | "refused" | "document", fault}. `form`: "marked" (a marker ends it), "document"
 * (its structure does) or "pure" (only the number of its lines says it: `lines`, those of the whole). `lines` may be unknown.
 */
export function endOf(answer, form, lines) {
  const { status, headers, broken, tail } = answer;
  if (status === 0 || broken) return { end: "broken" };
  if (status >= 400) return { end: "refused" };
  if (tail.trimEnd().endsWith(brokenLine(headers[END_HEADER]))) return { end: "broken" };
  if (form === "marked") return markedEnd(answer, lines);
  if (form === "document") return documentEnd(answer, lines);
  if (lines !== undefined && answer.lines !== lines) return { end: "short", fault: `${answer.lines} of ${lines} lines, and a proper end (${headers["content-type"]})` };
  return { end: "whole" };
}

function markedEnd({ headers, text, tail, lines: all }, lines) {
  const token = headers[END_HEADER];
  const last = linesOf(tail).at(-1) ?? "";
  if (!token) return { end: "unsaid", fault: `there is no header ${END_HEADER}; ${all} lines came, and a proper end` };
  if (!last.includes(token) || !markerOf(last)) return { end: "short", fault: `${all} lines and a proper end without a marker: ${last.slice(0, 80)}` };
  // Of a long answer only the beginning is kept.
  const forged = linesOf(text).slice(0, all - 1).find((line) => line.includes(token));
  if (forged) return { end: "forged", fault: `the token is in another line than the last: ${forged.slice(0, 120)}` };
  const said = markerOf(last);
  // Callers with zones are not told whether batches are missing: their streams break then.
  const whole = said.complete ?? (said.error == null && said.truncated !== true && said.cursor == null);
  if (whole && lines !== undefined && all - 1 < lines) return { end: "short", fault: `${all - 1} of ${lines} lines, and a marker that says they are whole: ${last.slice(0, 200)}` };
  return { end: whole ? "whole" : "cut" };
}

function documentEnd({ headers, text, tail, bytes }, lines) {
  if (headers["content-type"]?.startsWith("text/html")) return pageEnd(tail);
  const sized = headers["content-length"] !== undefined && Number(headers["content-length"]) === bytes;
  if (!sized && !isJson(text, bytes, tail)) return { end: "short", fault: `${bytes} bytes and a proper end of a document that is not whole: …${tail.slice(-60)}` };
  const records = text.split('"RayID":').length - 1;
  const isCut = lines !== undefined && text.length === bytes && records < lines;
  if (!isCut) return { end: "whole" };
  const says = /"complete":false|"error":["{]/.test(tail);
  return says ? { end: "cut" } : { end: "short", fault: `${records} of ${lines} records in a document that does not say that it is cut: …${tail.slice(-60)}` };
}

function pageEnd(tail) {
  if (tail.trimEnd().endsWith("</html>")) return { end: "whole" };
  return { end: "short", fault: `a proper end of a page that is not whole: …${tail.slice(-60)}` };
}

function isJson(text, bytes, tail) {
  // Of a long answer only the ends are kept.
  if (text.length < bytes) return /[\]}]\s*$/.test(tail);
  try {
    return JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
}

/** How often each end came. */
export function endsOf(ends) {
  const counts = {};
  for (const { end } of ends) counts[end] = (counts[end] ?? 0) + 1;
  return Object.entries(counts).map(([end, count]) => `${count} ${end}`).join(", ");
}
