// Does the steps of a deployment, or finds out which of them are done.

import { WranglerFailed, isThere } from "./wrangler.mjs";

/** A step that a person has to do first. */
export class Undone extends Error {}

/** What became of a step. */
export const OUTCOMES = { there: "there", lacking: "lacking", differs: "differs", done: "done" };

/**
 * Does the steps one after the other, unless they are done; `report(outcome, step)` hears of each. `run(args)` is wrangler,
 * `build()` builds the Worker. Without `apply` it only asks.
 */
export async function carryOut(steps, { run, build, apply, report }) {
  const must = async (args) => {
    const { code, output } = await run(args);
    if (code !== 0) throw new WranglerFailed(args, output);
  };
  for (const step of steps) report(await doStep(step, { run, must, build, apply }), step);
}

async function doStep(step, { run, must, build, apply }) {
  const there = step.check ? await isThere(run, step.check) : false;
  if (there === true) {
    if (apply && step.mend) await must(step.mend);
    return OUTCOMES.there;
  }
  if (!step.make) throw new Undone(`${step.unmet}. Run: ${step.hand}`);
  if (!apply) return there === "other" ? OUTCOMES.differs : OUTCOMES.lacking;
  if (there === "other") await must(step.remove);
  if (step.builds) build();
  await must(step.make);
  return OUTCOMES.done;
}
