// Random questions of callers who may see one zone, over every route of the table that they may ask.
import { toolCall } from "./http.mjs";
import { SUMMARY } from "./names.mjs";
import { ROWS } from "./routes.mjs";
import { OTHER_ZONE, ZONE } from "./world.mjs";

const CALLERS = ["viewer-a", "support-a", "forensics-a", "requests-a", "all-a"];
const FIELDS = ["RayID", "ClientIP", "ClientRequestHost", "EdgeResponseStatus", "ZoneName", "Nothing", "raydex"];
const DATASETS = ["http_requests", "firewall_events", "workers_trace_events", "dns_logs"];

/** Every kind of question, by the route that it asks: each must be the path of a row, and each row that twins apply to has one. */
const KINDS = {
  "GET /v1/rays/{ray}": (q) => get(`/v1/rays/${q.ray()}`, { format: q.maybe(() => (q.below(5) === 0 ? ["explain", "har", "otlp"][q.below(3)] : q.form())), dataset: q.maybe(q.dataset), fields: q.maybe(q.fields), filter: q.maybe(q.filter), timestamps: q.maybe(q.timestamps) }),
  "GET /v1/rays/{ray}/deliveries": (q) => get(`/v1/rays/${q.ray()}/deliveries`, {}),
  "GET /v1/rays/{a}/diff/{b}": (q) => get(`/v1/rays/${q.ray()}/diff/${q.ray()}`, { dataset: q.maybe(q.dataset) }),
  "GET /v1/rays/{ray}/neighbours": (q) => get(`/v1/rays/${q.ray()}/neighbours`, { by: q.near(), within: q.maybe(() => "60m"), dataset: q.maybe(q.dataset), fields: q.maybe(q.fields), limit: q.maybe(q.limit), format: q.maybe(() => "ndjson") }),
  "POST /v1/rays": (q) => ({ ...get("/v1/rays", { dataset: q.maybe(q.dataset), fields: q.maybe(q.fields), filter: q.maybe(q.filter) }), method: "POST", body: JSON.stringify({ rays: Array.from({ length: 1 + q.below(12) }, q.ray) }) }),
  "GET /v1/logs": (q) => get("/v1/logs", { ...q.range(), format: q.maybe(q.form), dataset: q.maybe(q.dataset), fields: q.maybe(q.fields), filter: q.maybe(q.filter), limit: q.maybe(q.limit), sample: q.maybe(() => "0.4"), [SUMMARY]: q.maybe(q.truth), timestamps: q.maybe(q.timestamps) }),
  "GET /v1/counts": (q) => get("/v1/counts", { ...q.range(), dataset: q.maybe(q.dataset), filter: q.maybe(q.filter), step: q.maybe(() => "60s"), by: q.maybe(q.by), format: q.maybe(() => "json") }),
  "GET /v1/coverage": (q) => get("/v1/coverage", { ...q.range(), dataset: q.maybe(q.dataset) }),
  "GET /v1/stats": () => get("/v1/stats", {}),
  "GET /v1/batches": (q) => get("/v1/batches", { limit: q.maybe(q.limit), state: q.maybe(() => "sealed") }),
  "GET /v1/batches/{batch}": (q) => get(`/v1/batches/${q.handle()}`, {}),
  "GET /v1/backfills": () => get("/v1/backfills", {}),
  "GET /v1/backfills/{id}": () => get("/v1/backfills/1", {}),
  "GET /v1/erasures": () => get("/v1/erasures", {}),
  "GET /v1/erasures/{id}": () => get("/v1/erasures/1", {}),
  "GET /v1/dead-letters": (q) => get("/v1/dead-letters", { limit: q.maybe(q.limit) }),
  "GET /v1/tokens": () => get("/v1/tokens", {}),
  "GET /v1/costs": () => get("/v1/costs", {}),
  "GET /v1/audit": () => get("/v1/audit", { limit: "1" }),
  "GET /r/{ray}": (q) => get(`/r/${q.ray()}`, [{}, { tab: "json" }, { tab: "neighbours", by: "client", within: "60" }, { tab: "compare", with: q.ray() }][q.below(4)]),
  "GET /rays": (q) => get("/rays", { ids: `${q.ray()},${q.ray()}` }),
  "GET /search": (q) => get("/search", { ...q.range(), dataset: q.maybe(q.dataset), filter: q.maybe(q.filter) }),
  "POST /mcp": (q) => {
    const [tool, asked] = [
      ["ray", { ray: q.ray(), dataset: q.maybe(q.dataset), fields: q.maybe(() => q.fields().split(",")) }],
      ["why_not_found", { ray: q.ray() }],
      ["deliveries", { ray: q.ray() }],
      ["search", { ...q.range(), dataset: q.maybe(q.dataset), filter: q.maybe(() => JSON.parse(q.filter())), limit: 1 + q.below(20) }],
      ["counts", { ...q.range(), filter: q.maybe(() => JSON.parse(q.filter())), by: q.maybe(() => q.by().split(",")) }],
    ][q.below(5)];
    return { method: "POST", path: "/mcp", body: toolCall(tool, asked) };
  },
  "GET /metrics": () => get("/metrics", {}),
  "GET /healthz": () => get("/healthz", {}),
  "GET /client/v4/zones/{zone}/logs/received": (q) => get(`/client/v4/zones/${q.zone()}/logs/received`, { ...q.range(true), count: q.maybe(q.limit), fields: q.maybe(q.fields), timestamps: q.maybe(q.timestamps) }),
  "GET /client/v4/zones/{zone}/logs/received/fields": (q) => get(`/client/v4/zones/${q.zone()}/logs/received/fields`, {}),
  "GET /client/v4/zones/{zone}/logs/rayids/{ray}": (q) => get(`/client/v4/zones/${q.zone()}/logs/rayids/${q.ray()}`, { fields: q.maybe(q.fields) }),
  "GET /client/v4/zones/{zone}/logs/control/retention/flag": (q) => get(`/client/v4/zones/${q.zone()}/logs/control/retention/flag`, {}),
  "GET /client/v4/accounts/{account}/logs/list": (q) => get("/client/v4/accounts/a/logs/list", { ...q.range(true), ...ENGINE }),
  "GET /client/v4/accounts/{account}/logs/retrieve": (q) => get("/client/v4/accounts/a/logs/retrieve", { ...q.range(true), ...ENGINE }),
  "GET /client/v4/accounts/{account}/logs/rayids/{ray}": (q) => get(`/client/v4/accounts/a/logs/rayids/${q.ray()}`, { bucket: "cdn-logs-raw", prefix: "logs/http_requests" }),
  "GET /tempo/api/traces/{trace}": (q) => get(`/tempo/api/traces/${q.ray()}`, {}),
  "GET /tempo/api/v2/traces/{trace}": (q) => get(`/tempo/api/v2/traces/${q.ray()}`, {}),
  "GET /tempo/api/search": (q) => get("/tempo/api/search", { ...q.range(), q: pickQuery(q), limit: q.maybe(q.limit) }),
  "GET /tempo/api/search/tag/{tag}/values": (q) => get("/tempo/api/search/tag/service.name/values", q.range()),
  "GET /tempo/api/v2/search/tag/{tag}/values": (q) => get("/tempo/api/v2/search/tag/url.path/values", q.range()),
};
const ENGINE = { bucket: "cdn-logs-raw", prefix: "logs/http_requests/{DATE}" };
/** A query in TraceQL. */
const pickQuery = (q) => ["{}", "{ status = error }", '{ span.http.request.method = "GET" }', "{ duration > 1ms }"][q.below(4)];
/** Kinds that show records are asked more often. */
const OFTEN = ["GET /v1/rays/{ray}", "POST /v1/rays", "GET /v1/logs", "GET /v1/logs", "GET /v1/logs"];

