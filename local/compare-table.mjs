// How scripts/compare shows what it found: a table, or JSON. Values are cut, cleaned of control characters, and without the values
// of URL parameters, which may be secrets.
import { KNOWN } from "./compare-rules.mjs";

/** Most characters that are shown of a value, and of those before the first one that differs. */
const [SHOWN, BEFORE] = [36, 8];
const PAGE = "docs/migrate.md";
const LINES = {
  doubled_here: "raydex has a line twice",
  doubled_there: "the other Worker has a line twice",
  missing_here: "the other Worker alone has a line",
  missing_there: "raydex alone has a line",
  malformed_here: "a line of raydex has not 145 columns",
  malformed_there: "a line of the other Worker has not 145 columns",
  order: "lines that would have to move for one order",
};
const ANCHORS = new Map(KNOWN.map(({ id, anchor }) => [id, anchor]));

/** A value without what a terminal obeys, what ends lines, and the values of parameters. */
function cleaned(value) {
  const visible = value.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) => `<${c.codePointAt(0).toString(16).padStart(2, "0")}>`);
  return visible.replaceAll(/([?&][^=&\s]{1,64}=)[^&\s]+/g, "$1*");
}

/** The parts of two values around the first difference. */
export function excerpts(one, other) {
  const values = [one, other].map((value) => Array.from(cleaned(value)));
  let first = 0;
  while (first < values[0].length && values[0][first] === values[1][first]) first += 1;
  if (first === values[0].length && first === values[1].length && one !== other) return [one, other].map(() => "(within what is not shown)");
  const start = Math.max(0, first - BEFORE);
  return values.map((value) => `${start > 0 ? "…" : ""}${value.slice(start, start + SHOWN).join("")}${value.length > start + SHOWN ? "…" : ""}`);
}

/** A row as it is given out: without whole lines, with where the documents explain it. */
function shown({ column, name, lines, count, explained_by: id, example }) {
  const what = column ? { column, name } : { lines, name: LINES[lines] };
  const base = { ...what, count, explained_by: id, anchor: id && `${PAGE}#${ANCHORS.get(id)}` };
  if (column) {
    const [ours, theirs] = excerpts(example.ours, example.theirs);
    return { ...base, example: { ray: cleaned(example.ray).slice(0, 40), ours, theirs } };
  }
  return { ...base, example: example.ray === undefined ? null : { ray: cleaned(example.ray).slice(0, 40) } };
}

/** The report: {batches, lines, unexplained, differences}; `unexplained` is the number of differences. */
export function reportOf({ batches, input, lines, differences }) {
  const unexplained = differences.filter((row) => row.explained_by === null).reduce((sum, { count }) => sum + count, 0);
  return { batches, lines: { input, ...lines }, unexplained, differences: differences.map(shown) };
}

/** The report as a table. */
export function tableOf({ batches, lines, unexplained, differences }) {
  const heads = ["column", "name", "lines", "class", "example: raydex", "other", "ray"];
  const rows = differences.map((row) => [
    row.column ? String(row.column) : "-",
    row.name,
    row.count.toLocaleString("en"),
    row.explained_by ?? "UNEXPLAINED",
    ...(row.example ? [row.example.ours ?? "", row.example.theirs ?? "", row.example.ray] : ["", "", ""]),
  ]);
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map((row) => Array.from(row[at]).length)));
  const padded = (row) => row.map((cell, at) => (at === 2 ? cell.padStart(widths[at]) : cell.padEnd(widths[at]))).join("  ").trimEnd();
  const count = (number) => number.toLocaleString("en");
  const ids = [...new Set(differences.map((row) => row.explained_by).filter(Boolean))];
  const sentences = KNOWN.filter(({ id }) => ids.includes(id)).map(({ id, sentence, anchor }) => `  ${id}: ${sentence} (${PAGE}#${anchor})`);
  return [
    `${count(batches)} batches of ${count(lines.input)} lines: raydex delivered ${count(lines.ours)}, the other Worker ${count(lines.theirs)};`,
    `${count(lines.paired)} have a pair, of which ${count(lines.equal)} are equal byte for byte.`,
    ...(rows.length > 0 ? ["", padded(heads), ...rows.map(padded)] : []),
    ...(sentences.length > 0 ? ["", "Known differences:", ...sentences] : []),
    "",
    unexplained > 0 ? `${count(unexplained)} differences are unexplained.` : "Every difference is explained.",
  ].join("\n");
}
