// What scripts/bench ends in: measures every row, checks every answer, prints one table.
//
// Options come from scripts/bench: --quick, --json FILE, --plot FILE, --program FILE (make-batches, built).
//
// It prints a figure only after it found the answer right. A row that could not be measured says so. No process that it
// starts outlives it.
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { exitAtSignals } from "../local/guard.mjs";
import { ROOT } from "../local/runtime.mjs";
import { batchOf } from "./batches.mjs";
import { lookupRows as plainLookups, startCompute, workRows } from "./compute.mjs";
import { indexRows, indexTurns, lookupRows } from "./end_to_end.mjs";
import { batchRows, entryRows } from "./growth.mjs";
import { plot } from "./plot.mjs";
import { json, table } from "./table.mjs";
import { toolRows } from "./tools.mjs";
import { startWorld } from "./world.mjs";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    plot: { type: "string" },
    program: { type: "string" },
  },
});

exitAtSignals();

main().catch((error) => {
  process.stderr.write(`\x1b[1;31mstopped:\x1b[0m ${error.stack}\n`);
  process.exit(1);
});

async function main() {
  const plan = { turns: 5, sizes: options.quick ? [1, 10, 40] : [1, 10, 40, 100], quick: options.quick, tell };
  const made = { program: options.program, folder: path.join(ROOT, "target", "bench"), tell };
  const batches = new Map();
  for (const mb of plan.sizes) batches.set(mb, await batchOf(mb, made));
  const plain = await plainWork(batches, plan);
  const size = plan.sizes.map((mb) => ({ ...plain.find((row) => row.name === `lookup_${mb}mb`), x: mb }));
  const lookup = plain.find((row) => row.name === "lookup_10mb").ours;
  say("the shell's tools");
  const tools = toolRows(batches.get(10), lookup, plan);
  const whole = await wholeWorker(batches, plan);
  say("how a lookup grows (just one of the batches is real: of the others there are the index entries)");
  const growth = await batchRows(batches.get(10), plan);
  const entries = await entryRows(batches.get(10), plan);
  const rows = [
    { heading: "CPU of plain work: the batch in memory, both sides in one workerd" },
    ...plain,
    { heading: "CPU of the shell's tools, beside a lookup as above" },
    ...tools,
    { heading: "The whole Worker: CPU of the local runtime's R2, queues and objects included" },
    ...whole,
    { heading: "CPU of a whole lookup in 10 MB, by what is indexed (all but one batch: entries seeded, 1,000 rays in 30 s each)" },
    ...growth,
    ...entries,
  ];
  process.stdout.write(`${table(rows)}\n`);
  if (options.json) write(options.json, `${JSON.stringify(json(rows), null, 2)}\n`);
  if (options.plot) write(options.plot, plot([
    { title: "By the size of the batch", x: "gzip of the batch, MB", y: "CPU of one lookup, ms", points: size },
    { title: "By the number of batches", x: "batches indexed", y: "CPU of one lookup, ms", points: growth },
  ]));
}

async function plainWork(batches, plan) {
  say("plain work, both sides in one workerd");
  const compute = await startCompute();
  const rows = await workRows(compute, batches.get(10), plan);
  for (const batch of batches.values()) rows.push(...(await plainLookups(compute, batch, plan)));
  await compute.stop();
  return rows;
}

async function wholeWorker(batches, plan) {
  say("the whole Worker, over HTTP");
  const rows = [await indexTurns(batches.get(10), batches.get(1), plan)];
  rows.push(...(await indexRows(plan.quick ? [batches.get(10)] : [batches.get(10), batches.get(100)], plan)));
  const world = await startWorld();
  for (const batch of plan.quick ? [batches.get(10)] : batches.values()) {
    await world.index(await world.put(batch), batch.lines);
    rows.push(...(await lookupRows(world, batch, plan)));
  }
  await world.stop();
  return rows;
}

function write(file, text) {
  fs.writeFileSync(file, text);
  tell(`written: ${path.relative(process.cwd(), file)}`);
}

function say(words) {
  process.stderr.write(`\x1b[1m${words}\x1b[0m\n`);
}

function tell(words) {
  process.stderr.write(`  ${words}\n`);
}
