// What is noted of a request and its response, and handed to the module as text once the response has left.
import * as wasm from "raydex-wasm";
import { call } from "./instance.mjs";
import { BROKEN, UNREAD } from "./passage.mjs";

const OUTCOMES = { [BROKEN]: "origin_broke", [UNREAD]: "client_gone" };

export class Exchange {
  #facts = { startMs: Date.now(), outcome: "completed", responseBytes: 0 };
  #request;
  #env;
  /** The body of the request on its way, if its beginning is kept. */
  payload;

  constructor(request, env) {
    [this.#request, this.#env] = [request, env];
  }

  /** Notes the head of the response. */
  answered({ status, headers, webSocket }) {
    Object.assign(this.#facts, { headersMs: Date.now(), status, responseType: headers.get("content-type") });
    if (webSocket) this.#facts.outcome = "upgraded";
  }

  /** Notes that there is no response. */
  unanswered() {
    this.#facts.outcome = this.#request.signal.aborted ? "client_gone" : "origin_failed";
  }

  /** Notes how the body of the response ended. */
  passed(end, bytes) {
    Object.assign(this.#facts, { outcome: OUTCOMES[end] ?? this.#facts.outcome, responseBytes: bytes });
  }

  /** Has the module record the exchange, after the response has left. Nothing that fails here reaches anyone but the log. */
  async record() {
    try {
      this.#facts.endMs = Date.now();
      await scheduler.wait(0);
      const { method, url, cf } = this.#request;
      const headers = [...this.#request.headers].flat().join("\n");
      const facts = { ...this.#facts, method, url, cf, headers, payloadBytes: this.payload?.bytes };
      const kept = await this.payload?.kept();
      await call(() => wasm.edgeLog(this.#env, JSON.stringify(facts), kept));
    } catch (error) {
      console.error(JSON.stringify({ level: "error", event: "edge_not_recorded", reason: error?.constructor?.name }));
    }
  }
}
