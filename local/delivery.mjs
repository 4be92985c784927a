// Delivery in scripts/run: the receiver, the wait for the sample data, and the table of results.
//
// By default, a local receiver simulates the partner (partner.mjs). Its ledger shares nothing with the Worker's, so the
// two columns of the table are independent counts. The state folder keeps the receiver's key (`partner-key`); its ledger
// is in memory and starts empty each time.
//
// The wait has a time limit, and does not happen if the Worker does not deliver (no settings, or no /v1/stats).
import fs from "node:fs";
import path from "node:path";
import { startPartner } from "./partner.mjs";

/** Path of the local receiver. */
const URI = "/cdn-log/v3";
/** Time limit for delivering the sample data once it is indexed, in milliseconds. */
const PATIENCE = 60_000;
/** Interval between requests for the statistics, in milliseconds. */
const STEP = 200;
/** Interval between progress messages, in milliseconds. */
const TELL_EVERY = 10_000;

/**
 * Prepares delivery: {settings, receiver}. `other`: {url, uri, key} of an existing receiver, which is used instead of a
 * local one; `off`: no delivery. `keptKey()` returns the key for the local receiver.
 */
export async function delivery({ other, off, keptKey, tell }) {
  if (off) return { settings: {} };
  if (!other) {
    const onPost = ({ batchId, status }) => {
      if (status !== 200) tell(`partner: rejected ${batchId || "a request"} with ${status ?? "no response"}`);
    };
    const receiver = await startPartner({ uri: URI, key: keptKey(), onPost });
    return { settings: receiver.settings, receiver };
  }
  const settings = { PARTNER_ENDPOINT: other.url, PARTNER_URI: other.uri, PARTNER_PRIVATE_KEY: other.key };
  if (other.url.startsWith("http:")) settings.PARTNER_PLAIN_HTTP = "allow";
  return { settings };
}

/**
 * Waits until everything indexed is delivered, for at most a minute, and writes the counts to `partner.json`. Returns
 * the counts of both sides, or undefined if the Worker has none.
 */
export async function delivered({ receiver, state, stats, tell }) {
  const ours = await drained(stats, tell);
  const theirs = receiver?.figures();
  if (theirs) {
    const file = path.join(state, "partner.json");
    fs.writeFileSync(`${file}.new`, `${JSON.stringify({ partner: theirs, raydex: ours ?? null }, null, 2)}\n`);
    fs.renameSync(`${file}.new`, file);
  }
  return ours && { ours, theirs };
}

async function drained(stats, tell) {
  const end = Date.now() + PATIENCE;
  for (let told = 0; ; told += STEP) {
    const now = await stats();
    const waiting = now && waitingIn(now);
    if (!waiting) return now;
    const words = `${waiting.lines.toLocaleString("en")} lines are not yet delivered`;
    if (Date.now() > end) {
      tell(`${words} after ${PATIENCE / 1000} s; delivery continues in the background`);
      return now;
    }
    if (told > 0 && told % TELL_EVERY === 0) tell(words);
    await new Promise((done) => setTimeout(done, STEP));
  }
}

/** The lines not yet delivered, or undefined if all work is complete. */
function waitingIn({ lines, batches, payloads }) {
  const all = lines.pending + payloads.prepared + payloads.sending + batches.open;
  return all > 0 ? { lines: lines.pending } : undefined;
}

/** A table of both counts; only the Worker's if the receiver is not the local one. */
export function table({ ours, theirs }) {
  const { lines, payloads, posts } = ours;
  const rows = [
    ["", "raydex", theirs && "partner"],
    ["lines", lines.delivered, theirs?.lines],
    ["payloads", payloads.delivered, theirs?.batches],
    ...(theirs ? [["duplicate lines", undefined, theirs.duplicate_lines]] : []),
    // Only attempts with an unknown outcome can cause duplicate lines.
    ["unknown outcome", posts.unknown_outcomes],
    ["unaccounted", lines.unaccounted],
    ...[["pending", lines.pending], ["parked", lines.parked]].filter(([, count]) => count > 0),
  ];
  const cell = (value = "") => value.toLocaleString("en").padStart(11);
  return rows.map(([name, ...cells]) => `  ${name.padEnd(15)}${cells.map(cell).join("")}`.trimEnd()).join("\n");
}
