// The alerts, their tests, the dashboard and the metrics as data, for the tests in tests/run/: what each expression names, and
// whether there is such a metric. Needs the packages of tests/infrastructure (scripts/lib/infrastructure.sh).
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

/** The project folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const ALERTS = "schemas/alerts.yml";
export const ALERTS_TEST = "schemas/alerts_test.yml";
export const DASHBOARD = "schemas/grafana/operations.json";
export const RUNBOOK = "docs/operations.md";

/** The text of a file of the project. */
export const text = (file) => fs.readFileSync(path.join(ROOT, file), "utf8");

/** The rules of a rule file's text. */
export const rulesOf = (rules) => parse(rules).groups.flatMap((group) => group.rules);

/** The tests of a test file's text. */
export const testsOf = (tests) => parse(tests).tests;

/** The series of a text in Prometheus' format: by metric, the labels of each series. A histogram's parts are metrics too. */
export function seriesOf(metrics) {
  const found = new Map();
  const add = (name, labels) => found.set(name, [...(found.get(name) ?? []), labels]);
  for (const line of metrics.split("\n")) {
    const series = /^([a-z_]+)(?:\{(.*)\})? \S+$/.exec(line);
    if (series) add(series[1], labelsOf(series[2] ?? ""));
    // Without reasons a family has no series.
    const family = /^# TYPE (\S+)/.exec(line)?.[1];
    if (family && !found.has(family)) found.set(family, []);
  }
  return found;
}

/** The series of the example of `GET /metrics`, which a test holds against the Worker. */
export function documentedSeries() {
  const { paths } = JSON.parse(text("schemas/openapi.json"));
  return seriesOf(paths["/metrics"].get.responses[200].content["text/plain"].example);
}

function labelsOf(body) {
  return Object.fromEntries([...body.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}

/** What an expression selects: metrics with the matchers of their labels. */
export function selectorsOf(expression) {
  const found = expression.matchAll(/\b(raydex_[a-z_]+)(?:\{([^}]*)\})?/g);
  return [...found].map(([, metric, body = ""]) => ({ metric, matchers: matchersOf(body) }));
}

function matchersOf(body) {
  return [...body.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(([, label, operator, value]) => ({ label, operator, value }));
}

/** What is wrong with an expression: metrics that there are not, labels that they lack, values that they never have. */
export function faultsOf(expression, series) {
  const selectors = selectorsOf(expression);
  if (selectors.length === 0) return ["it names no metric"];
  return selectors.flatMap(({ metric, matchers }) => {
    if (!series.has(metric)) return [`there is no metric ${metric}`];
    return matchers.filter(({ label }) => !OF_SCRAPE.includes(label)).flatMap((matcher) => faultsOfMatcher(metric, matcher, series.get(metric)));
  });
}

/** Labels that the scrape adds. */
const OF_SCRAPE = ["job", "instance"];

function faultsOfMatcher(metric, { label, operator, value }, series) {
  const values = operator.endsWith("~") ? value.split("|") : [value];
  const has = (wanted) => series.some((labels) => labels[label] === wanted);
  return values.filter((wanted) => !has(wanted)).map((wanted) => `${metric} has no ${label}="${wanted}"`);
}

/** Every expression of the dashboard, with the title of its panel. */
export function panelsOf(dashboard) {
  const panels = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
  return panels.filter(({ type }) => type !== "row").map(({ title, description, targets }) => ({ title, description, expressions: targets.map(({ expr }) => expr) }));
}

/** Whether a program of Debian's package `prometheus` is missing: the reason to leave a test out, or false. */
export function missing(program) {
  return spawnSync(program, ["--version"]).error !== undefined && `there is no ${program} (Debian's package prometheus has it)`;
}
