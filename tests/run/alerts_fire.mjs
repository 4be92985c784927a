// Alerts fire from their real causes: a Worker under the real runtime whose partner, batches and messages go wrong one after the
// other, scraped by a Prometheus with the rules of schemas/alerts.yml. For `node --test`; needs the built Worker (scripts/build),
// Debian's package prometheus, and the packages of tests/infrastructure.
//
// What a rule waits for (`for`) is left out here: schemas/alerts_test.yml shows it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { exitAtSignals } from "../../local/guard.mjs";
import { startPartner } from "../../local/partner.mjs";
import { PARSE_QUEUE, startRuntime } from "../../local/runtime.mjs";
import { firewallEvent, keyOf, request } from "../attack/lib/records.mjs";
import { ALERTS, missing, text } from "../infrastructure/alerts.mjs";

const TOKEN = "a-token-for-alerts";
const PATIENCE_MS = 60_000;
/** The job of an alert that is of no Worker. */
const NO_JOB = "none";
/** What the stopped delivery of the second Worker has in common with the first one's. */
const COMMON = { API_TOKEN_SHA256: createHash("sha256").update(TOKEN).digest("hex"), API_RATE_PER_MINUTE: "0" };

const skip = missing("prometheus");
const options = { skip, timeout: 3 * PATIENCE_MS };
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-alerts-"));
let partner;
let runtime;
let faulty;
let prometheus;
let number = 0;
/** Whether the bucket takes nothing of what is prepared for the partner. */
let full = false;
const decide = ({ op, key }) => (full && op !== "get" && key.startsWith("raydex/payloads/") ? "error" : null);

before(async () => {
  if (skip) return;
  exitAtSignals();
  partner = await startPartner({ uri: "/cdn-log/v3", key: "a-partner-key-for-alerts" });
  runtime = await startRuntime({ settings: { ...COMMON, ...partner.settings, BATCH_SIZE: "1" }, decide });
  faulty = await startRuntime({ settings: { ...COMMON, ...partner.settings, BATCH_SIZE: "0" }, startFirst: false });
  prometheus = await startPrometheus({ well: runtime.url, faulty: faulty.url });
});

after(async () => {
  await prometheus?.stop();
  await Promise.all([runtime?.stop(), faulty?.stop(), partner?.stop()]);
  fs.rmSync(folder, { recursive: true, force: true });
});

/** A Prometheus that scrapes Workers each second, and evaluates the rules as often. */
async function startPrometheus(targets) {
  fs.writeFileSync(path.join(folder, "alerts.yml"), text(ALERTS).replaceAll(/^( +for: ).*$/gm, "$10s"));
  const target = ([job, url]) => ({ job_name: job, authorization: { credentials: TOKEN }, static_configs: [{ targets: [new URL(url).host] }] });
  const configuration = {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: ["alerts.yml"],
    scrape_configs: Object.entries(targets).map(target),
  };
  // JSON is YAML.
  fs.writeFileSync(path.join(folder, "prometheus.yml"), JSON.stringify(configuration));
  const address = `127.0.0.1:${await freePort()}`;
  const options = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=${address}`, "--log.level=error"];
  const child = spawn("prometheus", options, { stdio: ["ignore", "ignore", "inherit"] });
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  const ended = new Promise((done) => child.once("exit", done));
  const ask = async (question) => (await (await fetch(`http://${address}/api/v1/${question}`)).json()).data;
  const stop = async () => {
    process.off("exit", end);
    child.kill("SIGTERM");
    await ended;
  };
  return { firing: async () => (await ask("alerts")).alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels), ask, stop };
}

