// The day of batches that scripts/compare reads: objects of a folder with their keys, and the records in them as evidence.
//
// The records explain differences, and are read by JSON.parse alone: neither Worker's way of reading is repeated here.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { awkwardBatches } from "./compare-awkward.mjs";
import { Trouble } from "./sample.mjs";

/** Most lines of one comparison: what both sides make of more does not fit into the memory of Node.js. */
const MOST_LINES = 500_000;
/** Most batches of one comparison: as many as raydex lists at once, by which it says what it left out. */
export const MOST_BATCHES = 1_000;
/** The first bytes of gzip. */
const GZIP = [0x1f, 0x8b];
/** The list that make-batches writes, and what hidden files are. */
const NO_BATCH = /^manifest\.json$|(^|\/)\./;
/** Members of a record that no column is made of. */
const USED = /^(RayID|Edge|Client|Origin|Cache|Response|ParentRayID|Worker|Subrequests$)/;

/** Every file under `folder`, with its path from there as the key: [{key, file}]. */
export function filesIn(folder) {
  const names = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = names.map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
  const batches = files.map((file) => ({ key: path.relative(folder, file).replaceAll(path.sep, "/"), file }));
  return batches.filter(({ key }) => !NO_BATCH.test(key)).sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The text of a file that may be gzip, as bytes; undefined where it is damaged. */
export function inflated(bytes) {
  if (bytes[0] !== GZIP[0] || bytes[1] !== GZIP[1]) return bytes;
  try {
    return gunzipSync(bytes);
  } catch {
    return undefined;
  }
}

/** Writes a day into `folder`: `records` usual ones in each form of time, and the awkward ones. */
export function writeSample(folder, { program, records }) {
  if (fs.existsSync(folder) && fs.readdirSync(folder).length > 0) throw new Trouble(`${folder} is not empty`, "name a folder that does not exist");
  const plan = ["--dataset", "http_requests", "--batches", "3", "--records", String(records), "--unit", "mixed", "--start", "2026-03-28T08:40:00Z"];
  const { status, stderr, error } = spawnSync(program, ["--out", folder, ...plan], { encoding: "utf8" });
  if (status !== 0) throw new Trouble(`make-batches failed: ${error?.message ?? stderr.trim()}`, "build it: cargo build --release --features sample --bin make-batches");
  for (const { key, bytes } of awkwardBatches()) {
    const file = path.join(folder, key);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, bytes);
  }
}

/** Evidence: what the input says of a line. */
export class Evidence {
  #byRay = new Map();
  /** Input lines, blank ones not counted. */
  lines = 0;

  constructor(batches) {
    for (const { key, file } of batches) this.#read(key, inflated(fs.readFileSync(file)));
  }

  #read(key, text = Buffer.alloc(0)) {
    for (let [offset, end] = [0, 0]; offset < text.length; offset = end + 1) {
      end = text.indexOf(10, offset);
      if (end < 0) end = text.length;
      const line = text.toString("utf8", offset, end).trim();
      if (line === "") continue;
      this.lines += 1;
      if (this.lines > MOST_LINES) throw new Trouble(`there are more than ${MOST_LINES} lines`, "compare an hour, in a folder of its own");
      const found = read(line);
      const ray = rayIn(found.record);
      if (!this.#byRay.has(ray)) this.#byRay.set(ray, []);
      this.#byRay.get(ray).push({ key, offset, ...found });
    }
  }

  /** The input lines with a column 3: [{key, offset, record, isJson}]. */
  of(ray) {
    return this.#byRay.get(ray) ?? [];
  }

  /** Every input line. */
  all() {
    return [...this.#byRay.values()].flat();
  }
}

/** A line as a record with the members in use; `isJson` says whether JSON.parse takes it. */
function read(line) {
  try {
    const value = JSON.parse(line);
    if (value === null || typeof value !== "object" || Array.isArray(value)) return { record: value, isJson: true };
    return { record: Object.fromEntries(Object.entries(value).filter(([name]) => USED.test(name))), isJson: true };
  } catch {
    // Neither side has a line of it, but its ray may be in others.
    return { record: { RayID: /"RayID":"([^"\\]*)"/.exec(line)?.[1] }, isJson: false };
  }
}

/** What both Workers write into column 3. */
function rayIn(record) {
  const ray = record?.RayID;
  return ray === undefined || ray === null || ray === "" || typeof ray === "object" ? "-" : String(ray);
}
