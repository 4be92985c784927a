// The Worker in front of a site: passes each request on to its origin, streams both bodies through, and has the module record
// what happened once the response has left. Whatever fails here but the origin, the response is the origin's.
//
// Nothing of a request is kept beyond it: the module gets a description as text. In mode `collect` nothing is passed on
// (collect.mjs).
import { WorkerEntrypoint } from "cloudflare:workers";
import * as wasm from "raydex-wasm";
import { collect, collects } from "./collect.mjs";
import { Exchange } from "./exchange.mjs";
import { announcedLength, Passage } from "./passage.mjs";

export default class Edge extends WorkerEntrypoint {
  fetch(request) {
    if (collects(this.env)) return collect(request, this.env, this.ctx);
    const response = this.#pass(request);
    // A client that goes away while the origin is slow is recorded too.
    this.ctx.waitUntil(response.catch(() => {}));
    return response;
  }

  async #pass(request) {
    const exchange = new Exchange(request, this.env);
    const record = () => this.ctx.waitUntil(exchange.record());
    const forwarded = this.#withPayload(request, exchange);
    let response;
    try {
      // Bodies stay compressed as they are, and the origin learns that the client is gone.
      const init = { encodeResponseBody: "manual", signal: request.signal };
      response = await (this.env.ORIGIN ?? globalThis).fetch(forwarded, init);
    } catch (error) {
      exchange.unanswered();
      record();
      throw error;
    }
    exchange.answered(response);
    const passed = response.webSocket ? null : this.#passOn(request, response, exchange, record);
    if (passed === null) record();
    return passed ?? response;
  }

  /** The response with a body that is counted as it passes; null if it has none. */
  #passOn(request, response, exchange, record) {
    if (response.body === null) return null;
    try {
      const { status, statusText, headers, cf } = response;
      const passage = new Passage(response.body, announcedLength(headers));
      const passed = new Response(passage.readable, { status, statusText, headers, cf, encodeBody: "manual" });
      request.signal.addEventListener("abort", () => passage.giveUp());
      this.ctx.waitUntil(passage.run().then((end) => (exchange.passed(end, passage.bytes), record())));
      return passed;
    } catch {
      return null;
    }
  }

  /** The request, with a body whose beginning is kept if a rule wants that. */
  #withPayload(request, exchange) {
    try {
      const type = request.headers.get("content-type");
      const keep = request.body && type ? wasm.edgePayloadBytes(this.env, request.url, type) : 0;
      if (keep === 0) return request;
      const payload = new Passage(request.body, announcedLength(request.headers), keep);
      const forwarded = new Request(request, { body: payload.readable });
      exchange.payload = payload;
      this.ctx.waitUntil(payload.run());
      return forwarded;
    } catch {
      return request;
    }
  }
}
