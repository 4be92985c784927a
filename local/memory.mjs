// Lowers the maximum memory of a module, so that a test can exhaust it without filling a hundred megabytes.
//
// Only the maximum in the memory section changes; everything else is the deployed module byte for byte.

/** Number of the memory section, and the flag of a memory with a maximum. */
const [MEMORY_SECTION, BOUNDED] = [5, 1];
/** Offset of the first section, after the magic number and the version. */
const FIRST_SECTION = 8;

/** A copy of the module whose memory can grow to at most `pages` pages of 64 KiB. */
export function bounded(module, pages) {
  const bytes = Uint8Array.from(module);
  for (let at = FIRST_SECTION; at < bytes.length; ) {
    const size = number(bytes, at + 1);
    if (bytes[at] === MEMORY_SECTION) {
      const [count, flags] = [number(bytes, size.end), number(bytes, size.end + 1)];
      if (count.value !== 1 || flags.value !== BOUNDED) throw new Error("the module's memory has no maximum");
      const most = number(bytes, number(bytes, flags.end).end);
      overwrite(bytes, most, pages);
      return bytes;
    }
    at = size.end + size.value;
  }
  throw new Error("the module declares no memory");
}

/** The LEB128 number at an offset, with its start and end. */
function number(bytes, start) {
  let [value, end] = [0, start];
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[end++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value, start, end };
  }
}

/** Overwrites a LEB128 number with another one of the same length. */
function overwrite(bytes, { start, end }, value) {
  for (let at = start; at < end; at++) {
    bytes[at] = (value & 0x7f) | (at + 1 < end ? 0x80 : 0);
    value >>= 7;
  }
}
