// Where scripts/run delivers to, and what came of it.
//
// By default it starts a receiver that stands for the partner (partner.mjs): its ledger shares nothing with the
// Worker's, so the two columns of the table can differ, and are worth comparing. The receiver's key is kept in the
// state folder (`partner-key`); its ledger is in memory and begins at zero with each start.
//
// What always holds: a Worker that does not deliver (no settings, or no /v1/stats) is not waited for; waiting has an
// end.
import fs from "node:fs";
import path from "node:path";
import { startPartner } from "./partner.mjs";

/** The path of the receiver that is started here. */
const URI = "/cdn-log/v3";
/** How long the delivery of the sample data may take once all of it is indexed, in milliseconds. */
const PATIENCE = 60_000;
/** How often it is asked after, in milliseconds. */
const STEP = 200;
/** How often the waiting is told of, in milliseconds. */
const TELL_EVERY = 10_000;

/**
 * Where to deliver: {settings, receiver}. `other`: {url, uri, key} of a receiver that is not started here; `off`:
 * nowhere. `keptKey()` gives the key of the receiver that is.
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
 * Waits until all that is indexed is delivered, for a minute at most; writes what the receiver counted to
 * `partner.json`. Gives both accounts, or undefined where the Worker keeps none.
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

/** What is neither delivered nor given up, or undefined if nothing is. */
function waitingIn({ lines, sources, payloads }) {
  const all = lines.pending + payloads.pending + payloads.sending + sources.open;
  return all > 0 ? { lines: lines.pending } : undefined;
}

/** Both accounts side by side; ours alone where the receiver is somebody else's. */
export function table({ ours, theirs }) {
  const { lines, payloads, posts } = ours;
  const rows = [
    ["", "raydex", theirs && "partner"],
    ["lines", lines.delivered, theirs?.lines],
    ["payloads", payloads.delivered, theirs?.batches],
    ...(theirs ? [["duplicate lines", undefined, theirs.duplicate_lines]] : []),
    // Only attempts with an unknown outcome can cause duplicate lines.
    ["unknown outcome", posts.ambiguous],
    ["unaccounted", lines.unaccounted],
    ...[["pending", lines.pending], ["parked", lines.parked]].filter(([, count]) => count > 0),
  ];
  const cell = (value = "") => value.toLocaleString("en").padStart(11);
  return rows.map(([name, ...cells]) => `  ${name.padEnd(15)}${cells.map(cell).join("")}`.trimEnd()).join("\n");
}
