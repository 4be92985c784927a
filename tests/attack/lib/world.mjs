// A Worker under the real runtime that an attack may do anything to: its callers, its batches, its partner, its log.
//
// An attack asks it over HTTP alone. What it prepares (batches, messages, faults of the bucket) goes past the Worker, as in
// production what Logpush writes does.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { startPartner } from "../../../local/partner.mjs";
import { startRuntime } from "../../../local/runtime.mjs";
import { ask, bearer, until } from "./http.mjs";
import { startIssuer } from "./issuer.mjs";
import { TRAP } from "./names.mjs";

/** The zone that limited callers may see, and one that they may not. */
export const [ZONE, OTHER_ZONE] = ["a.example", "b.example"];
const ALL = ["read", "deliver", "admin"];
/** Messages that the Worker is handed at once. */
const AT_ONCE = 20;

/** Every caller with a token: scopes, role, and what it is limited to. */
const CALLERS = {
  viewer: { scopes: ["read"], role: "viewer" },
  other: { scopes: ["read"], role: "viewer" },
  support: { scopes: ["read"], role: "support" },
  forensics: { scopes: ["read"], role: "forensics" },
  operator: { scopes: ALL, role: "viewer" },
  ingest: { scopes: ["ingest"], role: "viewer" },
  "other-ingest": { scopes: ["ingest"], role: "viewer" },
  "viewer-a": { scopes: ["read"], role: "viewer", zones: [ZONE] },
  "support-a": { scopes: ["read"], role: "support", zones: [ZONE] },
  "forensics-a": { scopes: ["read"], role: "forensics", zones: [ZONE] },
  "all-a": { scopes: ALL, role: "forensics", zones: [ZONE] },
  "requests-a": { scopes: ["read"], role: "forensics", zones: [ZONE], datasets: ["http_requests"] },
};

/** A Worker in the place of Cloudflare's edge. */
const EDGE = {
  name: "edge",
  modules: true,
  compatibilityDate: "2026-04-01",
  compatibilityFlags: ["enable_request_signal"],
  script: "export default { async fetch(request, env) { await scheduler.wait(0); return env.BEHIND.fetch(request); } }",
  serviceBindings: { BEHIND: "raydex" },
};

const hash = (token) => createHash("sha256").update(token).digest("hex");
const tokenOf = (name) => `attack-token-of-${name}-0123456789`;

/**
 * Starts a Worker. `build`: the folder of its modules. `callers`: further callers. `partner`: whether lines are delivered.
 * `people`: whether an issuer of Access lets in as many people as an attack wants. `faults(call)`: faults of the bucket.
 * `edge`: asks through a Worker in the place of Cloudflare's edge. The local runtime looks for new bytes on its sockets only
 * when it has nothing else to do; a request that waits for a timer there gives all the others their turn.
 */
export async function startWorld({ build, settings = {}, callers = {}, partner = false, people = false, faults, edge = false, ...options }) {
  const witness = partner ? await startPartner({ uri: "/cdn-log/v3", key: "a-partner-key-for-attacks" }) : undefined;
  const issuer = people ? await startIssuer() : undefined;
  const all = { ...CALLERS, ...callers };
  const tokens = Object.entries(all).map(([id, rights]) => ({ id, sha256: hash(tokenOf(id)), ...rights }));
  const log = [];
  const runtime = await startRuntime({
    build,
    settings: {
      API_TOKEN_SHA256: hash(tokenOf("root")),
      API_TOKENS: JSON.stringify(tokens),
      API_RATE_PER_MINUTE: "0",
      ...witness?.settings,
      ...issuer?.settings,
      ...settings,
    },
    onLog: (line) => log.push(line),
    decide: faults,
    beside: edge ? [EDGE] : [],
    ...options,
  });
  return new World({ runtime, partner: witness, issuer, log, url: edge ? await runtime.direct(EDGE.name) : runtime.url });
}

class World {
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** The headers of a caller: `root`, one of the table above, or a person as `NAME@viewers.example`. */
  headers(caller) {
    if (caller === null) return {};
    return caller.includes("@") ? this.issuer.headers(caller) : bearer(tokenOf(caller));
  }

  /** Asks as a caller. */
  ask(caller, path, options = {}) {
    return ask(`${this.url}${path}`, { ...options, headers: { ...this.headers(caller), ...options.headers } });
  }

  /** Writes batches ({key, lines} or {key, bytes}) and has them indexed. */
  async index(batches) {
    for (let at = 0; at < batches.length; at += AT_ONCE) {
      const [events, from] = [[], this.log.length];
      for (const { key, lines, bytes } of batches.slice(at, at + AT_ONCE)) {
        const object = await this.runtime.put(key, bytes ?? gzipSync(`${lines.join("\n")}\n`, { level: 1 }));
        events.push(this.runtime.event(object));
      }
      const { verdicts } = await this.runtime.dispatch("parse-queue", events);
      const lost = verdicts.filter(({ acked }) => !acked).length;
      if (lost > 0) throw new Error(`${lost} batches were not taken: ${JSON.stringify(this.log.slice(-3))}`);
      const unread = this.log.slice(from).find(({ event, verdict }) => event === "parse_message" && verdict === "quarantined");
      if (unread) throw new Error(`a batch was quarantined: ${JSON.stringify(unread)}`);
    }
  }

  /** Whether the module trapped since line `from` of the log. The next call says so, hence one is made. */
  async traps(from = 0) {
    await this.ask(null, "/healthz", { timeoutMs: 60_000 });
    return this.log.slice(from).filter(({ event }) => event === TRAP).length;
  }

  /** The largest size of the module's memory that the log knows, in MiB. */
  async wasmMiB(from = 0) {
    const before = this.log.length;
    await this.runtime.enqueue({ nothing: true });
    const seen = () => this.log.slice(before).some((line) => line.wasm_bytes);
    await until("a line of the log with the memory", seen).catch(() => {});
    return Math.max(0, ...this.log.slice(from).map((line) => line.wasm_bytes ?? 0)) / 2 ** 20;
  }

  async stop() {
    await this.runtime.stop();
    await this.partner?.stop();
    await this.issuer?.stop();
  }
}
