// The curves of growth as an SVG: ours and the baseline, by the size of a batch and by the number of batches.
//
// Both axes are logarithmic, or a thousandfold difference would be a flat line. Every measured point is marked, and no
// other. The colours are readable on a light and on a dark page.
import { figure } from "./table.mjs";

const [WIDTH, HEIGHT] = [960, 400];
const PANEL = { width: 360, height: 250, top: 74, lefts: [76, 556] };
const INK = "#7d8590";
const CURVES = [
  { side: "baseline", words: "JavaScript Worker", colour: "#e8710a" },
  { side: "ours", words: "raydex", colour: "#1a7fe8" },
];

/**
 * The plot of panels `{title, x, y, points}`: `x` and `y` are the words at the axes, `points` are rows with an `x` and
 * the figures `ours` and `baseline`.
 */
export function plot(panels) {
  const drawn = panels.map((panel, at) => drawPanel(panel, PANEL.lefts[at]));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}"`,
    ` font-family="system-ui, sans-serif" font-size="12" fill="${INK}">`,
    `<title>CPU time of one lookup</title>`,
    legend(),
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

function legend() {
  const entry = ({ words, colour }, at) => {
    const x = 76 + at * 160;
    return `<line x1="${x}" y1="20" x2="${x + 26}" y2="20" stroke="${colour}" stroke-width="3"/>` +
      `<circle cx="${x + 13}" cy="20" r="4" fill="${colour}"/><text x="${x + 34}" y="24">${words}</text>`;
  };
  return CURVES.map(entry).join("\n");
}

function drawPanel({ title, x, y, points }, left) {
  const { width, height, top } = PANEL;
  const values = points.flatMap(({ ours, baseline }) => [ours, baseline]).filter(Boolean).flatMap(({ min, max }) => [min, max]);
  const across = axis(points.map((point) => point.x), left, left + width, 0.04);
  const up = axis(decades(values), top + height, top, 0);
  const curves = CURVES.map((curve) => drawCurve(curve, points, across, up));
  return [
    `<text x="${left}" y="${top - 20}" font-size="14" font-weight="600">${title}</text>`,
    ...decades(values).map((value) => rule(value, left, up(value))),
    ...points.map((point) => `<text x="${across(point.x)}" y="${top + height + 20}" text-anchor="middle">${count(point.x)}</text>`),
    `<line x1="${left}" y1="${top + height}" x2="${left + width}" y2="${top + height}" stroke="${INK}"/>`,
    `<text x="${left + width / 2}" y="${top + height + 44}" text-anchor="middle">${x}</text>`,
    `<text transform="translate(${left - 54} ${top + height / 2}) rotate(-90)" text-anchor="middle">${y}</text>`,
    ...curves,
  ].join("\n");
}

/** A curve with its points, their spread, and the figure of the first and the last of them. */
function drawCurve({ side, colour }, points, across, up) {
  const there = points.filter((point) => point[side]?.median > 0);
  if (there.length === 0) return "";
  const at = ({ x, ...point }) => `${across(x).toFixed(1)},${up(point[side].median).toFixed(1)}`;
  const mark = (point) => {
    const [x, y] = at(point).split(",");
    const [low, high] = [point[side].min, point[side].max].map((value) => up(Math.max(value, Number.MIN_VALUE)).toFixed(1));
    return `<line x1="${x}" y1="${low}" x2="${x}" y2="${high}" stroke="${colour}" stroke-opacity="0.5" stroke-width="5"/>` +
      `<circle cx="${x}" cy="${y}" r="4" fill="${colour}"/>`;
  };
  const label = (point, anchor, next) => {
    const [x, y] = at(point).split(",").map(Number);
    // Above, unless the curve goes there.
    const rises = next && y - Number(at(next).split(",")[1]) > 12;
    return `<text x="${x}" y="${rises ? y + 20 : y - 10}" text-anchor="${anchor}" fill="${colour}" font-weight="600">${figure(point[side].median)} ms</text>`;
  };
  const ends = [label(there[0], "start", there[1])];
  if (there.length > 1) ends.push(label(there[there.length - 1], "end"));
  const line = `<polyline points="${there.map(at).join(" ")}" fill="none" stroke="${colour}" stroke-width="2.5" stroke-linejoin="round"/>`;
  return [line, ...there.map(mark), ...ends].join("\n");
}

/** A line across at a power of ten. */
function rule(value, left, y) {
  return `<line x1="${left}" y1="${y}" x2="${left + PANEL.width}" y2="${y}" stroke="${INK}" stroke-opacity="0.25"/>` +
    `<text x="${left - 8}" y="${y + 4}" text-anchor="end">${count(value)}</text>`;
}

/** The powers of ten around values. */
export function decades(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(Math.log10);
  const [from, to] = [Math.floor(low), Math.max(Math.ceil(high), Math.floor(low) + 1)];
  return Array.from({ length: to - from + 1 }, (_, at) => 10 ** (from + at));
}

/** Places of values on a logarithmic axis from `start` to `end`, with this share of it left free at both ends. */
function axis(values, start, end, free) {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(Math.log10);
  const span = high - low || 1;
  return (value) => start + (end - start) * (free + ((Math.log10(value) - low) / span) * (1 - 2 * free));
}

function count(value) {
  return value >= 1 ? value.toLocaleString("en") : String(Number(value.toPrecision(1)));
}
