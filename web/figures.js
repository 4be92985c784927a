// Durations in words, as src/page/figures.rs says them: tests/fixtures/page/durations.json holds for both.

/** The units of short durations: nanoseconds, the number from which the next unit fits, the name. */
const SHORT_UNITS = [
  [1e3, 1000, "µs"],
  [1e6, 1000, "ms"],
  [1e9, 60, "s"],
];

/** How often a unit fits into a value, rounded half up. */
const halfUp = (value, unit) => Math.floor(value / unit) + (value % unit >= unit / 2 ? 1 : 0);

const twoUnits = (large, largeName, small, smallName) =>
  small === 0 ? `${large} ${largeName}` : `${large} ${largeName} ${small} ${smallName}`;

/** A duration in nanoseconds with its unit: `3.1 s`, `149 ms`, `1 min 12 s`. */
export const duration = (time) => {
  const ns = Math.max(0, Math.floor(time));
  if (halfUp(ns, 100) === 0) return "0 ms";
  for (const [unit, limit, name] of SHORT_UNITS) {
    const tenths = halfUp(ns, unit / 10);
    if (tenths < 100) return `${tenths / 10} ${name}`;
    const whole = halfUp(ns, unit);
    if (whole < limit) return `${whole} ${name}`;
  }
  const seconds = halfUp(ns, 1e9);
  if (seconds < 3600) return twoUnits(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = halfUp(ns, 60e9);
  return twoUnits(Math.floor(minutes / 60), "h", minutes % 60, "min");
};
