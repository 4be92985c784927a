// OpenTelemetry's own exporters send traces to `/v1/traces`, as JSON and as protobuf; each is found by the ray of its request,
// and by its trace ID, under the real runtime.
//
// For `node --test`, run by world.mjs.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const { RAYDEX_URL: url, RAYDEX_TOKEN: token } = process.env;
const CANARY = "canary-5f1c9e7d2b";
/** The beginning of Ray IDs' clock. */
const EPOCH_MS = 1_350_000_000_000;

/** A ray of this instant. */
function rayAt(ms) {
  const ticks = BigInt(Math.floor((ms - EPOCH_MS) / 10));
  return ((ticks << 28n) | BigInt(randomBytes(4).readUInt32BE() & 0xfffffff)).toString(16).padStart(16, "0");
}

async function ask(path, accept = "application/json") {
  const answer = await fetch(url + path, { headers: { authorization: `Bearer ${token}`, accept } });
  return { status: answer.status, text: await answer.text() };
}

/** Asks until it is found: the batch has to be indexed. */
async function found(path) {
  for (let at = 0; at < 100; at++) {
    const { status, text } = await ask(path);
    if (status === 200) return JSON.parse(text);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not found: ${path}`);
}

/** What an exporter says of each export. */
function watched(exporter) {
  const results = [];
  const send = exporter.export.bind(exporter);
  exporter.export = (spans, done) => send(spans, (result) => void (results.push(result), done(result)));
  return results;
}

for (const [name, Exporter, compression] of [
  ["JSON", JsonExporter, "none"],
  ["JSON in gzip", JsonExporter, "gzip"],
  ["protobuf", ProtobufExporter, "none"],
  ["protobuf in gzip", ProtobufExporter, "gzip"],
]) {
  test(`the exporter of OpenTelemetry for JavaScript: ${name}`, async () => {
    const exporter = new Exporter({ url: `${url}/v1/traces`, headers: { authorization: `Bearer ${token}` }, compression });
    const results = watched(exporter);
    const provider = new BasicTracerProvider({
      resource: resourceFromAttributes({ "service.name": "shop", "deployment.token": CANARY }),
      spanProcessors: [new BatchSpanProcessor(exporter)],
    });
    const tracer = provider.getTracer("raydex-test", "1.0");
    const ray = rayAt(Date.now());
    const root = tracer.startSpan("fetch", {
      kind: SpanKind.SERVER,
      attributes: { "cloudflare.ray_id": ray, "server.address": "shop.example", "http.response.status_code": 502, list: ["a", "b"], ratio: 0.5 },
    });
    const inRoot = trace.setSpan(context.active(), root);
    const child = tracer.startSpan("kv.get", { kind: SpanKind.CLIENT, attributes: { "http.request.header.authorization": `Bearer ${CANARY}` } }, inRoot);
    child.recordException(new Error(`no such cart, token=${CANARY}`));
    child.setStatus({ code: SpanStatusCode.ERROR, message: "no such cart" });
    child.end();
    root.end();
    await provider.forceFlush();
    assert.deepEqual(results.map(({ code }) => code), [0], String(results[0]?.error));

    const { records } = await found(`/v1/rays/${ray}`);
    const spans = Object.fromEntries(records.map(({ dataset, record }) => [record.SpanName, { dataset, ...record }]));
    assert.deepEqual(Object.keys(spans).sort(), ["fetch", "kv.get"]);
    const { traceId, spanId } = root.spanContext();
    assert.equal(spans.fetch.dataset, "traces");
    assert.deepEqual([spans.fetch.TraceID, spans.fetch.SpanID, spans.fetch.SpanKind], [traceId, spanId, "server"]);
    assert.deepEqual([spans["kv.get"].ParentSpanID, spans["kv.get"].SpanStatus, spans["kv.get"].RayID], [spanId, "error", ray]);
    assert.deepEqual([spans.fetch.ServiceName, spans.fetch.SpanHost, spans.fetch.ScopeName], ["shop", "shop.example", "raydex-test"]);
    const { list, ratio, "http.response.status_code": status } = spans.fetch.SpanAttributes;
    assert.deepEqual([list, ratio, status], [["a", "b"], 0.5, 502]);
    assert.equal(spans["kv.get"].SpanEvents[0].Name, "exception");
    const stored = JSON.stringify(records);
    assert.ok(!stored.includes(CANARY), `secrets are not stored: ${stored}`);

    const { trace: whole } = await found(`/tempo/api/v2/traces/${traceId}`);
    const ids = whole.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)).map((span) => span.spanId);
    assert.deepEqual(ids.sort(), [spanId, child.spanContext().spanId].sort(), "found by its trace ID, without a range");
    assert.equal((await found(`/v1/rays/${traceId}`)).records.length, 2);
    const page = await ask(`/r/${ray}`, "text/html");
    assert.ok(page.status !== 200 || page.text.includes("kv.get"));
    await provider.shutdown();
  });
}

test("an exporter learns why its spans are refused", async () => {
  const exporter = new JsonExporter({ url: `${url}/v1/traces`, headers: { authorization: "Bearer wrong" } });
  const results = watched(exporter);
  const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
  provider.getTracer("raydex-test").startSpan("x").end();
  await provider.forceFlush().catch(() => {});
  assert.equal(results.length, 1);
  assert.match(String(results[0].error), /Unauthorized|token/);
  await provider.shutdown().catch(() => {});
});
