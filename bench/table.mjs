// The bench's one table, and the same as JSON.
//
// A row is `{name, words, ours, baseline, unit, note}`; a figure is `{median, min, max}`, or nothing where there is none.
// `{heading}` stands between rows.
//
// `ratio` is baseline / ours, so above 1 ours is the better one. What was not measured is marked so, and is null in the
// JSON.
const ABSENT = "-";

/** How many times better ours is; null where one of the two is missing, or the row compares nothing. */
export function ratioOf({ ours, baseline, ratio }) {
  return ratio !== false && ours && baseline && ours.median > 0 ? baseline.median / ours.median : null;
}

/** The rows as text. */
export function table(rows) {
  const cells = rows.map((row) => (row.heading ? row : cellsOf(row)));
  const titles = ["", "raydex", "(min-max)", "baseline", "(min-max)", "ratio", ""];
  const lines = [titles, ...cells.filter((row) => !row.heading)];
  const widths = titles.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const text = (line) => line.map((cell, column) => pad(cell, widths[column], column)).join("  ").trimEnd();
  return [titles, ...cells].map((row) => (row.heading ? `\n${row.heading}` : text(row))).join("\n");
}

/** The rows as data. */
export function json(rows) {
  const measured = rows.filter((row) => row.name);
  return measured.map(({ name, ours, baseline, unit, ratio }) => ({
    name,
    ours: rounded(ours?.median),
    baseline: rounded(baseline?.median),
    ratio: rounded(ratioOf({ ours, baseline, ratio })),
    unit,
  }));
}

function cellsOf(row) {
  const { words, ours, baseline, unit, note, absent } = row;
  const ratio = ratioOf(row);
  return [
    words,
    ours ? `${figure(ours.median)} ${unit}` : absent ?? ABSENT,
    range(ours),
    baseline ? `${figure(baseline.median)} ${unit}` : ABSENT,
    range(baseline),
    ratio === null ? ABSENT : `${figure(ratio)}x`,
    note ?? "",
  ];
}

function range(spread) {
  if (!spread || spread.min === spread.max) return "";
  return `${figure(spread.min)}-${figure(spread.max)}`;
}

/** A number with three digits that count. */
export function figure(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

function rounded(value) {
  return value === undefined || value === null ? null : Number(value.toPrecision(6));
}

/** Words to the left, figures to the right. */
function pad(cell, width, column) {
  return column === 0 || column === 6 ? cell.padEnd(width) : cell.padStart(width);
}