function get(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  const query = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return { method: "GET", path: query ? `${path}?${query}` : path };
}

/** A maker of questions: {caller, kind, method, path, body}. */
export function questionsOf(random, pools) {
  const { pick, below, chance } = random;
  const condition = () =>
    pick([
      () => ({ key: "ClientRequestHost", operator: pick(["eq", "neq", "startsWith", "contains"]), value: pick(pools.hosts).slice(0, 1 + below(20)) }),
      () => ({ key: "ClientRequestHost", operator: "eq", value: pick(pools.hosts) }),
      () => ({ key: "ClientIP", operator: pick(["eq", "neq"]), value: pick(pools.addresses) }),
      () => ({ key: "ClientIP", operator: pick(["eq", "neq", "in"]), value: pick(["192.0.2.0/24", "198.51.100.64/26", "2001:db8::/32"]) }),
      () => ({ key: "EdgeResponseStatus", operator: pick(["eq", "geq", "lt"]), value: pick(pools.statuses) }),
      () => ({ key: "ZoneName", operator: "eq", value: pick([ZONE, OTHER_ZONE]) }),
    ])();
  const instant = () => new Date(pools.ms + below(2_400_000) - 60_000);
  const q = {
    below,
    maybe: (make) => (chance(0.4) ? make() : undefined),
    ray: () => pick([pools.visible, pools.hidden, pools.absent])[below(pools.visible.length)],
    form: () => pick(["json", "native", "csv", "partner"]),
    dataset: () => pick(DATASETS),
    fields: () => FIELDS.filter(() => chance(0.5)).join(",") || "RayID",
    by: () => pick(["EdgeResponseStatus", "ClientRequestHost,ClientIP", "ZoneName", "RayID"]),
    near: () => pick(["client", "client", "path", "status"]),
    filter: () => JSON.stringify({ where: chance(0.7) ? condition() : { [pick(["and", "or"])]: [condition(), condition()] } }),
    timestamps: () => pick(["unix", "unixnano", "rfc3339"]),
    truth: () => pick(["true", "false"]),
    limit: () => String(1 + below(200)),
    zone: () => pick([ZONE, OTHER_ZONE, "023e105f4ecef8ad9ca31a8372d0c353", "no.example"]),
    handle: () => `h${below(9)}.${below(9)}.${below(9)}`,
    range: (whole) => {
      const [start, end] = [instant(), instant()].sort((a, b) => a - b);
      const spelled = (time) => (whole ? time.toISOString().replace(/\.\d+/, "") : time.toISOString());
      return { start: spelled(start), end: spelled(new Date(end.getTime() + 1_000)) };
    },
  };
  const kinds = [...Object.keys(KINDS), ...OFTEN, ...OFTEN];
  return () => {
    const kind = pick(kinds);
    return { caller: pick(CALLERS), kind, ...KINDS[kind](q) };
  };
}

/** Rows of the table that twins apply to and no question asks. */
export function unasked() {
  const asked = new Set(Object.keys(KINDS));
  return ROWS.filter(({ attacks, method, path }) => attacks.includes("twins") && !asked.has(`${method} ${path}`)).map(({ path }) => path);
}
