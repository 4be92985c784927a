// Pairs the lines of two sides, and counts what differs: lines by what became of them, values by column and explanation.
//
// Lines pair by ray and by what a request says of itself, then by the same with rays of another spelling, then by ray alone: equal
// ones first, then those with the fewest different columns. A line that is left is doubled if its equal is paired, and missing on
// the other side otherwise.
import { COLUMNS, brokenLines, explainValue, leftOut, lostThere } from "./compare-rules.mjs";

const SEPARATOR = "\u0001";
/** Columns that say which request it was, where the ray does not: address, method, URL, protocol, size, agent. */
const REQUEST = [13, 14, 15, 18, 19, 22, 35];
/** Lines with one ray that are compared each with each. */
const MOST_OF_A_RAY = 200;

const rayOf = (cells) => cells[2];
const requestOf = (cells) => REQUEST.map((number) => cells[number - 1]).join(SEPARATOR);

/** A ray without what its spelling depends on: a number as a double holds it; what is nested is none. */
function plainRay(cells) {
  const ray = rayOf(cells);
  if (/^\d{16,}$/.test(ray)) return String(Number(ray));
  return /,|^\[object/.test(ray) ? "-" : ray;
}

/** By what lines are paired, one after the other. */
const KEYS = [(cells) => rayOf(cells) + requestOf(cells), (cells) => plainRay(cells) + requestOf(cells), rayOf];

/** The lines of a side: {cells, text}; lines of another number of columns are `malformed`. */
function parse(lines) {
  const whole = [];
  let malformed = 0;
  for (const [at, text] of lines.entries()) {
    const cells = text.split(SEPARATOR);
    if (cells.length === COLUMNS.length) whole.push({ at, text, cells });
    else malformed += 1;
  }
  return { whole, malformed };
}

function grouped(lines, keyOf) {
  const groups = new Map();
  for (const line of lines) {
    const key = keyOf(line.cells);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(line);
  }
  return groups;
}

const differing = (one, other) => one.cells.reduce((count, value, at) => count + (value === other.cells[at] ? 0 : 1), 0);

/** Pairs two lists; returns the pairs and what is left. */
function pairUp(ours, theirs) {
  const pairs = [];
  const byText = grouped(theirs.map((line) => ({ ...line, cells: [line.text], line })), (cells) => cells[0]);
  const restOfOurs = ours.filter((line) => {
    const equal = byText.get(line.text)?.shift();
    if (equal) pairs.push({ ours: line, theirs: equal.line });
    return !equal;
  });
  let restOfTheirs = [...byText.values()].flat().map(({ line }) => line);
  const unpaired = [];
  for (const line of restOfOurs) {
    const near = restOfTheirs.slice(0, MOST_OF_A_RAY).map((other) => [differing(line, other), other]);
    const [, nearest] = near.sort(([a], [b]) => a - b)[0] ?? [];
    if (!nearest) unpaired.push(line);
    else {
      pairs.push({ ours: line, theirs: nearest });
      restOfTheirs = restOfTheirs.filter((other) => other !== nearest);
    }
  }
  return { pairs, ours: unpaired, theirs: restOfTheirs };
}

/** Pairs two sides: {pairs, ours, theirs}, the last two without a pair. */
export function pairLines(ours, theirs) {
  let left = { ours, theirs };
  const pairs = [];
  for (const keyOf of KEYS) {
    const [one, other] = [grouped(left.ours, keyOf), grouped(left.theirs, keyOf)];
    left = { ours: [], theirs: [] };
    for (const key of new Set([...one.keys(), ...other.keys()])) {
      const found = pairUp(one.get(key) ?? [], other.get(key) ?? []);
      pairs.push(...found.pairs);
      left.ours.push(...found.ours);
      left.theirs.push(...found.theirs);
    }
  }
  return { pairs, ...left };
}

/** How many lines would have to move for both sides to have one order. */
function outOfOrder(pairs) {
  const places = [...pairs].sort((a, b) => a.ours.at - b.ours.at).map(({ theirs }) => theirs.at);
  // The longest run that ascends, by the smallest end of each length.
  const ends = [];
  for (const place of places) {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle] < place) low = middle + 1;
      else high = middle;
    }
    ends[low] = place;
  }
  return places.length - ends.length;
}

/** Counts differences by what they are and what explains them. */
class Counts {
  #rows = new Map();

  add(what, id, example) {
    const key = `${what.column ?? what.lines} ${id ?? ""}`;
    const row = this.#rows.get(key) ?? { ...what, count: 0, explained_by: id ?? null, example };
    row.count += 1;
    this.#rows.set(key, row);
  }

