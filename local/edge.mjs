// The edge logger's Worker in front of a local origin, as options of miniflare: that of environment `edge` in wrangler.toml, and
// beside it one that only passes requests on, to compare with.
import fs from "node:fs";
import path from "node:path";
import { faultyBucket, untouchables } from "./doubles.mjs";
import { startOrigin } from "./origin.mjs";

/** The names of both, of the same length: the platform sends them on as a header. */
export const [EDGE, PLAIN] = ["raydex-edge", "plain-proxy"];

const PASS_ON = "export default { fetch: (request) => fetch(request) }";

/** What requests of the Workers go to where there is a collector: it, by its host, or the origin. */
const OUTBOUND = `export default {
  fetch: (request, env) => (new URL(request.url).hostname === "collector.example" ? env.COLLECTOR : env.ORIGIN).fetch(request),
}`;

/**
 * The Workers. `origin`: HOST:PORT. `settings`: variables and secrets. `port`: 0 selects a free one. `decide` and `untouchable`:
 * as those of the Worker itself (runtime.mjs), for the logger's bindings. `bindOrigin`: the Worker that passes on is the service
 * binding ORIGIN. `collector`: HOST:PORT of http://collector.example.
 */
export async function edgeWorkers(root, { origin, settings = {}, port = 0, decide, untouchable, bindOrigin, collector }) {
  // It warns of objects that the environment does not bind, as it should not.
  process.env.WRANGLER_LOG ??= "error";
  const { unstable_getMiniflareWorkerOptions: read } = await import("wrangler");
  const { workerOptions: options, main } = read(path.join(root, "wrangler.toml"), "edge");
  const folder = path.dirname(main);
  const modules = [
    { type: "ESModule", path: main },
    { type: "CompiledWasm", path: path.join(folder, "index_bg.wasm") },
  ];
  if (!fs.existsSync(main)) throw new Error(`${path.relative(root, main)} is missing: run scripts/build first`);
  const atOrigin = { external: { address: origin, http: {} } };
  const outboundService = collector ? "outbound" : atOrigin;
  const edge = { ...options, name: EDGE, rootPath: folder, modulesRoot: folder, modules, modulesRules: undefined, outboundService };
  edge.bindings = { ...edge.bindings, ...settings };
  edge.unsafeDirectSockets = [{ host: "127.0.0.1", port }];
  if (bindOrigin) edge.serviceBindings = { ...edge.serviceBindings, ORIGIN: PLAIN };
  const [bucket] = Object.keys(edge.r2Buckets);
  const doubles = [];
  if (untouchable) doubles.push(...untouchables(edge));
  else if (decide) doubles.push(...faultyBucket(edge, bucket, decide));
  const { compatibilityDate } = options;
  const plain = { name: PLAIN, modules: true, script: PASS_ON, compatibilityDate, outboundService };
  plain.unsafeDirectSockets = [{ host: "127.0.0.1", port: 0 }];
  if (collector) {
    const serviceBindings = { ORIGIN: atOrigin, COLLECTOR: { external: { address: collector, http: {} } } };
    doubles.push({ name: "outbound", modules: true, script: OUTBOUND, compatibilityDate, serviceBindings });
  }
  return [edge, plain, ...doubles];
}

/** The edge logger of scripts/run: in front of a sample origin, with its own of the chosen settings and batches every second. */
export async function sampleEdge({ port, chosen, key }) {
  const own = Object.entries(chosen).filter(([name]) => /^(EDGE_|LOG_PREFIX$|BUCKET_NAME$)/.test(name));
  const collect = { EDGE_COLLECT_URL: "https://origin.example/collect", EDGE_QUOTA_URL: "https://origin.example/quota/{key}" };
  const settings = { EDGE_FLUSH_SECONDS: "1", EDGE_FINGERPRINT_KEY: key, ...collect, ...Object.fromEntries(own) };
  return { origin: (await startOrigin()).address, port, settings };
}

/** What scripts/run says of it. */
export function edgeGreeting({ url, edge, auth, sample }) {
  if (sample.settings.EDGE_MODE === "collect") {
    const report = `[{"type":"deprecation","age":'$n',"url":"https://www.example.com/","body":{"id":"websql"}}]`;
    return [
      `\nThe edge logger collects reports at ${edge}. Send some that are equal, and see what its origin got:\n`,
      `  for n in 1 2 3; do curl -s -H 'Content-Type: application/reports+json' -d '${report}' ${edge}/reports; done\n`,
      `  sleep 6; curl -s http://${sample.origin}/collected\n`,
    ].join("");
  }
  return [
    `\nThe edge logger is in front of a sample origin at ${edge}. Send a request with a ray of your own, and look it up:\n`,
    "  RAY=$(printf '%09x0000007' $(( ($(date +%s%3N) - 1350000000000) / 10 )))\n",
    `  curl -s -H "CF-Ray: $RAY-LHR" ${edge}/hello && sleep 3\n`,
    `  curl -s ${auth} "${url}/v1/rays/$RAY?dataset=edge_requests&format=native"\n`,
  ].join("");
}
