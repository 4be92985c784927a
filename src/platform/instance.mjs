// The instance of the wasm module, for every entry point: a call that ends in a trap (a WebAssembly.RuntimeError) marks the
// instance as broken, and the next call starts a new one first, so that one trap does not poison the isolate.
import * as wasm from "raydex-wasm";

/** The state of the instance. `instanceId` changes with each instance. */
export const life = wasm.__worker_init_state();

const listeners = [];

/** Has `listener` called after each trap. */
export function onTrap(listener) {
  listeners.push(listener);
}

function noteTrap(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  life.criticalError = true;
  for (const listener of listeners) listener();
}

// A trap in the middle of an asynchronous call reaches only this listener.
addEventListener("error", (event) => noteTrap(event.error));
addEventListener("unhandledrejection", (event) => noteTrap(event.reason));

/** Calls into the module with `work`. */
export async function call(work) {
  if (life.criticalError) {
    console.error(JSON.stringify({ level: "error", event: "instance_replaced" }));
    wasm.__wbg_reset_state();
    life.criticalError = false;
  }
  try {
    return await work();
  } catch (error) {
    noteTrap(error);
    throw error;
  }
}
