// Attacks the built Worker under the real runtime: `scripts/attack` says how.
//
// Each attack is a file of this folder. It asks over HTTP alone, as callers of every role would, and holds the answers against
// what it wrote into the bucket itself. Before an attack is made, its checks must find a fault in the answers of a server
// that answers badly on purpose (`fakes`): a check that passes there cannot fail.
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { exitAtSignals } from "../../local/guard.mjs";
import { ROOT } from "../../local/runtime.mjs";
import { against } from "./lib/fake.mjs";
import { inTurns } from "./lib/http.mjs";
import { randomOf } from "./lib/random.mjs";

/** Every attack, in the order in which they are made. */
const ATTACKS = ["doors", "objects", "audit", "masking", "ingest", "twins", "order", "cut", "trap", "stalled", "starvation", "memory"];
/** Attacks that hold times against a limit. */
const TIMED = ["order", "stalled", "starvation", "memory"];

const { values: options } = parseArgs({
  options: {
    build: { type: "string", default: path.join(ROOT, "build") },
    seed: { type: "string", default: "1" },
    only: { type: "string", multiple: true, default: [] },
    row: { type: "string", default: "" },
    full: { type: "boolean", default: false },
    slice: { type: "boolean", default: false },
    fakes: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    json: { type: "string" },
  },
});

exitAtSignals();
// A failure in one attack must not end the others.
process.on("unhandledRejection", (error) => say(`      ${error?.stack ?? error}`));

const results = [];
const say = (words) => process.stderr.write(`${words}\n`);

main().then(
  (failed) => process.exit(failed ? 1 : 0),
  (error) => {
    say(`stopped: ${error.stack}`);
    process.exit(2);
  },
);

async function main() {
  const attacks = await Promise.all(ATTACKS.map((name) => import(`./${name}.mjs`)));
  if (options.list) {
    for (const { name, about } of attacks) process.stdout.write(`${name.padEnd(12)} ${about}\n`);
    return false;
  }
  const unknown = options.only.filter((name) => !ATTACKS.includes(name));
  if (unknown.length > 0) throw new Error(`there is no attack ${unknown.join(", ")}: --list lists them`);
  const chosen = attacks.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  // What takes its time is measured alone; the others of a slice share the machine.
  const together = options.slice ? chosen.filter(({ name }) => !TIMED.includes(name)) : [];
  await inTurns(together, 4, made);
  for (const attack of chosen.filter((attack) => !together.includes(attack))) await made(attack);
  if (options.json) fs.writeFileSync(options.json, `${JSON.stringify(results, null, 1)}\n`);
  const failed = results.filter(({ faults }) => faults.length > 0).length;
  process.stdout.write(`${results.length - failed} passed, ${failed} failed\n`);
  return failed > 0;
}

/** One attack: its own checks first, then the Worker. */
async function made({ name, about, fakes, attack }) {
  const began = Date.now();
  say(`\x1b[1m${name}: ${about}\x1b[0m`);
  for (const fake of fakes) {
    // A check that throws has found nothing.
    const found = await against(fake.answer, fake.probe).catch((error) => error);
    const isSeen = Array.isArray(found) && found.length > 0;
    record(name, `sees ${fake.bad}`, isSeen ? [] : [`the check found nothing wrong: ${found.stack ?? found}`], "");
    if (!fake.good) continue;
    const wrong = await against(fake.good, fake.probe).catch((error) => [String(error.stack)]);
    record(name, `passes what is right beside ${fake.bad}`, wrong, "");
  }
  if (options.fakes) return;
  const { build, full, slice, row } = options;
  const context = {
    build,
    full,
    slice,
    row,
    size: slice ? "slice" : full ? "full" : "whole",
    random: randomOf(Number(options.seed)),
    seed: Number(options.seed),
    tell: (words) => say(`      ${words}`),
    check: (what, faults, figures = "") => record(name, what, faults, figures),
  };
  try {
    await attack(context);
  } catch (error) {
    record(name, "the attack could be made", [String(error.stack ?? error)], "");
  }
  say(`      ${name} took ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

/** Most faults of one check that are printed. */
const SHOWN = 4;

function record(attack, what, faults, figures) {
  results.push({ attack, what, figures, faults: faults.slice(0, 20), count: faults.length });
  const mark = faults.length === 0 ? "ok  " : "FAIL";
  say(`${mark}  ${attack}: ${what}${figures ? ` (${figures})` : ""}`);
  for (const fault of faults.slice(0, SHOWN)) say(`      ${String(fault).replace(/\s+/g, " ").slice(0, 600)}`);
  if (faults.length > SHOWN) say(`      and ${faults.length - SHOWN} more`);
}
