// Plans for a misbehaving partner: lists of rules, of which the first match determines the response.
//
// A plan is a list of rules, or {rules, seed}. A rule is {do} with any of these conditions, all of which must match:
//
//   batchId: ID      requests with this X-Batch-Id
//   every: N         every N-th request that reaches this rule
//   share: 0.1       a tenth of the requests, chosen by a generator with `seed` (default 1)
//   count: N         the first N matching requests
//
// `do` is {reset: "before"} (closes the connection before reading the body), {reset: "after"} (closes it after storing
// the body), or a response with any of:
//
//   status: 503      (default 200), headers: {name: value}, body: N bytes of junk
//   redirect: URL    the location, with status 302 unless `status` is set
//   delay: MS        waits before the response
//   hang: MS         the same, but stores the body only then; null: never responds
//   store: X         "before" the wait, "after" the wait, true (before) or false; by default a body is stored if the
//                    response is 2xx
//
// The same seed and order of requests give the same misbehaviour. A plan with an unknown member is rejected, because a
// misspelled rule would test nothing.
import { generator } from "./random.mjs";

const CONDITIONS = ["batchId", "every", "share", "count", "do"];
const DEEDS = ["reset", "status", "headers", "body", "redirect", "delay", "hang", "store"];
const STORES = [undefined, true, false, "before", "after"];

/** A plan in use. */
export class Plan {
  #rules;
  #random;

  constructor(plan = []) {
    const { rules, seed = 1 } = Array.isArray(plan) ? { rules: plan } : plan;
    this.#rules = rules.map((rule) => ({ ...known(rule, CONDITIONS), act: actOf(rule.do), asked: 0, used: 0 }));
    this.#random = generator(seed);
  }

  /** The action for the next request; undefined for correct behaviour. */
  next(batchId) {
    return this.#rules.find((rule) => this.#fits(rule, batchId))?.act;
  }

  #fits(rule, batchId) {
    if (rule.batchId !== undefined && rule.batchId !== batchId) return false;
    if (rule.count !== undefined && rule.used >= rule.count) return false;
    rule.asked += 1;
    if (rule.every !== undefined && rule.asked % rule.every !== 0) return false;
    if (rule.share !== undefined && this.#random() >= rule.share) return false;
    rule.used += 1;
    return true;
  }
}

/** Normalizes the `do` of a rule: {reset, status, headers, body, waitMs, store: "before" | "after" | false}. */
function actOf(deed) {
  const { reset, redirect, headers, body, delay = 0, hang } = known(deed, DEEDS);
  const { status = redirect === undefined ? 200 : 302 } = deed;
  if (!STORES.includes(deed.store)) throw new Error(`invalid plan: store cannot be ${JSON.stringify(deed.store)}`);
  if (![undefined, "before", "after"].includes(reset)) throw new Error(`invalid plan: reset cannot be ${JSON.stringify(reset)}`);
  const stored = deed.store ?? (reset === "after" || (status >= 200 && status < 300));
  const inTime = hang === undefined || deed.store === true ? "before" : "after";
  return {
    reset,
    status,
    headers: redirect === undefined ? headers : { location: redirect, ...headers },
    body,
    waitMs: hang === undefined ? delay : hang,
    store: stored === true ? inTime : stored,
  };
}

function known(words, all) {
  const strange = Object.keys(words ?? {}).find((word) => !all.includes(word));
  if (!words) throw new Error("invalid plan: a rule has no do");
  if (strange !== undefined) throw new Error(`invalid plan: unknown member ${strange}`);
  return words;
}
