// What remains by hand after a deployment: calls to Cloudflare's API that wrangler cannot make, exactly as they are.

import fs from "node:fs";
import path from "node:path";
import { logBucketOf } from "./environment.mjs";
import { prefixesOf } from "./steps.mjs";

const API = "https://api.cloudflare.com/client/v4";

/** The fields of `http_requests` that the Logpush job must write: those of the partner's columns, and those of the index. */
export function logpushFields(root) {
  const columns = fs.readFileSync(path.join(root, "schemas/partner_v3.toml"), "utf8");
  const known = new Set(Object.keys(JSON.parse(fs.readFileSync(path.join(root, "schemas/http_requests_fields.json"), "utf8"))));
  const sources = [...columns.matchAll(/^source = "([^"]+)"$/gm)].flatMap(([, source]) => source.split(/[^A-Za-z0-9]+/));
  const index = ["RayID", "ParentRayID", "EdgeStartTimestamp", "EdgeEndTimestamp", "ZoneName", "WorkerSubrequest", "ClientRequestSource"];
  return [...new Set([...index, ...sources])].filter((name) => known.has(name)).sort();
}

/** A `curl` command that sends JSON. */
function call(method, place, body) {
  const text = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  return `curl -X ${method} "${API}${place}" \\\n  -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" -H "Content-Type: application/json" -d '${text}'`;
}

/** What a person does after this deployment: titles, with commands. */
export function byHand({ config, choices, environment, root }) {
  if (environment === "edge") return edgeByHand(config);
  const bucket = logBucketOf(config);
  const at = choices.domain ? `https://${choices.domain}` : "https://…";
  const list = [
    { title: "Log the response's Content-Length, which is column 21 of the partner's lines (once for each zone; this replaces its list of custom fields, so add those that it has)", command: contentLength() },
    { title: "A Logpush job that writes to the bucket (an R2 API token gives the two keys)", command: logpushJob(bucket, prefixesOf(config)[0], choices, root) },
  ];
  if (choices.vars?.ACCESS_TEAM) list.push({ title: "The Access application in front of the API, whose `aud` becomes ACCESS_AUD", command: accessApplication(choices) });
  if (choices.jurisdiction) list.push({ title: `Say the jurisdiction to every S3 client, too: the address of the bucket is https://$CLOUDFLARE_ACCOUNT_ID.${choices.jurisdiction}.r2.cloudflarestorage.com` });
  list.push({ title: "See that it is well", command: `curl -s ${at}/healthz` });
  return list;
}

function contentLength() {
  const rule = { action: "log_custom_field", expression: "true", description: "raydex: column 21", action_parameters: { response_fields: [{ name: "content-length" }] } };
  return call("PUT", "/zones/$CLOUDFLARE_ZONE_ID/rulesets/phases/http_log_custom_fields/entrypoint", { rules: [rule] });
}

function logpushJob(bucket, prefix, { jurisdiction }, root) {
  const destination = new URLSearchParams({ "account-id": "ACCOUNT_ID", "access-key-id": "ACCESS_KEY_ID", "secret-access-key": "SECRET_ACCESS_KEY" });
  if (jurisdiction) destination.set("jurisdiction", jurisdiction);
  const place = `${bucket}/${prefix ? `${prefix}http_requests/` : ""}{DATE}`;
  return call("POST", "/zones/$CLOUDFLARE_ZONE_ID/logpush/jobs", {
    name: "raydex",
    dataset: "http_requests",
    destination_conf: `r2://${place}?${destination}`,
    output_options: { output_type: "ndjson", timestamp_format: "unixnano", field_names: logpushFields(root) },
    enabled: true,
  });
}

function accessApplication({ domain, vars }) {
  return call("POST", "/accounts/$CLOUDFLARE_ACCOUNT_ID/access/apps", {
    name: "raydex",
    type: "self_hosted",
    domain,
    session_duration: `${vars.ACCESS_SESSION_HOURS ?? 24}h`,
  });
}

function edgeByHand(config) {
  const list = [{ title: "See that requests are recorded: the lookup of a ray of your site finds it as edge_requests within seconds" }];
  if (!config.routes) list.unshift({ title: "Give the edge logger the routes of your site: `routes` in the choices, then deploy again" });
  return list;
}

/** The prices of what the operator chose, in words. */
export function priceOfLogs({ log_sampling = 1 }) {
  const full = 1.3 * log_sampling;
  if (log_sampling === 0) return "Workers Logs are off: nothing is kept of what the Worker logs, and nothing is paid.";
  return `Workers Logs keep ${log_sampling * 100} % of invocations: beyond 50 GB a month about ${full.toFixed(full < 0.1 ? 3 : 2)} dollars a million lookups. The choice log_sampling sets the share.`;
}
