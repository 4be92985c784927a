// The batches that are measured: made once by make-batches, kept in target/bench/, read by Node's own zlib.
//
// A batch is a function of the options below, so that two runs measure the same bytes. Node alone says what its lines
// are, neither raydex nor the baseline.
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import zlib from "node:zlib";

/** Records by the size of their gzip in MB, with the usual fields (1.6 KB a line, 124 B of gzip). */
const RECORDS = { 1: 8_300, 10: 83_000, 40: 333_000, 100: 833_000 };
/** When the batches begin: a time of the past, so that nothing depends on the day. */
const START_MS = Date.parse("2026-03-28T08:42:00Z");
/** Milliseconds between two of them, for each MB: so that no two share a shard. */
const APART_MS = 1_200_000;
/** Lines that are kept of each batch, spread over it. */
const SAMPLES = 400;

/** When the batch of so many MB begins, in Unix milliseconds. */
export function startOf(mb) {
  return START_MS + mb * APART_MS;
}

/** The batch of so many MB of gzip: its key, bytes, rays and the lines of some of them. */
export async function batchOf(mb, { program, folder, tell }) {
  const home = path.join(folder, `${mb}mb`);
  const manifest = path.join(home, "manifest.json");
  if (!fs.existsSync(manifest)) {
    tell(`making a batch of ${RECORDS[mb].toLocaleString("en")} records (kept in target/bench/)`);
    fs.rmSync(home, { recursive: true, force: true });
    const plan = ["--dataset", "http_requests", "--batches", "1", "--records", String(RECORDS[mb])];
    const when = ["--start", new Date(startOf(mb)).toISOString(), "--window", "30", "--late", "0"];
    await run(program, ["--out", home, "--seed", String(mb), ...plan, ...when]);
  }
  const [{ key }] = JSON.parse(fs.readFileSync(manifest, "utf8")).batches;
  const file = path.join(home, key);
  const gzip = fs.readFileSync(file);
  return { mb, key, file, gzip, ...(await read(file, RECORDS[mb])) };
}

/** What Node reads of a batch: how many lines, how many bytes of text, and some lines with their rays. */
async function read(file, records) {
  const samples = [];
  const step = Math.max(1, Math.floor(records / SAMPLES));
  let [lines, inflated] = [0, 0];
  const text = fs.createReadStream(file).pipe(zlib.createGunzip());
  text.on("data", (piece) => (inflated += piece.length));
  for await (const line of readline.createInterface({ input: text, crlfDelay: Infinity })) {
    if (lines % step === step >> 1 && samples.length < SAMPLES) samples.push({ ray: JSON.parse(line).RayID, line });
    lines += 1;
  }
  return { lines, inflated, samples };
}

/** `count` of the batch's samples, spread over it as evenly as all of them. */
export function spreadSamples({ samples }, count) {
  const taken = Math.min(count, samples.length);
  return Array.from({ length: taken }, (_, at) => samples[Math.floor(((at + 0.5) * samples.length) / taken)]);
}

/** Runs a program to its end; its words are shown if it fails. */
export function run(program, args) {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    let words = "";
    child.stderr.on("data", (piece) => (words = (words + piece).slice(-2000)));
    child.on("error", failed);
    child.on("close", (code) => (code === 0 ? done() : failed(new Error(`${path.basename(program)} failed: ${words}`))));
  });
}
