// Forwards the pieces of a streamed body to its client, outside of the module: the body ends well only if the module said
// that it is whole, whatever becomes of the module.
//
// In every other case the client gets a last line that says so, and then the stream breaks: after a failure, when the
// instance of the module was replaced, when its client reads nothing for too long, when the body takes too long in all.
// All of this is by timers of the request itself, so that it happens although the module and the client do nothing.

/** How often a pump looks at the clock and at its instance, in milliseconds. */
export const TICK_MS = 500;

/** How a body is over: it is whole; it cannot be continued; its client does not read it. */
const [WHOLE, BROKEN, UNREAD] = ["whole", "broken", "unread"];

/** The pumps of an isolate. */
export class BodyPumps {
  #pipe;
  #open = new Set();

  /** `pipe` makes a pipe of the platform: a write completes when it was read. */
  constructor(pipe) {
    this.#pipe = pipe;
  }

  /** The pump of a request. `lives()` says whether the instance that answers it is the one that began to. */
  of(request, context, lives) {
    return new BodyPump({ open: this.#open, pipe: this.#pipe, signal: request.signal, context, lives });
  }

  /** Has every pump look at its instance at once. Each breaks its body in the context of its own request. */
  look() {
    for (const pump of this.#open) pump.look();
  }

  /** Number of bodies that have not ended. */
  get size() {
    return this.#open.size;
  }
}

/** The pump of one body. The module calls `start`, then `write` for each piece, and `end` if the body is whole. */
class BodyPump {
  #given;
  #writer;
  #lastLine;
  #limits;
  #since;
  /** When the write began that the client has not read yet. */
  #writing;
  /** Resolves once the body is over, with how: by WHOLE, BROKEN or UNREAD. */
  #over = withResolvers();
  #isOver = false;
  #timer;

  constructor(given) {
    this.#given = given;
  }

  /** The body to answer with. `lastLine` is what a broken one ends with; the limits are in milliseconds. */
  start(lastLine, idleMs, totalMs) {
    const { pipe, open, context, signal } = this.#given;
    const { readable, writable } = pipe();
    this.#writer = writable.getWriter();
    this.#writer.closed?.catch(() => {});
    [this.#lastLine, this.#limits, this.#since] = [lastLine, { idleMs, totalMs }, Date.now()];
    open.add(this);
    this.#timer = setInterval(() => this.look(), TICK_MS);
    signal?.addEventListener("abort", () => this.fail());
    // This continues in the context of this request, from whichever one the body is broken.
    context.waitUntil(this.#over.promise.then((how) => this.#finish(how)));
    return readable;
  }

  /** Forwards a piece. Rejects if its client is gone. */
  async write(piece) {
    if (this.#isOver) throw new Error("the body is over");
    this.#writing = Date.now();
    try {
      await this.#writer.write(piece);
    } catch (error) {
      this.fail();
      throw error;
    }
    this.#writing = undefined;
  }

  /** Says that the body is whole. */
  end() {
    this.#settle(WHOLE);
  }

  /** Says that the body cannot be continued. */
  fail() {
    this.#settle(BROKEN);
  }

  /** Resolves once the body is over. */
  async over() {
    await this.#over.promise;
  }

  /** Breaks the body if its instance is gone or a deadline has passed. */
  look() {
    const now = Date.now();
    if (this.#writing !== undefined && now - this.#writing >= this.#limits.idleMs) this.#settle(UNREAD);
    else if (!this.#given.lives() || now - this.#since >= this.#limits.totalMs) this.fail();
  }

  #settle(how) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#given.open.delete(this);
    this.#over.resolve(how);
  }

  async #finish(how) {
    clearInterval(this.#timer);
    try {
      if (how === WHOLE) return await this.#writer.close();
      // Behind the piece that is still to be read, for which the client has its time.
      if (how === BROKEN) await within(this.#limits.idleMs, this.#writer.write(this.#lastLine));
    } catch {
      // The client is gone.
    }
    await this.#writer.abort(new Error("the body is not whole")).catch(() => {});
  }
}

/** Waits for the promise, but not for longer. */
async function within(ms, promise) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
