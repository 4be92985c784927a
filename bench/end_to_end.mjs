// The rows of the whole Worker: HTTP, the local R2, the queue, the Durable Objects; and the same by the JavaScript Worker.
//
// The local runtime's own part is in both. The plumbing Worker makes the same calls and does nothing, so `net` is what a
// Worker itself takes.
//
// Counts and bytes are those that raydex reports, in the header of its answer and in its log.
import { spreadSamples } from "./batches.mjs";
import { exactly, same } from "./compute.mjs";
import { inTurns, spread } from "./cpu.mjs";
import { readsOf, startWorld } from "./world.mjs";

/** Lookups of one turn. */
const LOOKUPS = 10;

/** What a batch's log line says: rows, memory. With every line delivered, so that transforming is counted in. */
export async function indexRows(batches, { tell }) {
  const world = await startWorld({ partner: true });
  let line;
  for (const batch of batches) {
    tell(`put, index, transform and deliver ${batch.mb} MB`);
    line = await world.index(await world.put(batch), batch.lines);
    await world.delivered(batches.slice(0, batches.indexOf(batch) + 1).reduce((sum, { lines }) => sum + lines, 0));
  }
  await world.stop();
  const { mb, lines } = batches[batches.length - 1];
  const wasm = line.wasm_bytes / 2 ** 20;
  return [
    {
      name: "rows_written_per_batch", words: `rows written to the index, ${mb} MB`, ours: exactly(line.batch.rows_written),
      baseline: exactly(lines), unit: "rows", note: "baseline: a row for each ray",
    },
    { name: "wasm_peak_mib", words: `wasm memory after it, ${mb} MB`, ours: exactly(wasm), unit: "MiB", note: "an isolate has 128 MB" },
    accessPoints(line, mb),
  ];
}

/** The share of access points; raydex says their bytes in its log line once it keeps any. */
function accessPoints({ batch }, mb) {
  const bytes = batch.window_bytes ?? null;
  const row = { name: "access_point_share", words: `access points, of the gzip, ${mb} MB`, unit: "%" };
  return bytes === null ? { ...row, absent: "not yet" } : { ...row, ours: exactly((bytes / batch.stored_bytes) * 100) };
}

/** Indexes a batch end to end, each time in a runtime that has just been started and warmed up. */
export async function indexTurns(batch, small, { turns, tell }) {
  tell(`index end to end, ${batch.mb} MB`);
  const [ours, baseline] = [[], []];
  for (let turn = 0; turn < turns; turn += 1) {
    const world = await startWorld();
    await world.index(await world.put(small), small.lines);
    await world.baselineIndex(small.key);
    const object = await world.put(batch);
    ours.push(await world.meter.of(() => world.index(object, batch.lines)));
    baseline.push(await world.meter.of(() => world.baselineIndex(batch.key)));
    await world.stop();
  }
  const words = `index a batch, ${batch.mb} MB`;
  return { name: "index_e2e", words, ours: spread(ours), baseline: spread(baseline), unit: "ms", note: "read from R2, written to its place" };
}

/** Lookups in a batch, end to end, with the plumbing beside them. */
export async function lookupRows(world, batch, { turns, tell }) {
  tell(`lookup end to end, ${batch.mb} MB`);
  const { figures, cost } = await measured(world, batch, turns);
  const row = (name, words, rest) => ({ name, words: `${words}, ${batch.mb} MB`, unit: "ms", ...rest });
  const { ours, baseline, plumbing, plumbingOfBaseline } = figures;
  const bytes = exactly(cost.bytes_read);
  return [
    row(`lookup_e2e_${batch.mb}mb`, "lookup", { ours, baseline }),
    row(`lookup_plumbing_${batch.mb}mb`, "  plumbing alone", { ours: plumbing, baseline: plumbingOfBaseline, ratio: false }),
    row(`lookup_net_${batch.mb}mb`, "  net", { ours: net(ours, plumbing), baseline: net(baseline, plumbingOfBaseline) }),
    row(`bytes_read_${batch.mb}mb`, "bytes read by a lookup", {
      ours: bytes, baseline: exactly(batch.gzip.length), unit: "B",
      note: `${cost.shards_asked} call of an object, ${cost.objects_read.toFixed(1)} of R2, ${Math.round(cost.bytes_inflated).toLocaleString("en")} B inflated`,
    }),
  ];
}

/** The CPU of lookups in a batch that is indexed, and what they cost on average. */
async function measured(world, batch, turns) {
  const samples = spreadSamples(batch, LOOKUPS);
  const costs = [];
  for (const sample of spreadSamples(batch, 40)) costs.push(await world.lookup(sample));
  const cost = meanOf(costs);
  const each = (work) => async (times) => {
    for (let done = 0; done < times; done += 1) await work(samples[done % samples.length], done % samples.length);
  };
  const own = await Promise.all(samples.map((sample) => world.lookup(sample)));
  const figures = await inTurns(world.meter, [
    { name: "ours", run: each((sample) => world.lookup(sample)), times: LOOKUPS },
    { name: "baseline", run: each((sample) => world.baseline(sample, batch.key)), times: 1 },
    { name: "plumbing", run: each((_, at) => world.plumbing(batch.key, readsOf(own[at]))), times: LOOKUPS },
    { name: "plumbingOfBaseline", run: each(() => world.plumbing(batch.key)), times: 1 },
  ], { turns });
  return { figures, cost };
}

function meanOf(costs) {
  const names = Object.keys(costs[0]);
  return Object.fromEntries(names.map((name) => [name, costs.reduce((sum, cost) => sum + cost[name], 0) / costs.length]));
}

/** The whole without the plumbing; ends of a difference have no turn in common, so there is no spread. */
function net(whole, plumbing) {
  return exactly(Math.max(0, whole.median - plumbing.median));
}
