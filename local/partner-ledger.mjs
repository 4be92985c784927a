// The ledger of the local partner: how often each line was stored, and whether each batch kept the same content.
//
// It identifies a line by 16 bytes of its SHA-256, because a million complete lines would take a gigabyte. It counts only
// what was stored, removes nothing, and is independent of the Worker's accounting.
import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";

const SEPARATOR = 1;
const NEWLINE = 10;
const FIRST_PRINTABLE = 0x20;
/** Separator of the 145 columns of a line. */
const SEPARATORS = 144;

/** The number of lines of `text` that do not match the format. An empty text or an unterminated last line counts as one. */
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

/** The lines that end with a newline, without it. */
function* linesOf(text) {
  for (let start = 0, end; (end = text.indexOf(NEWLINE, start)) >= 0; start = end + 1) yield text.subarray(start, end);
}

/** Everything stored. */
export class Ledger {
  /** By line hash: request_id, the batch that first contained the line, and the batches that repeated it (or null). */
  #lines = new Map();
  /** By batch ID: how often the batch was stored, the hash of its body, and whether that hash ever changed. */
  #batches = new Map();
  #stored = 0;
  /** When what was stored arrived: pairs of milliseconds and lines. */
  #arrivals = [];

  /** Counts a delivery, given its body as sent and its inflated text. */
  store(batchId, body, text) {
    const sha = createHash("sha256").update(body).digest("hex");
    const batch = this.#batches.get(batchId);
    if (!batch) this.#batches.set(batchId, { times: 1, sha, same: true });
    else {
      batch.times += 1;
      batch.same &&= batch.sha === sha;
    }
    const before = this.#stored;
    for (const line of linesOf(text)) this.#count(line, batchId);
    this.#arrivals.push([performance.now(), this.#stored - before]);
  }

  #count(line, batchId) {
    this.#stored += 1;
    const hash = createHash("sha256").update(line).digest().latin1Slice(0, 16);
    const known = this.#lines.get(hash);
    if (known) (known.later ??= []).push(batchId);
    else this.#lines.set(hash, { requestId: requestIdOf(line), first: batchId, later: null });
  }

  /** The counts. `duplicate_batches`: stored more than once; `changed_batches`: stored with different content;
   * `busiest_second`: lines stored within any second, at most. */
  figures() {
    const batches = [...this.#batches.values()];
    return {
      lines: this.#stored,
      distinct_lines: this.#lines.size,
      duplicate_lines: this.#stored - this.#lines.size,
      batches: batches.length,
      duplicate_batches: batches.filter((batch) => batch.times > 1).length,
      changed_batches: batches.filter((batch) => !batch.same).length,
      busiest_second: this.#busiestSecond(),
    };
  }

  /** The most lines that were stored within any second. */
  #busiestSecond() {
    let [most, within, first] = [0, 0, 0];
    for (const [at, lines] of this.#arrivals) {
      within += lines;
      for (; this.#arrivals[first][0] <= at - 1000; first += 1) within -= this.#arrivals[first][1];
      most = Math.max(most, within);
    }
    return most;
  }

  /**
   * How often each request_id was stored, for each line stored more than once its batches in order, and the most lines
   * within any second.
   */
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

/** The request_id, which is column 3. */
function requestIdOf(line) {
  const start = line.indexOf(SEPARATOR, line.indexOf(SEPARATOR) + 1) + 1;
  return line.toString("utf8", start, line.indexOf(SEPARATOR, start));
}
