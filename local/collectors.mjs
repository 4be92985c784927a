// An HTTP collector in the forms of the edge logger's presets, as strict as their documented APIs; it can be down, slow, busy or
// hang. The path says which form: /loki/api/v1/push, /_bulk, /services/collector/event, /v1/logs, or /lines for lines of JSON.
import http from "node:http";
import { gunzipSync } from "node:zlib";

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** What is wrong with a body. */
class Refusal extends Error {
  constructor(status, body) {
    super(`${status} ${body}`);
    Object.assign(this, { status, body });
  }
}

function must(holds, words, status = 400) {
  if (!holds) throw new Refusal(status, words);
}

const isText = (value) => typeof value === "string";
const keys = (value) => Object.keys(value).sort().join();

/** The lines of a body that ends with a line feed, as JSON. */
function jsonLines(text) {
  must(text.endsWith("\n"), "the body must end with a line feed");
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

function lines({ text, type }) {
  must(type === "application/x-ndjson", `content type ${type}`, 415);
  return { records: jsonLines(text), status: 200, body: "" };
}

function loki({ text, type }) {
  must(type === "application/json", `content type ${type}`, 415);
  const push = JSON.parse(text);
  must(keys(push) === "streams", "streams alone");
  const records = push.streams.flatMap((stream) => {
    must(keys(stream) === "stream,values", "stream and values");
    const labels = Object.entries(stream.stream);
    must(labels.length > 0 && labels.every(([name, value]) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && isText(value)), "labels");
    return stream.values.map((entry) => {
      must(entry.length === 2 && /^\d{19}$/.test(entry[0]) && isText(entry[1]), "a pair of nanoseconds and a line");
      return JSON.parse(entry[1]);
    });
  });
  return { records, status: 204, body: "" };
}

function elastic({ text, type, query, indexed }) {
  must(type === "application/x-ndjson", `content type ${type}`, 406);
  const all = jsonLines(text);
  must(all.length % 2 === 0, "an action before each document");
  const [records, items] = [[], []];
  for (let place = 0; place < all.length; place += 2) {
    const [action, document] = all.slice(place, place + 2);
    must(keys(action) === "create" && keys(action.create) === "_id,_index", "a create with index and ID");
    must(!Number.isNaN(Date.parse(document["@timestamp"])), "@timestamp");
    const id = `${action.create._index}/${action.create._id}`;
    const isNew = !indexed.has(id);
    indexed.add(id);
    if (isNew) records.push(document);
    items.push({ create: { status: isNew ? 201 : 409, ...(query.has("filter_path") ? {} : { _id: action.create._id }) } });
  }
  return { records, status: 200, body: JSON.stringify({ errors: items.some(({ create }) => create.status !== 201), items }) };
}

function splunk({ text, headers }) {
  must(/^Splunk \S+$/.test(headers.authorization ?? ""), '{"text":"Token is required","code":2}', 401);
  const records = text.trimEnd().split("\n").map((line) => {
    const event = JSON.parse(line);
    const known = ["time", "host", "source", "sourcetype", "index", "fields", "event"];
    must(Object.keys(event).every((key) => known.includes(key)), '{"text":"Invalid data format","code":6}');
    must(Number.isFinite(event.time) && event.event && isText(event.source), '{"text":"Event field is required","code":12}');
    return event.event;
  });
  return { records, status: 200, body: '{"text":"Success","code":0}' };
}

function otlp({ text, type }) {
  must(type === "application/json", `content type ${type}`, 415);
  const isAttribute = ({ key, value }) => isText(key) && (isText(value.stringValue) || /^\d+$/.test(value.intValue));
  const records = JSON.parse(text).resourceLogs.flatMap(({ resource, scopeLogs }) => {
    must(resource.attributes.every(isAttribute), "resource");
    return scopeLogs.flatMap(({ scope, logRecords }) => {
      must(isText(scope.name), "scope");
      return logRecords.map((record) => {
        must(/^\d{19}$/.test(record.timeUnixNano) && /^\d{19}$/.test(record.observedTimeUnixNano), "nanoseconds as text");
        must(record.severityNumber >= 1 && record.severityNumber <= 24 && record.attributes.every(isAttribute), "record");
        return JSON.parse(record.body.stringValue);
      });
    });
  });
  return { records, status: 200, body: '{"partialSuccess":{}}' };
}

const FORMS = { "/lines": lines, "/loki/api/v1/push": loki, "/_bulk": elastic, "/services/collector/event": splunk, "/v1/logs": otlp };

/**
 * Starts a collector on a free port. `mode` of what it returns is `ok`, `down` (closes connections), `slow` (2 s), `busy` (429,
 * come again in a second), `hang` (never answers); `received` has the records by path, `posts` what came, `refusals` what was
 * wrong.
 */
export async function startCollector() {
  const collector = { mode: "ok", received: new Map(), posts: [], refusals: [] };
  const indexed = new Set();
  const server = http.createServer(async (request, response) => {
    try {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      if (collector.mode === "down") return request.socket.destroy();
      if (collector.mode === "hang") return;
      if (collector.mode === "slow") await pause(2_000);
      if (collector.mode === "busy") return response.writeHead(429, { "retry-after": "1" }).end();
      const { pathname: path, searchParams: query } = new URL(request.url, "http://collector");
      must(request.method === "POST" && FORMS[path], "not found", 404);
      must(request.headers["content-encoding"] === "gzip", "gzip", 415);
      const text = gunzipSync(Buffer.concat(pieces)).toString();
      collector.posts.push({ path, headers: request.headers, text });
      const type = request.headers["content-type"];
      const { records, status, body } = FORMS[path]({ text, type, query, headers: request.headers, indexed });
      collector.received.set(path, [...(collector.received.get(path) ?? []), ...records]);
      response.writeHead(status, { "content-type": "application/json" }).end(status === 204 ? undefined : body);
    } catch (error) {
      collector.refusals.push(error.message);
      response.writeHead(error.status ?? 400).end(error.body ?? error.message);
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  collector.address = `127.0.0.1:${server.address().port}`;
  collector.stop = () => (server.closeAllConnections(), server.close());
  return collector;
}
