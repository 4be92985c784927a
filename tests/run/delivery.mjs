// What scripts/run says of the delivery (local/delivery.mjs): how long it waits, what it writes, what it shows.
// Run by `node --test`, from scripts/test.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { delivered, delivery, table } from "../../local/delivery.mjs";

/** An account of 1,500 lines of which so many wait. */
function account(pending, parked = 0) {
  return {
    lines: { in: 1500, delivered: 1500 - pending - parked, pending, parked, rejected: {}, filtered: {}, unaccounted: 0 },
    batches: { open: 0, sealed: 1, quarantined: 0 },
    payloads: { prepared: pending > 0 ? 1 : 0, sending: 0, delivered: 2, parked: 0 },
    posts: { sent: 3, unknown_outcomes: 0 },
  };
}

const COUNTED = { lines: 1500, batches: 2, duplicate_lines: 0 };
const receiver = { figures: () => COUNTED };

/** Waits in a state folder of its own; gives the accounts and what was written. */
async function wait(options) {
  const state = fs.mkdtempSync(path.join(os.tmpdir(), "delivery-"));
  const accounts = await delivered({ state, tell() {}, ...options });
  const file = path.join(state, "partner.json");
  const written = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : undefined;
  fs.rmSync(state, { recursive: true });
  return { accounts, written };
}

test("it waits until nothing is pending, and writes both accounts", async () => {
  const states = [account(1500), account(500), account(0)];
  const { accounts, written } = await wait({ receiver, stats: async () => states.shift() });
  assert.deepEqual([accounts, states], [{ ours: account(0), theirs: COUNTED }, []]);
  assert.deepEqual(written, { partner: COUNTED, raydex: account(0) });
});

test("a Worker that keeps no account is not waited for", async () => {
  const { accounts, written } = await wait({ receiver, stats: async () => undefined });
  assert.equal(accounts, undefined);
  assert.deepEqual(written, { partner: COUNTED, raydex: null });
  assert.equal((await wait({ stats: async () => account(0) })).written, undefined);
});

test("the table has a column for each account that there is", () => {
  assert.equal(table({ ours: account(0), theirs: COUNTED }), [
    "                      raydex    partner",
    "  lines                1,500      1,500",
    "  payloads                 2          2",
    "  duplicate lines                     0",
    "  unknown outcome          0",
    "  unaccounted              0",
  ].join("\n"));
  const alone = table({ ours: account(100, 400) });
  assert.match(alone, /^ +raydex\n  lines +1,000\n/);
  assert.doesNotMatch(alone, /duplicate/);
  assert.match(alone, /\n  pending +100\n  parked +400$/);
});

test("plain HTTP is allowed to a receiver that was named so, and to no other", async () => {
  const of = async (url) => (await delivery({ other: { url, uri: "/x", key: "k" } })).settings;
  const named = { PARTNER_ENDPOINT: "https://p.example", PARTNER_URI: "/x", PARTNER_PRIVATE_KEY: "k" };
  assert.deepEqual(await of("https://p.example"), named);
  assert.equal((await of("http://p.example")).PARTNER_PLAIN_HTTP, "allow");
  assert.deepEqual(await delivery({ off: true }), { settings: {} });
});
