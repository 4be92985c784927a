// Worlds of their own for tests in a browser: a Worker whose bucket, queue and partner a test fills as it wants.
import { after } from "node:test";
import { startWorld } from "../attack/lib/world.mjs";

/**
 * Returns a function that starts a Worker when it is first called, has `fill` prepare it, and gives the same each time; it stops
 * after the tests. Starting it while a file is imported would let the tests of other files end before these begin. `options` are
 * those of startWorld. Its callers are `viewer`, `support`, `forensics`, `operator`, `root`, who may do everything, and those
 * that are limited to a zone.
 */
export function ownWorld(options = {}, fill = async () => {}) {
  let started;
  after(async () => (await started)?.stop());
  const start = async () => {
    const own = await startWorld(options);
    Object.assign(own, { tokenOf: (id) => own.headers(id).authorization.slice("Bearer ".length) });
    await fill(own);
    return own;
  };
  return () => (started ??= start());
}

/** The time of the day as the page of a verdict writes it. */
export const clock = (ms) => new Date(ms).toISOString().slice(11, 19);