  /** Columns in order, then lines. */
  rows() {
    return [...this.#rows.values()].sort((a, b) => (a.column ?? 1000) - (b.column ?? 1000) || b.count - a.count);
  }
}

/** Why raydex has no line of a ray: takes each reason once. */
class LeftOut {
  #entries = new Map();

  constructor(evidence, { verdicts, rejected, reasons }) {
    this.evidence = evidence;
    this.known = { verdicts, rejected, reasons };
  }

  next(ray) {
    if (!this.#entries.has(ray)) this.#entries.set(ray, this.#ids(ray));
    return this.#entries.get(ray).shift();
  }

  #ids(ray) {
    const { verdicts, rejected, reasons } = this.known;
    // What is no JSON is no line of the other Worker either.
    const entries = this.evidence.of(ray).filter(({ record, isJson }) => isJson && record !== null);
    const ids = entries.flatMap(({ key, offset }) => {
      const isQuarantined = verdicts.get(key)?.verdict.endsWith("quarantined");
      return leftOut(isQuarantined ? "quarantined" : rejected.get(`${key} ${offset}`)) ?? [];
    });
    const asked = (reasons.get(ray) ?? []).flatMap((reason) => leftOut(reason) ?? []);
    // A record that Logpush wrote twice is one to raydex, whose other copies have no reason of their own.
    const records = entries.map(({ record }) => JSON.stringify(record));
    const copies = records.length - new Set(records).size - asked.filter((id) => id === "duplicate").length;
    return [...ids, ...asked, ...Array(Math.max(0, copies)).fill("duplicate")];
  }
}

/**
 * Compares two sides. `evidence` has the input, `accounts` what raydex says of what it leaves out: {verdicts, rejected,
 * reasons(rays)}. Returns {lines, differences}, the latter with `explained_by` null where nothing explains them.
 */
export async function compareLines(ours, theirs, evidence, accounts) {
  const [one, other] = [parse(ours), parse(theirs)];
  const { pairs, ...left } = pairLines(one.whole, other.whole);
  const counts = new Counts();
  let equal = 0;
  for (const pair of pairs) {
    if (pair.ours.text === pair.theirs.text) equal += 1;
    else compareValues(pair, evidence, counts);
  }
  const rays = [...new Set(left.theirs.map(({ cells }) => rayOf(cells)))].filter((ray) => ray !== "-");
  const leftOutHere = new LeftOut(evidence, { ...accounts, reasons: await accounts.reasons(rays) });
  const paired = { ours: new Set(pairs.map(({ ours }) => ours.text)), theirs: new Set(pairs.map(({ theirs }) => theirs.text)) };
  for (const line of left.theirs) {
    const lines = paired.theirs.has(line.text) ? "doubled_there" : "missing_here";
    counts.add({ lines }, leftOutHere.next(rayOf(line.cells)), { ray: rayOf(line.cells), theirs: line.text });
  }
  for (const line of left.ours) {
    const lines = paired.ours.has(line.text) ? "doubled_here" : "missing_there";
    const why = lines === "missing_there" ? evidence.of(rayOf(line.cells)).map(lostThere).find(Boolean) : undefined;
    counts.add({ lines }, why, { ray: rayOf(line.cells), ours: line.text });
  }
  const broken = evidence.all().reduce((sum, entry) => sum + brokenLines(entry), 0);
  for (const [lines, count, known] of [["malformed_here", one.malformed, 0], ["malformed_there", other.malformed, broken]]) {
    for (let at = 0; at < count; at += 1) counts.add({ lines }, at < known ? "control_characters" : undefined, {});
  }
  const moved = outOfOrder(pairs);
  for (let at = 0; at < moved; at += 1) counts.add({ lines: "order" }, "order", {});
  return { lines: { ours: ours.length, theirs: theirs.length, paired: pairs.length, equal }, differences: counts.rows() };
}

function compareValues({ ours, theirs }, evidence, counts) {
  const ray = rayOf(ours.cells);
  // Of a ray that is a number the sides may have different spellings, and the input that of the other one.
  const entries = new Set([ours, theirs].flatMap(({ cells }) => evidence.of(rayOf(cells))));
  for (const { number, name } of COLUMNS) {
    const values = { ours: ours.cells[number - 1], theirs: theirs.cells[number - 1] };
    if (values.ours === values.theirs) continue;
    const id = explainValue({ number, ...values, line: ours.cells }, [...entries]);
    counts.add({ column: number, name }, id, { ray, ...values });
  }
}