/** A port that nothing uses. */
function freePort() {
  return new Promise((done) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** Waits until `look` returns something. */
async function until(what, look) {
  let found;
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(200)) {
    found = await look().catch(String);
    if (found && typeof found !== "string") return found;
  }
  const firing = await prometheus.firing().catch(String);
  throw new Error(`${what} does not come: ${found}, ${JSON.stringify(firing)}`);
}

/** Waits until an alert of a Worker fires, and returns its labels. */
function fires(name, job = "well") {
  return until(name, async () => (await prometheus.firing()).find(({ alertname, job: of = NO_JOB }) => alertname === name && of === job));
}

/** Waits until an alert no longer fires. */
function ceases(name, job = "well") {
  return until(`the end of ${name}`, async () => !(await prometheus.firing()).some(({ alertname, job: of }) => alertname === name && of === job));
}

/** Puts a batch into the bucket; by default twenty requests of this second. */
async function put({ lines, count = 20, skewMs = 0 }) {
  number += 1;
  const ms = Date.now() - 60_000;
  const made = lines ?? Array.from({ length: count }, (_, line) => request({ ms, low: number * 1000 + line, ...(skewMs && { EdgeStartTimestamp: new Date(ms - skewMs).toISOString() }) }));
  return runtime.put(keyOf("http_requests", ms, number), gzipSync(`${made.join("\n")}\n`));
}

/** Puts a batch into the bucket and announces it. */
const arrive = async (what = {}) => runtime.announce(await put(what));

/** Asks the Worker. */
async function ask(place, body) {
  const options = { method: body ? "POST" : "GET", headers: { authorization: `Bearer ${TOKEN}` }, body: body && JSON.stringify(body) };
  const reply = await fetch(`${runtime.url}${place}`, options);
  assert.ok(reply.ok, `${place}: ${reply.status}`);
  return reply.json();
}

const delivered = (lines) => until(`${lines} delivered lines`, async () => (await ask("/v1/stats")).lines.delivered >= lines);

test("a deployment that is well fires nothing", options, async () => {
  await arrive();
  await delivered(20);
  await runtime.scheduled();
  await until("the scrape of it", async () => (await prometheus.ask('query?query=raydex_lines{state="delivered"}')).result.some(({ metric, value }) => metric.job === "well" && value[1] === "20"));
  await sleep(2_000);
  assert.deepEqual((await prometheus.firing()).filter(({ job }) => job !== "faulty"), []);
});

test("faulty settings of the delivery fire RaydexDeliveryFaults", options, async () => {
  assert.equal((await fires("RaydexDeliveryFaults", "faulty")).severity, "critical");
});

test("a Worker whose cron never ran fires RaydexSelfCheckLate", options, async () => {
  await fires("RaydexSelfCheckLate", "faulty");
});

test("a batch that is deleted fires RaydexCanaryFailing until there is a newer one", options, async () => {
  const lost = await put({});
  await runtime.announce(lost);
  await delivered(40);
  await runtime.remove(lost.key);
  await runtime.scheduled();
  const { dataset, outcome } = await fires("RaydexCanaryFailing");
  assert.deepEqual([dataset, outcome], ["http_requests", "batch_gone"]);
  await arrive();
  await delivered(60);
  await runtime.scheduled();
  await ceases("RaydexCanaryFailing");
});

test("a message that is no event fires RaydexDeadLetters until someone dismisses it", options, async () => {
  await runtime.dispatch(PARSE_QUEUE, ["no event"]);
  await fires("RaydexDeadLetters");
  const { dead_letters: [letter] } = await ask("/v1/dead-letters");
  await ask(`/v1/dead-letters/${letter.id}/dismiss`, { reason: "a test sent it" });
  await ceases("RaydexDeadLetters");
});

test("a file that is no batch fires RaydexBatchesQuarantined", options, async () => {
  await arrive({ lines: ["RayID,EdgeStartTimestamp", "a,b", "c,d"] });
  await fires("RaydexBatchesQuarantined");
});

test("a damaged line fires RaydexLinesRejected", options, async () => {
  const ms = Date.now() - 60_000;
  await arrive({ lines: [...Array.from({ length: 20 }, (_, line) => request({ ms, low: 900_000 + line })), '{"RayID":'] });
  await fires("RaydexLinesRejected");
});

test("a payload that the partner refuses fires RaydexPayloadsParked until someone drops it", options, async () => {
  partner.behave([{ do: { status: 400 } }]);
  await arrive();
  await fires("RaydexPayloadsParked");
  partner.behave([]);
  const { payloads } = await ask("/v1/payloads?state=parked");
  for (const { id } of payloads) await ask(`/v1/payloads/${id}/drop`, { reason: "a test refused it" });
  await ceases("RaydexPayloadsParked");
});

test("a connection that ends without an answer fires RaydexUnknownOutcomes", options, async () => {
  partner.behave([{ count: 1, do: { reset: "after" } }]);
  await arrive();
  await fires("RaydexUnknownOutcomes");
});

test("a partner that fails fires RaydexPartnerServerErrors, and one that refuses the key RaydexBreakerOpen", options, async () => {
  partner.behave([{ do: { status: 500 } }]);
  await arrive({ count: 1 });
  assert.equal((await fires("RaydexPartnerServerErrors")).code, "server_error");
  partner.behave([{ do: { status: 401 } }]);
  await arrive({ count: 1 });
  await fires("RaydexBreakerOpen");
});

test("payloads that wait for the partner fire RaydexPayloadBacklog until they are delivered", options, async () => {
  await arrive({ count: 120 });
  await fires("RaydexPayloadBacklog");
  partner.behave([]);
  await until("the partner's recovery", async () => (await ask("/v1/partner/try", {})).breaker);
  await ceases("RaydexBreakerOpen");
  await ceases("RaydexPayloadBacklog");
});

test("readings that end before they are done fire RaydexBatchesOpen", options, async () => {
  full = true;
  for (let batch = 0; batch < 11; batch += 1) {
    const { verdicts: [verdict] } = await runtime.dispatch(PARSE_QUEUE, [runtime.event(await put({}))]);
    assert.equal(verdict.acked, false);
  }
  await fires("RaydexBatchesOpen");
  full = false;
});

test("rays with other times than their records fire RaydexLayoutDoubtful", options, async () => {
  await arrive({ skewMs: 20_000 });
  assert.equal((await fires("RaydexLayoutDoubtful")).dataset, "http_requests");
});

test("batches of more than 2 GiB of text fire RaydexBatchesLarge", options, async () => {
  const ms = Date.now() - 60_000;
  // Of a dataset that is not delivered. Its gzip, a member again and again, has a fiftieth of the bytes.
  const text = Array.from({ length: 400 }, (_, part) => `${"x".repeat(120)}${part}`).join(" ");
  const event = (line) => firewallEvent({ ms, low: 800_000 + line, ClientRequestUserAgent: text });
  const member = gzipSync(`${Array.from({ length: 200 }, (_, line) => event(line)).join("\n")}\n`);
  const times = Math.ceil(2 ** 31 / (200 * text.length));
  number += 1;
  await runtime.announce(await runtime.put(keyOf("firewall_events", ms, number), Buffer.concat(Array(times).fill(member))));
  await fires("RaydexBatchesLarge");
});

test("a Worker that answers nothing fires RaydexMetricsAbsent", options, async () => {
  await Promise.all([runtime.stop(), faulty.stop()]);
  runtime = faulty = undefined;
  await fires("RaydexMetricsAbsent", NO_JOB);
});
