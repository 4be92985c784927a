// A Worker that makes the calls of a lookup and does nothing else: what the local runtime itself costs.
//
// The local R2, queues and Durable Objects are Workers in the same process, so their CPU is in every end-to-end figure.
//
//   GET /ours?shard=S&key=K&reads=[[offset,length],…]   one call to an object, then these ranges of the batch, drained
//   GET /baseline?key=K                          the batch, drained
//
// It makes as many calls with as many bytes as the real one, and answers the same bytes, without any work in between.
import { DurableObject } from "cloudflare:workers";

/** Answers every call with what a shard's answer is as large as. */
export class Nothing extends DurableObject {
  async fetch(request) {
    await request.arrayBuffer();
    return new Response("x".repeat(300));
  }
}

export default {
  async fetch(request, { RAW, NOTHING }) {
    const { pathname, searchParams } = new URL(request.url);
    const key = searchParams.get("key");
    let reads = [undefined];
    if (pathname === "/ours") {
      const stub = NOTHING.getByName(searchParams.get("shard"));
      const reply = await stub.fetch("http://object/", { method: "POST", body: '{"id":"0000000000000000"}' });
      await reply.text();
      reads = JSON.parse(searchParams.get("reads"));
    }
    await Promise.all(reads.map((read) => drain(RAW, key, read)));
    return new Response("x".repeat(1600));
  },
};

/** Reads a range, or the whole object. */
async function drain(bucket, key, range) {
  const object = await bucket.get(key, range && { range: { offset: range[0], length: range[1] } });
  const reader = object.body.getReader();
  while (!(await reader.read()).done);
}
