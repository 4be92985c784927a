// The alerts (schemas/alerts.yml): each names metrics that there are, has its entry in the runbook, is shown at its bound, and has
// its place on the dashboard. promtool checks the rules, and fails where a bound or a duration is another one.
// For `node --test`; needs the packages of tests/infrastructure.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import * as alerts from "../infrastructure/alerts.mjs";

const { text } = alerts;
const rules = alerts.rulesOf(text(alerts.ALERTS));
const names = [...new Set(rules.map(({ alert }) => alert))];
const series = alerts.documentedSeries();
const withoutPromtool = alerts.missing("promtool");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-alerts-"));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

/** The entries of the runbook: a heading, and what is below it. */
function entries() {
  const section = text(alerts.RUNBOOK).split(/^## Alerts$/m)[1].split(/^## /m)[0];
  return section.split(/^### /m).slice(1).map((entry) => [entry.split("\n")[0], entry]).filter(([heading]) => heading.startsWith("Raydex"));
}

test("each rule names metrics that there are", () => {
  assert.ok(series.size > 40, `${series.size} metrics`);
  for (const { alert, expr } of rules) assert.deepEqual(alerts.faultsOf(expr, series), [], alert);
});

test("an expression over what there is not is found", () => {
  for (const [expression, words] of [
    ["raydex_nothing > 0", /no metric raydex_nothing/],
    ['raydex_payloads{state="lost"} > 0', /no state="lost"/],
    ['raydex_payloads{state=~"parked|lost"} > 0', /no state="lost"/],
    ['raydex_dead_letters{queue="parse"} > 0', /no queue="parse"/],
    ["up == 0", /no metric/],
  ]) {
    assert.match(alerts.faultsOf(expression, series).join(), words, expression);
  }
  assert.deepEqual(alerts.faultsOf('raydex_payloads{state=~"parked|split", job="x"} > 0', series), []);
});

test("each alert has a severity, its texts and an entry in the runbook", () => {
  const runbook = new Map(entries());
  for (const { alert, labels, annotations } of rules) {
    assert.match(alert, /^Raydex[A-Z][A-Za-z]+$/);
    assert.ok(["critical", "warning"].includes(labels.severity), alert);
    assert.deepEqual(Object.keys(annotations), ["summary", "description", "runbook_url"], alert);
    assert.equal(annotations.runbook_url, `${alerts.RUNBOOK}#${alert.toLowerCase()}`);
    assert.ok(runbook.has(alert), `${alert} has no entry`);
  }
});

test("each entry of the runbook has an alert, something to look at and something to do", () => {
  assert.deepEqual(entries().map(([heading]) => heading), names, "in the order of the rules");
  for (const [heading, entry] of entries()) {
    const [meaning, look, rest] = entry.split(/^```(?:sh)?$/m);
    assert.ok(meaning.trim().split("\n").length > 2, `${heading} does not say what it means`);
    assert.match(look, /curl/, heading);
    assert.ok(rest.trim().length > 50, `${heading} does not say what to do`);
  }
});

test("each alert is shown to fire, and not to fire at its bound", () => {
  const tests = alerts.testsOf(text(alerts.ALERTS_TEST));
  for (const name of names) {
    const own = tests.filter((one) => one.promql_expr_test?.some(({ expr }) => expr.includes(`"${name}"`)));
    const expected = own.flatMap((one) => one.promql_expr_test.map(({ exp_samples: samples }) => samples.length));
    const instances = own.flatMap((one) => one.input_series.map(({ series: one }) => /instance="(\w+)"/.exec(one)[1]));
    assert.ok(expected.some((count) => count > 0), `${name} never fires`);
    assert.ok(instances.includes("at") || expected.includes(0), `${name} always fires`);
  }
});

test("each expression of the dashboard names metrics that there are", () => {
  const panels = alerts.panelsOf(JSON.parse(text(alerts.DASHBOARD)));
  assert.ok(panels.length > 20, `${panels.length} panels`);
  for (const { title, expressions } of panels) {
    for (const expression of expressions) assert.deepEqual(alerts.faultsOf(expression, series), [], title);
  }
});

test("each alert has a panel that shows what it looks at", () => {
  const panels = alerts.panelsOf(JSON.parse(text(alerts.DASHBOARD)));
  const metrics = (expressions) => expressions.flatMap((one) => alerts.selectorsOf(one).map(({ metric }) => metric));
  for (const { alert, expr } of rules) {
    const own = panels.filter(({ description }) => description.split(/\W+/).includes(alert));
    const shown = metrics(own.flatMap(({ expressions }) => expressions));
    assert.deepEqual(metrics([expr]).filter((metric) => !shown.includes(metric)), [], alert);
  }
});

/** Runs promtool on the tests of rules; the rules are those of the project, or changed ones. */
function promtoolTests(ruleText = text(alerts.ALERTS)) {
  fs.writeFileSync(path.join(folder, "alerts.yml"), ruleText);
  fs.writeFileSync(path.join(folder, "alerts_test.yml"), text(alerts.ALERTS_TEST));
  const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", path.join(folder, "alerts_test.yml")], { encoding: "utf8" });
  return { passed: status === 0, words: stdout + stderr };
}

test("promtool takes the rules, and their tests pass", { skip: withoutPromtool }, () => {
  const check = spawnSync("promtool", ["check", "rules", path.join(alerts.ROOT, alerts.ALERTS)], { encoding: "utf8" });
  assert.equal(check.status, 0, check.stderr);
  const { passed, words } = promtoolTests();
  assert.ok(passed, words);
});

test("the documented configuration is one that Prometheus takes, with the rules beside it", { skip: withoutPromtool }, () => {
  const [, configuration] = /^## Alerts$[\s\S]*?^```yaml\n([\s\S]*?)^```$/m.exec(text(alerts.RUNBOOK));
  fs.writeFileSync(path.join(folder, "prometheus.yml"), configuration);
  fs.writeFileSync(path.join(folder, "alerts.yml"), text(alerts.ALERTS));
  fs.writeFileSync(path.join(folder, "raydex.token"), "a-token");
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "config", path.join(folder, "prometheus.yml")], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  assert.match(stdout, new RegExp(`SUCCESS: ${rules.length} rules found`));
});

/** The texts of the rules with one number of a rule changed: a bound, how long it holds, or how long ago it is compared with. */
function* changes(rule) {
  const own = text(alerts.ALERTS).split(/^ {6}- alert: /m);
  const at = own.findIndex((one) => one.startsWith(`${rule.alert}\n`) && one.includes(`severity: ${rule.labels.severity}`));
  for (const { index, 1: head, 2: number } of own[at].matchAll(/((?:[<>]|[<>=!]=|\bfor:|\boffset) )(\d+(?:\.\d+)?)/g)) {
    const step = number.includes(".") ? 1e-4 : 1;
    for (const by of [step, -step]) {
      const other = `${own[at].slice(0, index)}${head}${Number(number) + by}${own[at].slice(index + head.length + number.length)}`;
      yield { words: `${rule.alert}: ${head}${number} may be ${Number(number) + by}`, changed: own.with(at, other).join("      - alert: ") };
    }
  }
}

test("promtool notices another bound or duration of each alert", { skip: withoutPromtool }, () => {
  const all = rules.flatMap((rule) => [...changes(rule)]);
  const changed = new Set(all.map(({ words }) => words.split(":")[0]));
  assert.ok(changed.size === names.length && all.length > 2 * rules.length, `${all.length} changes of ${changed.size} alerts`);
  assert.deepEqual(all.filter(({ changed }) => promtoolTests(changed).passed).map(({ words }) => words), []);
});
