// How the partner's receiver is told to misbehave: a plan of rules, the first that fits a post decides.
//
// A plan is a list of rules, or {rules, seed}. A rule is {do} with any of these conditions, all of which must hold:
//
//   batchId: ID      posts of this X-Batch-Id
//   every: N         each N-th post that this rule is asked about
//   share: 0.1       a tenth of them, by a generator that `seed` starts (default 1)
//   count: N         N posts, then no more
//
// `do` is {reset: "before"} (the connection ends before the body is read), {reset: "after"} (once it is stored), or
// an answer made of any of these:
//
//   status: 503      (default 200), headers: {name: value}, body: N bytes of junk
//   redirect: URL    as the location, with status 302 unless there is another
//   delay: MS        the answer comes late
//   hang: MS         the same, but it is stored as late as it is answered; null: never answered
//   store: X         "before" the answer is waited for, "after" the wait, true (before) or false; by default what is
//                    answered 2xx is stored
//
// What always holds: one seed and one order of posts give the same misbehaviour; a plan with a word that is not here
// is refused, since a rule that is misspelled would test nothing.

const CONDITIONS = ["batchId", "every", "share", "count", "do"];
const DEEDS = ["reset", "status", "headers", "body", "redirect", "delay", "hang", "store"];
const STORES = [undefined, true, false, "before", "after"];

/** A plan that runs. */
export class Plan {
  #rules;
  #random;

  constructor(plan = []) {
    const { rules, seed = 1 } = Array.isArray(plan) ? { rules: plan } : plan;
    this.#rules = rules.map((rule) => ({ ...known(rule, CONDITIONS), act: actOf(rule.do), asked: 0, used: 0 }));
    this.#random = generator(seed);
  }

  /** What is to happen to the next post; undefined: what is right. */
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

/** What a rule's `do` comes to: {reset, status, headers, body, waitMs, store: "before" | "after" | false}. */
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

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
