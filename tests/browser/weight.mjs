// What the answers to a page weigh as gzip would send them.
import { gzipSync } from "node:zlib";

/** The bytes of these bodies, each compressed by itself. */
export async function gzippedOf(bodies) {
  const all = await Promise.all(bodies);
  return all.reduce((sum, body) => sum + gzipSync(body).length, 0);
}
