// A module with less memory than it was linked for: so that a test sees it run out without having to fill a hundred
// megabytes.
//
// What always holds: no byte of the module but its bound is changed, so what runs is what is deployed.

/** Number of the section that declares the memory, and the flag of a memory with a bound. */
const [MEMORY_SECTION, BOUNDED] = [5, 1];
/** Where the sections begin: behind the magic number and the version. */
const FIRST_SECTION = 8;

/** The module, which may grow to so many pages of 64 KiB alone. */
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

/** The number in LEB128 at a place, and where it begins and ends. */
function number(bytes, start) {
  let [value, end] = [0, start];
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[end++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value, start, end };
  }
}

/** Writes a number over another one, in as many bytes. */
function overwrite(bytes, { start, end }, value) {
  for (let at = start; at < end; at++) {
    bytes[at] = (value & 0x7f) | (at + 1 < end ? 0x80 : 0);
    value >>= 7;
  }
}
