// Passes a body on as it comes, counts its bytes, and knows how it ended. Nothing of it is kept but the beginning that is asked
// for.

/** Number of bytes that are read at a time at most; fewer are passed on as they come. */
const PIECE_BYTES = 65_536;

/** A body of this known length at most is passed on by the runtime itself, which takes less time. */
const SHORT_BYTES = 65_536;

/** How a body ended: it is whole; its source broke it off; its reader is gone. */
export const [WHOLE, BROKEN, UNREAD] = ["whole", "broken", "unread"];

/** A body on its way: `readable` is to be handed on, `run` passes the bytes on and resolves with how the body ended. */
export class Passage {
  #reader;
  #length;
  #body;
  #writable;
  #writer;
  #abort;
  #keep;
  #kept = [];
  #isUnread = false;
  /** Number of bytes that were passed on; of a short body that broke off, 0. */
  bytes = 0;

  /** `length` is the body's length if that is known; `keep` the number of bytes of its beginning that are kept. */
  constructor(body, length, keep = 0) {
    const { readable, writable } = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
    [this.#body, this.#length, this.#keep, this.readable, this.#writable] = [body, length, keep, readable, writable];
  }

  /** The beginning that was kept. */
  async kept() {
    return new Uint8Array(await new Blob(this.#kept).arrayBuffer());
  }

  /** Says that the reader is gone, which neither a write nor a read that waits learns by itself. */
  giveUp() {
    this.#isUnread = true;
    this.#abort?.abort();
    this.#reader?.cancel().catch(() => {});
    this.#writer?.abort(new Error("the reader is gone")).catch(() => {});
  }

  run() {
    const isShort = this.#keep === 0 && this.#length !== null && this.#length <= SHORT_BYTES;
    return isShort ? this.#pipe() : this.#pump();
  }

  /** Has the runtime pass the body on. */
  async #pipe() {
    this.#abort = new AbortController();
    try {
      await this.#body.pipeTo(this.#writable, { signal: this.#abort.signal });
      this.bytes = this.#length;
      return WHOLE;
    } catch {
      // Which side failed is known once the request is known to be aborted.
      await scheduler.wait(0);
      return this.#isUnread ? UNREAD : BROKEN;
    }
  }

  async #pump() {
    this.#writer = this.#writable.getWriter();
    this.#writer.closed.catch(() => {});
    const reader = (this.#reader = this.#body.getReader({ mode: "byob" }));
    for (let buffer = new ArrayBuffer(PIECE_BYTES); ; ) {
      let piece;
      try {
        piece = await reader.read(new Uint8Array(buffer));
      } catch (error) {
        this.#writer.abort(error).catch(() => {});
        return this.#isUnread ? UNREAD : BROKEN;
      }
      if (piece.done) return this.#close();
      if (!(await this.#write(piece.value))) return await reader.cancel().then(() => UNREAD, () => UNREAD);
      buffer = piece.value.buffer;
    }
  }

  /** A body that is shorter than its length cannot be closed, nor can one whose reader is gone. */
  async #close() {
    const isShort = this.#length !== null && this.bytes < this.#length;
    return this.#writer.close().then(() => WHOLE, () => (isShort && !this.#isUnread ? BROKEN : UNREAD));
  }

  async #write(piece) {
    if (this.#keep > 0) {
      const beginning = piece.slice(0, this.#keep);
      this.#kept.push(beginning);
      this.#keep -= beginning.length;
    }
    try {
      await this.#writer.write(piece);
      this.bytes += piece.length;
      return true;
    } catch {
      return false;
    }
  }
}

/** The length that a message's headers announce; null if none. */
export function announcedLength(headers) {
  const length = headers.get("content-length");
  return length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null;
}
