// The module that the platform loads: every call goes straight to the wasm exports.
//
// After a trap a new instance is started (instance.mjs). Durable Objects of a former instance are built anew before they are
// called; their state is in their SQLite storage, never here. The streamed bodies of a former instance break.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import * as wasm from "raydex-wasm";
import { call, life, onTrap } from "./instance.mjs";
import { BodyPumps } from "./pump.mjs";

const pumps = new BodyPumps(() => new IdentityTransformStream());
onTrap(() => pumps.look());

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
export const EdgeSpool = durableObject("EdgeSpool");
