// Doors: changes that another site makes a signed-in browser send, methods that no route has, and headers that every answer has.
import { ask, askRaw, inTurns } from "./lib/http.mjs";
import { CACHEABLE, SECURITY_HEADERS } from "./lib/names.mjs";
import { rayAt, keyOf, request as record } from "./lib/records.mjs";
import { nameOf, requestOf, ROWS, rowsFor } from "./lib/routes.mjs";
import { valuesOf } from "./lib/values.mjs";
import { startWorld } from "./lib/world.mjs";

export const name = "doors";
export const about = "cross-site changes under Access, methods that no route has, security headers on every answer";

const PEOPLE = { viewer: "ann@viewers.example", operator: "bob@operators.example", ingest: "eve@ingest.example" };
const EVIL = "https://evil.example";

/** What a page of another site can make a browser send: with the person's cookie, for which Access adds the assertion. */
const CROSS_SITE = {
  "a text of another site": { "content-type": "text/plain", origin: EVIL, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" },
  "a form of another site": { "content-type": "application/x-www-form-urlencoded", origin: EVIL, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
  "a form of a sandbox": { "content-type": "text/plain", origin: "null", "sec-fetch-site": "cross-site" },
  "JSON of another site": { "content-type": "application/json", origin: EVIL, "sec-fetch-site": "cross-site" },
  "JSON of a sibling": { "content-type": "application/json", origin: "https://sibling.example", "sec-fetch-site": "same-site" },
  "a text of an old browser": { "content-type": "text/plain", origin: EVIL },
  "a text without an origin": { "content-type": "text/plain" },
};

/** Methods that are in no row of the table, some of which the runtime does not know either. */
const METHODS = ["OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "MKCOL", "SEARCH", "PURGE", "QUERY", "BREW", "get", "LINK"];

/** What is wrong with the answer to a change of another site. */
export function crossSiteFault({ status, broken, text }) {
  if (status === 403 || status === 415) return null;
  return `${status} ${broken ?? ""} ${text.slice(0, 120)}`;
}

/** What is wrong with the answer to a method that the path does not take. */
export function methodFault({ status, body = "", text = body }) {
  if (status >= 200 && status < 400) return `${status} ${text.slice(0, 80)}`;
  return status >= 500 && status !== 501 ? `${status}` : null;
}

/** Security headers that an answer lacks. */
export function headerFaults(path, { status, headers }) {
  const isKept = CACHEABLE.includes(path);
  const wrong = Object.entries(SECURITY_HEADERS).filter(([header, value]) => !value.test(headers[header] ?? "") && !(isKept && header === "cache-control"));
  const cors = headers["access-control-allow-origin"] ? ["access-control-allow-origin"] : [];
  return [...wrong.map(([header]) => `${status}: ${header} is ${headers[header] ?? "missing"}`), ...cors];
}

const safe = {
  "strict-transport-security": "max-age=31536000",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

export const fakes = [
  { bad: "a change that is made", answer: () => ({ status: 202, body: "{}" }), good: () => ({ status: 403, body: "{}" }), probe: async (url) => [crossSiteFault(await ask(url))].filter(Boolean) },
  { bad: "a change that is looked for", answer: () => ({ status: 404, body: "{}" }), probe: async (url) => [crossSiteFault(await ask(url))].filter(Boolean) },
  { bad: "an unknown method that counts as GET", answer: () => ({ body: "{}" }), good: () => ({ status: 405 }), probe: async (url) => [methodFault(await askRaw(url, "PROPFIND / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 500))].filter(Boolean) },
  { bad: "an answer without headers", answer: () => ({}), good: () => ({ headers: safe }), probe: async (url) => headerFaults("/", await ask(url)) },
  { bad: "an answer for every site", answer: () => ({ headers: { ...safe, "access-control-allow-origin": "*" } }), probe: async (url) => headerFaults("/", await ask(url)) },
];

export async function attack({ build, check }) {
  const world = await startWorld({ build, people: true });
  try {
    const ms = Date.now() - 3_600_000;
    await world.index([{ key: keyOf("http_requests", ms, 1), lines: [record({ ms, low: 1 })] }]);
    const values = { ...valuesOf({ ms, now: Date.now() }), ray: rayAt(ms, 1) };
    await crossSite(world, values, check);
    await methods(world, values, check);
    await securityHeaders(world, values, check);
  } finally {
    await world.stop();
  }
}

async function crossSite(world, values, check) {
  for (const row of rowsFor("cross-site")) {
    const { method, path, body } = requestOf(row, values);
    const faults = [];
    for (const [what, headers] of Object.entries(CROSS_SITE)) {
      const fault = crossSiteFault(await world.ask(PEOPLE[row.caller], path, { method, body, headers }));
      if (fault) faults.push(`${what}: ${fault}`);
    }
    check(`${nameOf(row)} is refused to other sites`, faults, `${faults.length} of ${Object.keys(CROSS_SITE).length} were not`);
  }
  const { text } = await world.ask("operator", "/v1/backfills");
  check("other sites started no backfill", /"id":/.test(text) ? [text.slice(0, 200)] : []);
  const own = { "content-type": "application/json", origin: world.url, "sec-fetch-site": "same-origin" };
  const answer = await world.ask(PEOPLE.viewer, "/v1/rays", { method: "POST", headers: own, body: JSON.stringify({ rays: [values.ray] }) });
  check("the same site is served", answer.status === 200 && answer.text.includes(values.ray) ? [] : [`${answer.status} ${answer.text.slice(0, 200)}`]);
}

/** Every path by every method that its rows do not have. */
async function methods(world, values, check) {
  const paths = new Map(ROWS.map((row) => [row.path, row]));
  for (const method of METHODS) {
    const faults = [];
    await inTurns([...paths], 8, async ([path, row]) => {
      const caller = row.caller === "none" ? null : row.caller;
      const headers = Object.entries({ host: "a", connection: "close", ...world.headers(caller) }).map(([header, value]) => `${header}: ${value}`);
      const answer = await askRaw(world.url, `${method} ${requestOf(row, values).path} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`, 1_000);
      const fault = methodFault(answer);
      if (fault) faults.push(`${path}: ${fault}`);
    });
    check(`${method} is no method of any path`, faults, `${paths.size} paths`);
  }
}

/** The answers of every row, and those to requests that are wrong. */
async function securityHeaders(world, values, check) {
  const faults = new Map();
  let answers = 0;
  const look = (what, path, answer) => {
    answers += 1;
    for (const fault of headerFaults(path, answer)) faults.set(fault.replace(/^\d+: /, ""), [...(faults.get(fault.replace(/^\d+: /, "")) ?? []), `${what} (${answer.status})`]);
  };
  for (const row of rowsFor("headers")) {
    const { method, path, headers, body } = requestOf(row, values);
    const caller = row.caller === "none" ? null : row.caller;
    look(nameOf(row), row.path, await world.ask(caller, path, { method, headers, body }));
    look(`${row.path} without a token`, row.path, await world.ask(null, path, { method, headers, body }));
    if (method === "GET") look(`HEAD ${row.path}`, row.path, await world.ask(caller, path, { method: "HEAD" }));
  }
  for (const path of ["/", "/nothing", "/v1", "/client/v4/nothing", "/v1/rays/no-ray!", "/v1/logs", "/v1/logs?start=1&x=1"]) look(path, path, await world.ask("viewer", path));
  const missing = [...faults].map(([header, of]) => `${header} in ${of.length} of ${answers} answers, such as ${of[0]}`);
  check("every answer has the security headers", missing, `${answers} answers`);
}
