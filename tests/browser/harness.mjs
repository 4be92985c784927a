// The environment of the tests in a browser: scripts/run's Worker with sample data, started once, and pages that are watched.
//
// A test opens pages with `open`, which fails it if a page logs an error, breaks its policy, or asks another host for anything.
// The Chromium is that of the machine: RAYDEX_CHROMIUM, or the first of the usual names on the path.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The names of a Chromium on a path. */
const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** Whether the long form of a test runs: scripts/browser --long. */
export const isLong = process.env.RAYDEX_BROWSER_LONG === "1";

/** Tokens beside the main one, by id: their texts are `token of ID`. */
const TOKENS = [
  { id: "viewer", scopes: ["read"], role: "viewer" },
  { id: "support", scopes: ["read"], role: "support" },
  { id: "operator", scopes: ["deliver"], role: "support" },
];

/** The Chromium of the machine; undefined without one. */
export function findChromium() {
  const named = process.env.RAYDEX_CHROMIUM;
  if (named) return named;
  const found = NAMES.map((name) => spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim());
  return found.find((file) => file !== "");
}

/** The Worker: `url`, `token`, `link` (signs in once), `examples` (rays of the sample data by what they show). */
export const world = await startWorld();

/** The browser that all tests share; each page has a context of its own. */
export const browser = await chromium.launch({
  executablePath: findChromium(),
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});

after(async () => {
  await browser.close();
  world.stop();
});

/** The text of a token by its id; `main` may do everything. */
export const tokenOf = (id) => (id === "main" ? world.token : `token of ${id}`);

/**
 * Runs `use` with a page, and checks that it did nothing that it must not.
 *
 * `as`: the id of the token that signs in, or null for none. `theme`: light or dark. `width` and `height` in px. `js`: whether
 * scripts run. `expected`: statuses of answers to the page's own requests that are no mistake, such as 404 of a page, which
 * a browser logs as an error. `bypass`: without the policy, for tools that are put into the page. `at`: another world than the
 * sample data's, of worlds.mjs. `bodies`: called with the text of each answer to the page.
 */
export async function open(options, use) {
  const { as = "support", theme = "light", width = 1200, height = 800, js = true, expected = [], bypass = false, at = world, bodies } = options;
  const context = await browser.newContext({
    colorScheme: theme,
    viewport: { width, height },
    javaScriptEnabled: js,
    bypassCSP: bypass,
    reducedMotion: "reduce",
  });
  const faults = [];
  try {
    if (as !== null) await context.addCookies([cookieOf(as, at)]);
    await watch(context, faults, expected, at.url);
    const read = [];
    if (bodies) context.on("response", (response) => read.push(response.text().then(bodies, () => {})));
    const page = await context.newPage();
    const result = await use(page, context);
    await Promise.all(read);
    if (js) faults.push(...(await violations(page)));
    assert.deepEqual(faults, [], "what the page must not do");
    return result;
  } finally {
    await context.close();
  }
}

/** The cookie that the form sets for a token. */
export function cookieOf(id, at = world) {
  const value = encodeURIComponent(at === world ? tokenOf(id) : at.tokenOf(id));
  return { name: "raydex", value, url: at.url, httpOnly: true, sameSite: "Strict" };
}

/** Collects what the pages of a context log, break and ask of other hosts. */
async function watch(context, faults, expected, home) {
  const statuses = expected.map((status) => `status of ${status} `);
  context.on("console", (message) => {
    const text = message.text();
    const isExpected = statuses.some((status) => text.includes(status));
    if (["error", "warning"].includes(message.type()) && !isExpected) faults.push(`console: ${text}`);
  });
  context.on("weberror", (error) => faults.push(`error: ${error.error().message}`));
  context.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (origin !== home) faults.push(`request to ${origin}`);
  });
  await context.addInitScript(() => {
    globalThis.raydexViolations = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      globalThis.raydexViolations.push(`violation: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
}

const violations = (page) => page.evaluate(() => globalThis.raydexViolations ?? []).catch(() => []);

/** Whether a page is wider than its window. */
export const isTooWide = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

/** The digits of a ray at this instant, whose others are made up. */
export function rayAt(unixMs, below = 0xabcdef1) {
  const ticks = BigInt(Math.floor((unixMs - 1_350_000_000_000) / 10));
  return ((ticks << 28n) | BigInt(below)).toString(16).padStart(16, "0");
}

/** Starts scripts/run's program on a state of its own. */
async function startWorld() {
  const state = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-browser-"));
  const tokens = path.join(state, "tokens.json");
  const entry = ({ id, ...more }) => ({ id, sha256: createHash("sha256").update(`token of ${id}`).digest("hex"), ...more });
  fs.writeFileSync(tokens, JSON.stringify(TOKENS.map(entry)));
  const program = process.env.RAYDEX_MAKE_BATCHES ?? path.join(ROOT, "target/release/make-batches");
  const token = "a token of the browser's tests";
  const args = ["--port", String(await freePort()), "--state", state, "--program", program, "--token", token];
  const more = ["--tokens", tokens, "--set", "API_RATE_PER_MINUTE=0"];
  const child = spawn(process.execPath, [path.join(ROOT, "local/run.mjs"), ...args, ...more], { stdio: ["pipe", "pipe", "pipe"] });
  let words = "";
  let errors = "";
  child.stderr.on("data", (piece) => (errors = (errors + piece).slice(-4000)));
  const stop = () => {
    child.kill("SIGTERM");
    fs.rmSync(state, { recursive: true, force: true });
  };
  process.once("exit", stop);
  const url = await new Promise((done, failed) => {
    child.once("exit", (code) => failed(new Error(`local/run.mjs exits with ${code}: ${errors}`)));
    child.stdout.on("data", (piece) => {
      words += piece;
      const ready = words.match(/^ready (\S+)$/m);
      if (ready) done(ready[1]);
    });
  });
  child.removeAllListeners("exit");
  const { examples } = JSON.parse(fs.readFileSync(path.join(state, "sample.json"), "utf8"));
  return { url, token, link: words.match(/^page, .*: (\S+)$/m)[1], examples, stop };
}

/** A port that is free now. */
function freePort() {
  return new Promise((done, failed) => {
    const probe = net.createServer();
    probe.once("error", failed);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}
