// The official SDK of the Model Context Protocol for JavaScript against `/mcp`: it lists the tools and calls each, and holds what
// they answer against their schemas. Token counts are those of js-tiktoken.
//
// For `node --test`, run by world.mjs.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { getEncoding } from "js-tiktoken";

const { RAYDEX_URL: url, RAYDEX_TOKEN: token, RAYDEX_SAMPLE } = process.env;
const RANGE = { start: "2026-03-28T08:00:00Z", end: "2026-03-28T08:10:00Z" };
/** The most that an answer may have, in bytes of its body and in tokens of what a model reads of it. */
const [MOST_BYTES, MOST_TOKENS] = [16_384, 8_000];
const ENCODINGS = ["cl100k_base", "o200k_base"].map((name) => getEncoding(name));
/** A record of the sample. */
const RECORD = (() => {
  const { batches } = JSON.parse(fs.readFileSync(path.join(RAYDEX_SAMPLE, "manifest.json")));
  const { key } = batches.find(({ dataset }) => dataset === "http_requests");
  return JSON.parse(gunzipSync(fs.readFileSync(path.join(RAYDEX_SAMPLE, key))).toString().split("\n")[0]);
})();
const CALLS = [
  ["ray", { ray: RECORD.RayID }],
  ["ray", { ray: RECORD.RayID, fields: ["ClientIP", "ClientRequestHost"], subrequests: "list", depth: 2, limit: 10 }],
  ["why_not_found", { ray: RECORD.RayID }],
  ["why_not_found", { ray: "9e3556d8c2ab1c05" }],
  ["deliveries", { ray: RECORD.RayID }],
  ["search", { ...RANGE, filter: { where: { key: "EdgeResponseStatus", operator: "geq", value: 400 } }, limit: 20 }],
  ["counts", { ...RANGE, by: ["EdgeResponseStatus"], step: "60s" }],
];

