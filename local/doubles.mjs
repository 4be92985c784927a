// Replacements for the Worker's bindings, with which tests show what happens when a binding fails.
//
// miniflare's wrapped bindings replace a binding by an object of this file. The classes have the platform's names,
// because the Worker checks them. Without a fault, each call reaches the real bucket; `decide` learns of every call.

const BUCKET_MODULE = `
class R2Bucket {
  #env;
  constructor(env) { this.#env = env; }
  async #run(op, key, work) {
    const asked = await this.#env.DECIDE.fetch("http://decide/", { method: "POST", body: JSON.stringify({ op, key }) });
    const fault = await asked.json();
    if (fault === "error") throw new Error("the bucket does not answer (10001)");
    if (fault === "missing") return null;
    const done = await work(this.#env.BUCKET);
    if (fault === "error-after") throw new Error("the bucket did not say that it did (10001)");
    return fault === "cut" ? cut(done) : done;
  }
  head(key) { return this.#run("head", key, (bucket) => bucket.head(key)); }
  get(key, options) { return this.#run("get", key, (bucket) => bucket.get(key, options)); }
  put(key, value, options) { return this.#run("put", key, (bucket) => bucket.put(key, value, options)); }
  delete(key) { return this.#run("delete", key, (bucket) => bucket.delete(key)); }
  list(options) { return this.#run("list", "", (bucket) => bucket.list(options)); }
  createMultipartUpload(key, options) {
    return this.#run("upload", key, (bucket) => bucket.createMultipartUpload(key, options));
  }
}
// An object whose body ends early, as if the connection had closed.
function cut(object) {
  let left = Math.floor(object.size / 2);
  const half = new TransformStream({
    transform(piece, to) {
      if (left > 0) to.enqueue(piece.subarray(0, left));
      left -= piece.length;
    },
  });
  const body = object.body.pipeThrough(half);
  return new Proxy(object, {
    get(target, name) {
      if (name === "body") return body;
      const value = target[name];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
export default (env) => new R2Bucket(env);
`;

/**
 * Replaces the binding `name` of `worker` by a bucket that can fail. `decide({op, key})` returns the fault of each call:
 * null, "error", "error-after" (the call takes effect and then fails), "missing" or "cut".
 */
export function faultyBucket(worker, name, decide) {
  const bucketName = worker.r2Buckets[name].id;
  delete worker.r2Buckets[name];
  worker.wrappedBindings = { ...worker.wrappedBindings, [name]: { scriptName: "faulty-bucket" } };
  const answer = async (request) => {
    const { Response } = await import("miniflare");
    return Response.json(decide(await request.json()) ?? null);
  };
  return [wrapped("faulty-bucket", BUCKET_MODULE, { r2Buckets: { BUCKET: bucketName }, serviceBindings: { DECIDE: answer } })];
}

/** Replaces each bucket, namespace and queue of `worker` by an object that throws on every call. */
export function untouchables(worker) {
  const kinds = [
    ["R2Bucket", "r2Buckets"],
    ["DurableObjectNamespace", "durableObjects"],
    ["WorkerQueue", "queueProducers"],
  ];
  return kinds.map(([className, kind]) => {
    const scriptName = `untouchable-${kind.toLowerCase()}`;
    for (const name of Object.keys(worker[kind])) {
      delete worker[kind][name];
      worker.wrappedBindings = { ...worker.wrappedBindings, [name]: { scriptName } };
    }
    return wrapped(scriptName, untouchableModule(className), {});
  });
}

function untouchableModule(className) {
  return `
class ${className} {}
const touched = (name) => () => { throw new Error("${className}." + name + " was called"); };
const methods = ["get", "put", "head", "delete", "list", "createMultipartUpload", "getByName", "idFromName", "send", "sendBatch"];
for (const name of methods) ${className}.prototype[name] = touched(name);
export default () => new ${className}();
`;
}

function wrapped(name, contents, bindings) {
  return { name, modules: [{ type: "ESModule", path: `${name}.mjs`, contents }], ...bindings };
}
