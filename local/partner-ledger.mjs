// What the partner's receiver holds: each line it stored and how often, each batch and whether it stayed the same.
//
// A line is known by 16 bytes of its SHA-256: whole lines would be a gigabyte for a million of them.
//
// What always holds: nothing is taken back, and nothing is counted but what was stored; the ledger knows nothing of
// the Worker's own accounts.
import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";

const SEPARATOR = 1;
const NEWLINE = 10;
const FIRST_PRINTABLE = 0x20;
/** Between the 145 columns of a line. */
const SEPARATORS = 144;

/** How many lines of `text` are not of the format. A text that is empty, or does not end its last line, is none. */
export function badLines(text) {
  let bad = text.at(-1) === NEWLINE ? 0 : 1;
  for (const line of linesOf(text)) if (!isLine(line)) bad += 1;
  return bad;
}

function isLine(line) {
  let separators = 0;
  for (let at = 0; at < line.length; at += 1) {
    if (line[at] === SEPARATOR) separators += 1;
    else if (line[at] < FIRST_PRINTABLE) return false;
  }
  return separators === SEPARATORS && isUtf8(line);
}

/** The lines that end in a newline, without it. */
function* linesOf(text) {
  for (let start = 0, end; (end = text.indexOf(NEWLINE, start)) >= 0; start = end + 1) yield text.subarray(start, end);
}

/** What was stored. */
export class Ledger {
  /** Of each line, by its hash: its request_id, the batch it first came in, and those of the times after (or null). */
  #lines = new Map();
  /** Of each batch, by its id: how often it was stored, its body's hash, whether that was always the same. */
  #batches = new Map();
  #stored = 0;

  /** Counts a delivery: its body as it was sent, and inflated. */
  store(batchId, body, text) {
    const sha = createHash("sha256").update(body).digest("hex");
    const batch = this.#batches.get(batchId);
    if (!batch) this.#batches.set(batchId, { times: 1, sha, same: true });
    else {
      batch.times += 1;
      batch.same &&= batch.sha === sha;
    }
    for (const line of linesOf(text)) this.#count(line, batchId);
  }

  #count(line, batchId) {
    this.#stored += 1;
    const hash = createHash("sha256").update(line).digest().latin1Slice(0, 16);
    const known = this.#lines.get(hash);
    if (known) (known.later ??= []).push(batchId);
    else this.#lines.set(hash, { requestId: requestIdOf(line), first: batchId, later: null });
  }

  /** The counts. `duplicate_batches` were stored more than once, `changed_batches` not always with the same bytes. */
  figures() {
    const batches = [...this.#batches.values()];
    return {
      lines: this.#stored,
      distinct_lines: this.#lines.size,
      duplicate_lines: this.#stored - this.#lines.size,
      batches: batches.length,
      duplicate_batches: batches.filter((batch) => batch.times > 1).length,
      changed_batches: batches.filter((batch) => !batch.same).length,
    };
  }

  /** How often each request_id was stored; of each line that came twice, the batches that brought it, in order. */
  lines() {
    const requestIds = new Map();
    const duplicates = [];
    for (const [hash, { requestId, first, later }] of this.#lines) {
      const batches = [first, ...(later ?? [])];
      requestIds.set(requestId, (requestIds.get(requestId) ?? 0) + batches.length);
      if (!later) continue;
      const hex = Buffer.from(hash, "latin1").toString("hex");
      duplicates.push({ line: hex, request_id: requestId, count: batches.length, batches });
    }
    return { request_ids: Object.fromEntries(requestIds), duplicates };
  }
}

/** Column 3. */
function requestIdOf(line) {
  const start = line.indexOf(SEPARATOR, line.indexOf(SEPARATOR) + 1) + 1;
  return line.toString("utf8", start, line.indexOf(SEPARATOR, start));
}
