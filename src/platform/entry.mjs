// The module that the platform loads: every call goes straight to the wasm exports.
//
// A call that ends in a trap (a WebAssembly.RuntimeError) marks the instance as broken, and the next call starts a new
// one first, so that one trap does not poison the isolate. Durable Objects of a former instance are built anew before
// they are called; their state is in their SQLite storage, never here. The streamed bodies of a former instance break.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import * as wasm from "raydex-wasm";
import { BodyPumps } from "./pump.mjs";

const life = wasm.__worker_init_state();

const pumps = new BodyPumps(() => new IdentityTransformStream());

function noteTrap(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  life.criticalError = true;
  pumps.look();
}

// A trap in the middle of an asynchronous call reaches only this listener.
addEventListener("error", (event) => noteTrap(event.error));
addEventListener("unhandledrejection", (event) => noteTrap(event.reason));

async function call(work) {
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

export default class Raydex extends WorkerEntrypoint {
  fetch(request) {
    return call(() => {
      const { instanceId } = life;
      const lives = () => life.instanceId === instanceId && !life.criticalError;
      // The module takes the pump from the request.
      request.pump = pumps.of(request, this.ctx, lives);
      return wasm.fetch(request, this.env, this.ctx);
    });
  }

  queue(batch) {
    return call(() => wasm.queue(batch, this.env, this.ctx));
  }

  scheduled(controller) {
    return call(() => wasm.scheduled(controller.cron, this.env));
  }
}

function durableObject(className) {
  return class extends DurableObject {
    #object;
    #instance;

    fetch(request) {
      return call(() => this.#built().fetch(request));
    }

    // Comes to a class alone that sets one.
    async alarm() {
      await call(() => this.#built().alarm());
    }

    #built() {
      if (this.#instance !== life.instanceId) {
        this.#object = new wasm[className](this.ctx, this.env);
        this.#instance = life.instanceId;
      }
      return this.#object;
    }
  };
}

export const RayShard = durableObject("RayShard");
export const Ledger = durableObject("Ledger");
export const Audit = durableObject("Audit");
