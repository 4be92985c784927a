// What scripts/bench makes of its figures: spreads, ratios, the table, the JSON, the plot. No time is taken here.
// Run by `node --test`, from scripts/test.
import assert from "node:assert/strict";
import { test } from "node:test";
import { spread } from "../../bench/cpu.mjs";
import { decades, plot } from "../../bench/plot.mjs";
import { figure, json, ratioOf, table } from "../../bench/table.mjs";
import { costOf, readsOf } from "../../bench/world.mjs";

const of = (median, min = median, max = median) => ({ median, min, max });
const ROWS = [
  { heading: "plain work" },
  { name: "index", words: "index a batch", ours: of(100, 90, 120), baseline: of(1250, 1200, 1300), unit: "ms", note: "all rays" },
  { name: "plumbing", words: "plumbing", ours: of(1), baseline: of(2), unit: "ms", ratio: false },
  { name: "wasm_peak_mib", words: "memory", ours: of(22), unit: "MiB" },
  { name: "access_point_share", words: "access points", unit: "%", absent: "not yet" },
];

test("a spread is the median with its ends, in any order", () => {
  assert.deepEqual(spread([3, 1, 2]), of(2, 1, 3));
  assert.deepEqual(spread([4, 1, 3, 2]), of(2.5, 1, 4));
  assert.equal(spread([]), undefined);
});

test("a ratio is how many times better ours is, and nothing where one is missing", () => {
  assert.equal(ratioOf({ ours: of(2), baseline: of(8) }), 4);
  assert.equal(ratioOf({ ours: of(2) }), null);
  assert.equal(ratioOf({ ours: of(0), baseline: of(8) }), null);
  assert.equal(ratioOf(ROWS[2]), null);
});

test("the table shows medians, ends and ratios", () => {
  assert.equal(table(ROWS), [
    "                 raydex  (min-max)  baseline    (min-max)  ratio",
    "",
    "plain work",
    "index a batch    100 ms   90.0-120  1,250 ms  1,200-1,300  12.5x  all rays",
    "plumbing        1.00 ms              2.00 ms                   -",
    "memory         22.0 MiB                    -                   -",
    "access points   not yet                    -                   -",
  ].join("\n"));
});

test("a figure has the digits that count", () => {
  assert.deepEqual([0, 0.01234, 1.234, 12.34, 123.4, 12345].map(figure), ["0", "0.012", "1.23", "12.3", "123", "12,345"]);
});

test("the JSON has each row once, with null for what there is not", () => {
  assert.deepEqual(json(ROWS), [
    { name: "index", ours: 100, baseline: 1250, ratio: 12.5, unit: "ms" },
    { name: "plumbing", ours: 1, baseline: 2, ratio: null, unit: "ms" },
    { name: "wasm_peak_mib", ours: 22, baseline: null, ratio: null, unit: "MiB" },
    { name: "access_point_share", ours: null, baseline: null, ratio: null, unit: "%" },
  ]);
});

test("the cost of a lookup says which reads it made", () => {
  const cost = costOf("shards_asked=1, objects_read=1, bytes_read=500, bytes_inflated=9000, full_scans=0, elapsed_ms=3");
  assert.equal(cost.bytes_inflated, 9000);
  assert.deepEqual(readsOf(cost), [[0, 500]]);
  const both = readsOf({ objects_read: 2, bytes_read: 100_000 });
  assert.equal(both.length, 2);
  assert.equal(both.reduce((sum, [, length]) => sum + length, 0), 100_000);
});

test("the plot marks what was measured, and nothing else", () => {
  assert.deepEqual(decades([0.5, 90]), [0.1, 1, 10, 100]);
  const points = [1, 10, 100].map((x) => ({ x, ours: of(1), baseline: x < 100 ? of(x * 70) : undefined }));
  const panels = [{ title: "t", x: "MB", y: "ms", points }, { title: "u", x: "batches", y: "ms", points }];
  const svg = plot(panels);
  // Two in the legend.
  assert.equal(svg.match(/<circle/g).length, 2 + 2 * 5);
  assert.equal(svg.match(/<polyline/g).length, 4);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
});
