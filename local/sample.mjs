// The sample data of a first start: made by make-batches, sent the way every batch goes.
//
// The folder `sample/` of the state holds the files as they were made (its manifest.json is written last, so one
// without it is made again); each goes into the bucket and is announced on parse-queue. `sample.json` beside it is
// written at the very end: a start that was interrupted finds none, and does it all again with the same files,
// which changes nothing for those that are indexed already.
//
// What always holds: it is done only if every batch was indexed and the examples are found over HTTP.
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

/** Something is wrong, with what to do about it. */
export class Trouble extends Error {
  constructor(what, toDo) {
    super(what);
    this.toDo = toDo;
  }
}

/** What make-batches is asked for: ten batches of each dataset over the last five minutes. */
const PLAN = ["--records", "20000", "--batches", "10", "--window", "300", "--unit", "mixed", "--members", "3"];
/** How long the index may take for the next batch, in milliseconds. */
const PATIENCE = 60_000;
/** How often the progress is told, in milliseconds. */
const TELL_EVERY = 500;

/** What the state says of its sample data: its examples, or undefined. */
export function madeSample(state) {
  const file = path.join(state, "sample.json");
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : undefined;
}

/** Makes the sample data and has it indexed. `verdicts` calls back with each verdict on a message. */
export async function makeSample({ state, program, runtime, verdicts, find, tell }) {
  const folder = path.join(state, "sample");
  if (!fs.existsSync(path.join(folder, "manifest.json"))) {
    tell("generating sample data: 20,000 requests over the last five minutes");
    fs.rmSync(folder, { recursive: true, force: true });
    await run(program, ["--out", folder, ...PLAN]);
  }
  const { batches, examples } = JSON.parse(fs.readFileSync(path.join(folder, "manifest.json"), "utf8"));
  const progress = new Progress(batches, tell);
  verdicts((verdict) => progress.verdict(verdict));
  for (const { key } of batches) {
    await runtime.announce(await runtime.put(key, fs.readFileSync(path.join(folder, key))));
  }
  await progress.all();
  for (const [kind, example] of Object.entries(examples)) {
    if (example && !(await find(example.ray))) {
      throw new Trouble(`the sample data is indexed, but ray ${example.ray} (${kind}) is not found`, "report this as a bug");
    }
  }
  const made = { examples, batches: batches.length, rays: progress.rays };
  const file = path.join(state, "sample.json");
  fs.writeFileSync(`${file}.new`, `${JSON.stringify(made, null, 2)}\n`);
  fs.renameSync(`${file}.new`, file);
  fs.rmSync(folder, { recursive: true });
  return made;
}

/** Runs a program to its end; its words are shown if it fails. */
function run(program, args) {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    const end = () => child.kill();
    process.once("exit", end);
    let words = "";
    child.stderr.on("data", (piece) => (words = (words + piece).slice(-2000)));
    child.on("error", failed);
    child.on("close", (code) => {
      process.off("exit", end);
      if (code === 0) done();
      else failed(new Trouble(`make-batches failed: ${words.trim()}`, "read the message; the disk may be full"));
    });
  });
}

/** How far the index is. */
class Progress {
  rays = 0;
  #waiting;
  #total;
  #tell;
  #told = 0;
  #moved = Date.now();
  #trouble;

  constructor(batches, tell) {
    this.#waiting = new Map(batches.map((batch) => [batch.key, batch]));
    this.#total = batches.length;
    this.#tell = tell;
  }

  verdict({ verdict, key, code, reason }) {
    const batch = this.#waiting.get(key);
    if (!batch) return;
    if (verdict === "failed") return this.#tell(`retrying ${key}: ${reason}`);
    if (verdict !== "sealed" && verdict !== "already_sealed") {
      const why = [verdict, code, reason].filter(Boolean).join(": ");
      this.#trouble ??= new Trouble(`batch ${key} of the sample data was not indexed (${why})`, "report this as a bug");
      return;
    }
    this.#waiting.delete(key);
    this.rays += batch.rays;
    this.#moved = Date.now();
    if (this.#moved - this.#told < TELL_EVERY && this.#waiting.size > 0) return;
    this.#told = this.#moved;
    const done = this.#total - this.#waiting.size;
    this.#tell(`indexed ${done} of ${this.#total} batches, ${this.rays.toLocaleString("en")} rays`);
  }

  /** Waits until every batch is indexed. */
  async all() {
    while (this.#waiting.size > 0) {
      if (this.#trouble) throw this.#trouble;
      const [key] = this.#waiting.keys();
      if (Date.now() - this.#moved > PATIENCE) {
        throw new Trouble(`batch ${key} was not indexed within ${PATIENCE / 1000} s`, "read worker.log in the state folder");
      }
      await new Promise((done) => setTimeout(done, 20));
    }
  }
}
