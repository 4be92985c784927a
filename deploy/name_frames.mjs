// `scripts/name-frames`: puts the name of each function into the stack of a trap. A module without names says
// `wasm-function[N]`; its names are a module of their own, with one section.

import fs from "node:fs";
import readline from "node:readline";

/** Of the section with names, the part with those of functions. */
const FUNCTIONS = 1;

/** Reads numbers and texts of a module one after the other. */
class Reader {
  #bytes;
  #at;

  constructor(bytes, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd() {
    return this.#at >= this.#bytes.length;
  }

  /** A number in LEB128. */
  number() {
    let number = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Error("the file of names ends too early");
      number += (byte & 127) * shift;
      if (byte < 128) return number;
    }
  }

  /** The next bytes, as many as `count` says. */
  take(count) {
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  text() {
    return Buffer.from(this.take(this.number())).toString();
  }
}

/** The names of the functions of a module, by number. */
export function functionNames(module) {
  if (module.subarray(0, 4).toString("latin1") !== "\0asm") throw new Error("the file of names is no wasm module");
  const names = new Map();
  for (const sections = new Reader(module, 8); !sections.isAtEnd; ) {
    const kind = sections.number();
    const section = new Reader(sections.take(sections.number()));
    if (kind !== 0 || section.text() !== "name") continue;
    while (!section.isAtEnd) {
      const part = section.number();
      const list = new Reader(section.take(section.number()));
      if (part !== FUNCTIONS) continue;
      for (let left = list.number(); left > 0; left -= 1) names.set(list.number(), list.text());
    }
  }
  return names;
}

/** A name as the compiler writes it, without the hash of its crate and its own. */
const readable = (name) => name.replace(/\[[0-9a-f]{16}\]/g, "").replace(/::h[0-9a-f]{16}$/, "");

/** A line with the name behind each function. */
export function nameFrames(line, names) {
  return line.replace(/wasm-function\[(\d+)\]/g, (frame, number) => {
    const name = names.get(Number(number));
    return name === undefined ? frame : `${frame} ${readable(name)}`;
  });
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  try {
    const names = functionNames(fs.readFileSync(process.argv[2]));
    for await (const line of readline.createInterface({ input: process.stdin })) process.stdout.write(`${nameFrames(line, names)}\n`);
  } catch (error) {
    process.stderr.write(`scripts/name-frames: ${error.code === "ENOENT" ? `there is no ${process.argv[2]}: run scripts/build` : error.message}\n`);
    process.exitCode = 1;
  }
}
