// A Worker in memory with sample data, indexed and delivered: for tests that ask it over HTTP.
//
// The data are 2000 requests of five minutes in March 2026, always the same ones. A partner receives them too, and refuses
// its first payload for good, so that one is parked. Nothing is asked of the network; the runtime and the folder end with
// this process.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { exitAtSignals } from "../../local/guard.mjs";
import { startPartner } from "../../local/partner.mjs";
import { ROOT, startRuntime } from "../../local/runtime.mjs";

const TOKEN = "a-token-for-clients";
const ZONE = "023e105f4ecef8ad9ca31a8372d0c353";
const ZONE_NAME = "example.net";
const PLAN = "--records 2000 --batches 4 --window 300 --unit mixed --members 3 --start 2026-03-28T08:00:00Z".split(" ");
/** How long the batches may take until they are indexed and delivered, in milliseconds. */
const PATIENCE = 60_000;

/**
 * Starts it. `rate`: how often a caller may ask, per minute, 0 for no limit. Returns the runtime, the manifest of the
 * batches, the variables that say where it is, and how to stop it.
 */
export async function startSample({ rate = "0" } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-clients-"));
  process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
  exitAtSignals();
  const program = path.join(ROOT, "target/release/make-batches");
  const made = spawnSync(program, ["--out", folder, ...PLAN], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`make-batches failed: ${made.error ?? made.stderr}`);
  const manifest = JSON.parse(fs.readFileSync(path.join(folder, "manifest.json"), "utf8"));

  const partner = await startPartner({ uri: "/cdn-log/v3", key: "a-partner-key-for-clients" });
  partner.behave([{ count: 1, do: { status: 400 } }]);
  const sealed = new Set();
  const runtime = await startRuntime({
    settings: {
      ...partner.settings,
      API_TOKEN_SHA256: createHash("sha256").update(TOKEN).digest("hex"),
      API_ZONES: JSON.stringify({ [ZONE]: ZONE_NAME }),
      API_RATE_PER_MINUTE: rate,
    },
    onLog: (line) => line.event === "parse_message" && line.verdict === "sealed" && sealed.add(line.key),
  });
  for (const { key } of manifest.batches) {
    await runtime.announce(await runtime.put(key, fs.readFileSync(path.join(folder, key))));
  }
  await until("indexed", () => manifest.batches.every(({ key }) => sealed.has(key)));
  // Each batch of requests is one payload. The Worker is not asked: what the test may ask is its own.
  const payloads = manifest.batches.filter(({ dataset }) => dataset === "http_requests").length;
  await until("delivered", () => partner.figures().posts >= payloads);

  const env = {
    RAYDEX_URL: runtime.url,
    RAYDEX_TOKEN: TOKEN,
    RAYDEX_ZONE: ZONE,
    RAYDEX_ZONE_NAME: ZONE_NAME,
    RAYDEX_SAMPLE: folder,
  };
  const stop = () => Promise.all([runtime.stop(), partner.stop()]);
  return { runtime, manifest, env, stop };
}

/** Waits until `done`, which is asked ten times a second. */
async function until(what, done) {
  for (const end = Date.now() + PATIENCE; !done(); ) {
    if (Date.now() > end) throw new Error(`the batches are not ${what} after ${PATIENCE / 1000} s`);
    await new Promise((soon) => setTimeout(soon, 100));
  }
}