/** A client, and the bodies of the answers that it got. */
async function connected(bearer = token) {
  const bodies = [];
  const recorded = async (address, options) => {
    const answer = await fetch(address, options);
    bodies.push(await answer.clone().text());
    return answer;
  };
  const client = new Client({ name: "raydex-tests", version: "1.0.0" });
  const headers = { authorization: `Bearer ${bearer}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers }, fetch: recorded }));
  return { client, bodies };
}

/** Calls a tool, and checks the size of what it answers. */
async function called({ client, bodies }, name, given) {
  const answer = await client.callTool({ name, arguments: given });
  const body = bodies.at(-1);
  assert.ok(Buffer.byteLength(body) <= MOST_BYTES, `${name}: ${Buffer.byteLength(body)} bytes`);
  for (const form of [answer.content[0].text, JSON.stringify(answer.structuredContent ?? null)]) {
    for (const encoding of ENCODINGS) {
      const tokens = encoding.encode(form).length;
      assert.ok(tokens <= MOST_TOKENS, `${name}: ${tokens} tokens`);
    }
  }
  return answer;
}

let session;
before(async () => {
  session = await connected();
});

test("the tools are listed with schemas of what they take and answer", async () => {
  const { tools } = await session.client.listTools();
  assert.deepEqual(tools.map(({ name }) => name), ["ray", "why_not_found", "deliveries", "search", "counts"]);
  for (const { annotations, inputSchema, outputSchema } of tools) {
    assert.equal(annotations.readOnlyHint, true);
    assert.ok(inputSchema.type === "object" && outputSchema.type === "object");
  }
  assert.ok(Buffer.byteLength(session.bodies.at(-1)) <= MOST_BYTES);
  assert.match(session.client.getInstructions(), /never instructions/);
});

test("every tool answers as its schema says", async () => {
  // With the list, the client checks what tools answer.
  await session.client.listTools();
  for (const [name, given] of CALLS) {
    const { content, structuredContent, isError } = await called(session, name, given);
    assert.ok(!isError, `${name}: ${content[0].text}`);
    assert.deepEqual(JSON.parse(content[0].text), structuredContent);
  }
});

test("a ray comes with what the API has of it, as a viewer sees it", async () => {
  const { structuredContent: found } = await called(session, "ray", { ray: RECORD.RayID });
  const { untrusted_fields: fields } = found.records.find(({ dataset }) => dataset === "http_requests");
  assert.equal(fields.EdgeResponseStatus, RECORD.EdgeResponseStatus);
  assert.equal(fields.ClientRequestHost, RECORD.ClientRequestHost);
  assert.notEqual(fields.ClientIP, RECORD.ClientIP);
  assert.equal(found.page, `${url}/r/${RECORD.RayID}`);
  const { structuredContent: proof } = await called(session, "deliveries", { ray: RECORD.RayID });
  assert.ok(proof.records[0].payloads.length > 0);
});

test("what is wrong with a call is said in words", async () => {
  const { isError, content } = await called(session, "ray", { ray: RECORD.RayID, depth: 99 });
  assert.ok(isError && /depth accepts a number from 0 to 64/.test(content[0].text));
  await assert.rejects(session.client.callTool({ name: "no_such_tool", arguments: {} }), /no such tool/);
});

test("a token that is not known is refused", async () => {
  await assert.rejects(connected("wrong"), /401|Unauthorized/);
});

test("the worst stories stay within bytes and tokens", async () => {
  const rays = [..."123456789abcdef"].map((digit) => RECORD.RayID.slice(0, -1) + digit).filter((ray) => ray !== RECORD.RayID);
  const signs = "\u202e\"\\🙂<Ѭ>東\u0007{}𒀱".repeat(60);
  const digits = Array.from({ length: 300 }, (_, at) => String.fromCharCode(33 + ((at * 37) % 94))).join("");
  const members = (text) => Object.fromEntries(Array.from({ length: 250 }, (_, at) => [`Field${at}`, text + at]));
  const { EdgeStartTimestamp, ZoneName } = RECORD;
  const story = [
    { ClientRequestUserAgent: "x".repeat(900_000) },
    { ...members(signs), ClientRequestUserAgent: signs, ClientRequestReferer: signs, ClientRequestURI: `/${signs}` },
    { ...members(digits), ClientRequestUserAgent: digits },
    { RequestHeaders: Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`h${at}`, signs])) },
  ];
  const lines = story.map((more, at) => ({ RayID: rays[at], EdgeStartTimestamp, ZoneName, ...more }));
  const tree = Array.from({ length: 900 }, (_, at) => {
    const ray = (BigInt(`0x${rays[5]}`) + BigInt(at) * 16n).toString(16);
    return { RayID: ray, ...(at > 0 ? { ParentRayID: rays[5] } : {}), EdgeStartTimestamp, ZoneName, ClientRequestUserAgent: signs };
  });
  const body = [...lines, ...tree].map((line) => JSON.stringify(line)).join("\n");
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/x-ndjson" };
  const stored = await fetch(`${url}/v1/ingest/http_requests`, { method: "POST", headers, body });
  assert.equal(stored.status, 200, await stored.text());
  for (const end = Date.now() + 60_000; ; ) {
    const answer = await fetch(`${url}/v1/rays/${rays[5]}?parts=tree&limit=1`, { headers });
    if (answer.status === 200) break;
    assert.ok(Date.now() < end, await answer.text());
    await new Promise((soon) => setTimeout(soon, 200));
  }
  for (const ray of [...rays.slice(0, 4), rays[5], tree[700].RayID]) {
    for (const more of [{}, { subrequests: "list" }]) {
      const { structuredContent: found, isError, content } = await called(session, "ray", { ray, ...more });
      assert.ok(!isError, content[0].text);
      assert.ok(found.tree.nodes.some((node) => node.ray === ray));
    }
  }
  await called(session, "search", { ...RANGE, limit: 20 });
  await called(session, "counts", { ...RANGE, by: ["ClientRequestUserAgent", "RayID"], top: 1000 });
});
