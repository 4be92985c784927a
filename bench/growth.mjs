// How a lookup grows with what is stored: with the number of batches, and with the entries of one shard.
//
// One batch is real: it is put, indexed and looked into. The others were never written: their index entries are made by
// the crate's own builder and put into the shards by the call that a Worker makes, since 100,000 batches through the
// queue would take a day. Of the baseline's batches just the arrays of rays are made; the one that it looks for stands in their middle.
//
// Batches come over time: one each 30 seconds, so that about 22 of them have rays in one shard of 655.36 s.
//
// It measures a lookup of the real batch over HTTP, and compares its line. A baseline that would take minutes is left
// out, not estimated.
import { spreadSamples, startOf } from "./batches.mjs";
import { inTurns } from "./cpu.mjs";
import { Wrong } from "./http.mjs";
import { startWorld } from "./world.mjs";

/** Records of a batch that was never written. */
const RECORDS = 1000;
/** Milliseconds between batches. */
const STEP_MS = 30_000;
/** When a ray's clock begins, and how long a shard's window is (src/record/ray_id.rs). */
const [EPOCH_MS, WINDOW_MS] = [1_350_000_000_000, 655_360];
/** Most batches whose arrays the baseline is made to look through: it takes 0.4 ms for each. */
const BASELINE_MOST = { quick: 1_000, full: 10_000 };
/** How many batches, and how many entries of one shard. */
const BATCHES = { quick: [1, 100, 1_000, 10_000], full: [1, 100, 1_000, 10_000, 100_000] };
const ENTRIES = [1, 22, 200, 2_000];
/** Entries put between two words of progress. */
const AT_ONCE = 5_000;
const LOOKUPS = 10;

/** A lookup while so many batches are indexed. */
export async function batchRows(batch, { quick, turns, tell }) {
  const form = quick ? "quick" : "full";
  const world = await startIndexed(batch);
  await world.baselineIndex(batch.key);
  // Back in time from the real one.
  const seeds = { records: RECORDS, start: startOf(batch.mb) - STEP_MS, step: -STEP_MS };
  const rows = [];
  let there = 1;
  for (const count of BATCHES[form]) {
    await seed(world, there, count, seeds, tell);
    const compares = count <= BASELINE_MOST[form];
    if (compares && count > there) await world.baselineArrays(there, count, RECORDS);
    there = count;
    tell(`lookup among ${plural(count, "batch", "batches")}`);
    const { figures, cost } = await lookups(world, batch, { turns, compares });
    rows.push({
      name: `growth_batches_${count}`, words: `${plural(count, "batch", "batches")} indexed`, x: count, ...figures, unit: "ms",
      note: `${cost.shards_asked} call of an object, ${cost.objects_read.toFixed(1)} of R2${compares ? "" : "; baseline left out, it takes too long"}`,
    });
  }
  await world.stop();
  return rows;
}

/** A lookup while so many batches have rays in its one shard. */
export async function entryRows(batch, { turns, tell }) {
  const world = await startIndexed(batch);
  const window = EPOCH_MS + Math.floor((startOf(batch.mb) - EPOCH_MS) / WINDOW_MS) * WINDOW_MS;
  // All over the window, by the golden section, however many there are.
  const within = WINDOW_MS - STEP_MS;
  const seeds = { records: RECORDS, start: window, step: Math.round(within * 0.618), within };
  const rows = [];
  let there = 1;
  for (const count of ENTRIES) {
    await seed(world, there, count, seeds, tell);
    there = count;
    tell(`lookup in a shard of ${plural(count, "entry", "entries")}`);
    const { figures } = await lookups(world, batch, { turns, compares: false });
    rows.push({ name: `growth_shard_${count}`, words: `${plural(count, "entry", "entries")} in the one shard`, x: count, ...figures, unit: "ms" });
  }
  await world.stop();
  return rows;
}

/** A world that has the batch. */
async function startIndexed(batch) {
  const world = await startWorld();
  await world.index(await world.put(batch), batch.lines);
  return world;
}

async function seed(world, from, to, seeds, tell) {
  for (let next = from; next < to; next += AT_ONCE) {
    const end = Math.min(to, next + AT_ONCE);
    const { rows } = await world.seed({ ...seeds, from: next, to: end });
    if (rows < end - next) throw new Wrong(`${end - next} entries wrote ${rows} rows`);
    if (to > AT_ONCE) tell(`${end.toLocaleString("en")} of ${to.toLocaleString("en")} batches in the index`);
  }
}

/** The CPU of one lookup of both sides. */
async function lookups(world, batch, { turns, compares }) {
  const samples = spreadSamples(batch, LOOKUPS);
  const cost = await world.lookup(samples[0]);
  const each = (work) => async (times) => {
    for (let done = 0; done < times; done += 1) await work(samples[done % samples.length]);
  };
  const sides = [{ name: "ours", run: each((sample) => world.lookup(sample)), times: LOOKUPS }];
  if (compares) sides.push({ name: "baseline", run: each((sample) => world.baseline(sample)), times: 1 });
  return { figures: await inTurns(world.meter, sides, { turns }), cost };
}

function plural(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
