// CPU time of workerd, and figures made of it.
//
// Wall time says how busy the machine was; CPU time says what the work took. It is read from the kernel's own account of
// every thread of the process (nanoseconds), or of the whole process (hundredths of a second) where the former is missing.
//
// Sides take turns, so that drift affects both. A figure is the median of its turns, with the smallest and the largest.
// Nothing here asserts a time.
import fs from "node:fs";

/** Nanoseconds of one tick of the coarse account: 100 a second on every Linux. */
const TICK_NS = 1e7;

/** CPU time of a process since it began, in milliseconds. */
export function cpuMs(pid) {
  return (threadsNs(pid) ?? processNs(pid)) / 1e6;
}

function threadsNs(pid) {
  try {
    const tasks = fs.readdirSync(`/proc/${pid}/task`);
    return tasks.reduce((sum, task) => sum + threadNs(`/proc/${pid}/task/${task}/schedstat`), 0);
  } catch {
    return undefined;
  }
}

function threadNs(file) {
  try {
    return Number(fs.readFileSync(file, "utf8").split(" ")[0]);
  } catch (error) {
    // A thread that has just ended.
    if (error.code === "ENOENT" || error.code === "ESRCH") return 0;
    throw error;
  }
}

function processNs(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_NS;
}

/** The workerd processes that this process has started (local/guard.mjs keeps their list). */
export function workerds() {
  const folder = process.env.RAYDEX_WORKERDS;
  return folder ? fs.readdirSync(folder).map(Number).filter((pid) => fs.existsSync(`/proc/${pid}`)) : [];
}

/** A meter of one process: `of(work)` is the CPU that the process spends while `work` lasts. */
export function meterOf(pid) {
  return {
    pid,
    async of(work) {
      const before = cpuMs(pid);
      await work();
      return cpuMs(pid) - before;
    },
  };
}

/** Median, smallest and largest of some figures. */
export function spread(figures) {
  if (figures.length === 0) return undefined;
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}

/**
 * Measures sides in turns. Each of `sides` is `{name, run(times), times, least}`: `run` does the work so often in one
 * request; without `times`, as many are taken as last about `aimMs`, and `least` of them. Gives for each name the spread of one work's CPU in
 * milliseconds, an empty request's share taken off, and how often the work was done in a turn.
 */
export async function inTurns(meter, sides, { turns = 5, aimMs = 300, most = 1000 } = {}) {
  const counts = new Map();
  for (const { name, run, times, least = 1 } of sides) {
    // The first time warms up too.
    const once = await meter.of(() => run(1));
    counts.set(name, times ?? Math.min(most, Math.max(least, Math.round(aimMs / Math.max(once, 0.05)))));
  }
  const figures = new Map(sides.map(({ name }) => [name, []]));
  const empty = new Map(sides.map(({ name }) => [name, []]));
  for (let turn = 0; turn < turns; turn += 1) {
    for (const { name, run } of sides) {
      empty.get(name).push(await meter.of(() => run(0)));
      figures.get(name).push(await meter.of(() => run(counts.get(name))));
    }
  }
  const result = {};
  for (const { name } of sides) {
    const times = counts.get(name);
    const nothing = spread(empty.get(name)).median;
    const each = figures.get(name).map((figure) => Math.max(0, figure - nothing) / times);
    result[name] = { ...spread(each), times };
  }
  return result;
}
