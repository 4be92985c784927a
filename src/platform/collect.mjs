// Mode `collect` of the Worker in front of a site: answers requests with reports by itself, and has the module take the reports
// once the answer has left. Whatever fails here, the answer is the same.
import * as wasm from "raydex-wasm";
import { call } from "./instance.mjs";
import { announcedLength } from "./passage.mjs";

/** Seconds for which a browser keeps that it may send reports here. */
const PREFLIGHT_LIFE_S = "86400";
const ANY_ORIGIN = { "access-control-allow-origin": "*" };
const METHODS = "POST, OPTIONS";
/** What a browser may send: every header that it asks for, since a rule can have its key in one. */
const preflight = (request) => ({
  ...ANY_ORIGIN,
  "access-control-allow-methods": METHODS,
  "access-control-allow-headers": request.headers.get("access-control-request-headers") ?? "content-type",
  "access-control-max-age": PREFLIGHT_LIFE_S,
});
/** Bodies that were not read to their end. */
const [BROKEN, TOO_LARGE] = [{ tooLarge: false }, { tooLarge: true }];

/** Whether the deployment takes reports instead of passing requests on. */
export function collects(env) {
  try {
    return wasm.edgeCollects(env);
  } catch {
    return false;
  }
}

/** Answers a request of a deployment that collects. */
export async function collect(request, env, ctx) {
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: preflight(request) });
  if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: METHODS } });
  const body = await read(request, env);
  // What the module needs of the request, as text: nothing of a request is kept beyond it.
  const description = JSON.stringify({ url: request.url, headers: [...request.headers].flat().join("\n") });
  ctx.waitUntil(take(env, description, body));
  return new Response(null, { status: body === TOO_LARGE ? 413 : 204, headers: ANY_ORIGIN });
}

/** The body, up to the size that its route allows. */
async function read(request, env) {
  if (request.body === null) return { bytes: new Uint8Array() };
  const most = allowed(request, env);
  if ((announcedLength(request.headers) ?? 0) > most) return TOO_LARGE;
  const pieces = [];
  let size = 0;
  try {
    for await (const piece of request.body) {
      size += piece.length;
      if (size > most) return TOO_LARGE;
      pieces.push(piece);
    }
  } catch {
    return BROKEN;
  }
  return { bytes: pieces.length === 1 ? pieces[0] : new Uint8Array(await new Blob(pieces).arrayBuffer()) };
}

function allowed(request, env) {
  try {
    return wasm.collectBytes(env, request.url);
  } catch {
    return 0;
  }
}

/** Has the module take the reports, after the answer has left. Nothing that fails here reaches anyone but the log. */
async function take(env, description, { bytes, tooLarge = false }) {
  try {
    await scheduler.wait(0);
    await call(() => wasm.edgeCollect(env, description, bytes, tooLarge));
  } catch (error) {
    console.error(JSON.stringify({ level: "error", event: "edge_not_collected", reason: error?.constructor?.name }));
  }
}
