// The pump of streamed bodies, with a clock of its own: run by `node --test`.
import assert from "node:assert/strict";
import test, { mock } from "node:test";
import { BodyPumps, TICK_MS } from "../../src/platform/pump.mjs";

const LINE = new TextEncoder().encode("Error streaming data.\n");
const [IDLE_MS, TOTAL_MS] = [30_000, 300_000];
const text = (bytes) => new TextDecoder().decode(bytes);

/** A pipe as the platform's IdentityTransformStream: a write completes when it was read, and an abort waits for nothing. */
function pipe() {
  const queue = [];
  let state = {};
  let wake = () => {};
  const rejected = () => Promise.reject(state.error);
  const stop = (error) => {
    state = { error };
    for (const { reject } of queue.splice(0)) reject(error);
    wake();
  };
  const put = (item) => new Promise((resolve, reject) => (queue.push({ ...item, resolve, reject }), wake()));
  const writer = {
    write: (value) => (state.error ? rejected() : put({ value })),
    close: () => (state.error ? rejected() : put({ done: true })),
    abort: async (error) => stop(error),
  };
  const reader = {
    async read() {
      while (queue.length === 0 && !state.error) await new Promise((resolve) => (wake = resolve));
      if (state.error) throw state.error;
      const { value, done = false, resolve } = queue.shift();
      resolve();
      return { value, done };
    },
    cancel: async () => stop(new Error("nobody reads")),
  };
  return { readable: { getReader: () => reader }, writable: { getWriter: () => writer } };
}

/** A body of an instance that may be replaced, and everything that its client gets. */
function begin(pumps = new BodyPumps(pipe)) {
  const world = { pumps, instance: 1, waits: [], gone: new AbortController(), got: "" };
  const context = { waitUntil: (promise) => world.waits.push(promise) };
  const pump = pumps.of({ signal: world.gone.signal }, context, () => world.instance === 1);
  const reader = pump.start(LINE, IDLE_MS, TOTAL_MS).getReader();
  /** Reads on to the end: "whole", or why the body broke. */
  world.read = async () => {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return "whole";
        world.got += text(value);
      }
    } catch (error) {
      return error.message;
    }
  };
  return Object.assign(world, { pump, reader });
}

/** Lets the clock of the test run, and everything that waits for it. */
async function pass(ms) {
  for (let left = ms; left > 0; left -= TICK_MS) {
    mock.timers.tick(Math.min(left, TICK_MS));
    await settled();
  }
}

const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

const bytes = (words) => new TextEncoder().encode(words);

async function withClock(work) {
  mock.timers.enable({ apis: ["setInterval", "setTimeout", "Date"] });
  try {
    await work();
  } finally {
    mock.timers.reset();
  }
}

test("a body that is said to be whole ends well", () =>
  withClock(async () => {
    const { pump, pumps, read, ...world } = begin();
    const body = read();
    await pump.write(bytes("a\n"));
    await pump.write(bytes("b\n"));
    pump.end();
    assert.equal(await body, "whole");
    await Promise.all(world.waits);
    assert.equal(pumps.size, 0);
  }));

test("a module that says nothing breaks its body in time", () =>
  withClock(async () => {
    const world = begin();
    const body = world.read();
    await world.pump.write(bytes("a\n"));
    // The promise of the next piece never settles.
    await pass(TOTAL_MS - TICK_MS);
    assert.equal(world.got, "a\n");
    await pass(TICK_MS);
    assert.equal(await body, "the body is not whole");
    assert.equal(world.got, "a\nError streaming data.\n");
    await assert.rejects(world.pump.write(bytes("late\n")));
    world.pump.end();
    assert.equal(world.got, "a\nError streaming data.\n");
  }));

test("a failure breaks the body behind its pieces", () =>
  withClock(async () => {
    const world = begin();
    const unread = world.pump.write(bytes("a\n")).catch(() => {});
    world.pump.fail();
    world.pump.end();
    assert.equal(await world.read(), "the body is not whole");
    assert.equal(world.got, "a\nError streaming data.\n");
    await unread;
    await world.pump.over();
  }));

test("the bodies of a replaced instance break at once", () =>
  withClock(async () => {
    const pumps = new BodyPumps(pipe);
    const [first, second, other] = [begin(pumps), begin(pumps), begin(pumps)];
    const bodies = [first.read(), second.read(), other.read()];
    for (const world of [first, second, other]) await world.pump.write(bytes("a\n"));
    first.instance = second.instance = 2;
    pumps.look();
    assert.deepEqual(await Promise.all(bodies.slice(0, 2)), ["the body is not whole", "the body is not whole"]);
    assert.deepEqual([first.got, second.got, pumps.size], ["a\nError streaming data.\n", "a\nError streaming data.\n", 1]);
    other.pump.end();
    assert.equal(await bodies[2], "whole");
  }));

test("a replaced instance is seen without a call", () =>
  withClock(async () => {
    const world = begin();
    const body = world.read();
    world.instance = 2;
    await pass(TICK_MS);
    assert.equal(await body, "the body is not whole");
  }));

test("a client that does not read loses its body", () =>
  withClock(async () => {
    const world = begin();
    const write = assert.rejects(world.pump.write(bytes("a\n")));
    let isOver = false;
    world.pump.over().then(() => (isOver = true));
    await pass(IDLE_MS - TICK_MS);
    assert.equal(isOver, false);
    await pass(TICK_MS);
    assert.equal(isOver, true, "the module is told, and lets go");
    await write;
    assert.equal(await world.read(), "the body is not whole");
    assert.equal(world.pumps.size, 0);
  }));

test("a client that reads slowly keeps its body", () =>
  withClock(async () => {
    const world = begin();
    for (let piece = 0; piece < 5; piece++) {
      const write = world.pump.write(bytes("a\n"));
      await pass(IDLE_MS - TICK_MS);
      await world.reader.read();
      await write;
    }
    const body = world.read();
    world.pump.end();
    assert.equal(await body, "whole");
  }));

test("a client that is gone leaves nothing behind", () =>
  withClock(async () => {
    const left = begin();
    left.gone.abort();
    await settled();
    assert.equal(left.pumps.size, 0);
    await left.pump.over();
    const cancelled = begin();
    await cancelled.reader.cancel();
    await assert.rejects(cancelled.pump.write(bytes("a\n")));
    assert.equal(cancelled.pumps.size, 0);
    await Promise.all(cancelled.waits);
  }));
