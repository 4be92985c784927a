// An origin of mode `collect` for `scripts/run --edge` and the tests: it keeps the windows that it gets by their names, answers for
// the quotas of keys, and fails when it is asked to.
//
//   POST /collect      takes a window               GET /quota/KEY   204, or 429 for keys that begin with `over`
//   GET /collected     what was taken, as JSON      anything else    404
import http from "node:http";

/** The windows of an origin: what was taken of each, and how often it came. */
export class Windows {
  /** By name: the counts of the isolate, the number of POSTs, the body. */
  taken = new Map();
  posts = 0;

  /** Takes a window; one that came before must have the same bytes. */
  take({ headers }, body) {
    const name = headers["raydex-window"];
    const before = this.taken.get(name);
    if (before && !before.body.equals(body)) throw new Error(`window ${name} came with other bytes`);
    this.taken.set(name, { posts: (before?.posts ?? 0) + 1, counts: JSON.parse(headers["raydex-counts"]), type: headers["content-type"], body });
  }

  /** What all windows have together: their reports by SHA-1, the number of windows, and the last counts of each isolate. */
  summary() {
    const [reports, isolates] = [new Map(), new Map()];
    let records = 0;
    for (const { counts, body, type } of this.taken.values()) {
      if (!(isolates.get(counts.isolate)?.sequence > counts.sequence)) isolates.set(counts.isolate, counts);
      for (const { sha1, json, count } of reportsOf(body, type)) {
        records += 1;
        reports.set(sha1, { json, count: (reports.get(sha1)?.count ?? 0) + count });
      }
    }
    const reported = [...reports.values()].reduce((sum, { count }) => sum + count, 0);
    return { windows: this.taken.size, posts: this.posts, records, reported, reports, isolates: [...isolates.values()] };
  }
}

/** The reports of a window's body, in either form. */
export function reportsOf(body, type) {
  const text = body.toString();
  if (type.includes("ndjson")) return text.trim().split("\n").map((line) => JSON.parse(line));
  return Object.entries(JSON.parse(text)).map(([sha1, report]) => ({ sha1, ...report }));
}

/** Answers a request if it is one for this origin: whether it was. `decide(request)` may return a status to fail with. */
export async function collecting(request, response, windows, decide = () => undefined) {
  const { pathname } = new URL(request.url, "http://origin");
  if (pathname === "/collect" && request.headers["raydex-window"]) {
    windows.posts += 1;
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const failure = decide(request);
    // `lost`: the window is taken, and the answer is not.
    if (failure === undefined || failure === "lost") windows.take(request, Buffer.concat(pieces));
    if (failure === "lost") return response.destroy(), true;
    return response.writeHead(failure ?? 204).end(), true;
  }
  if (pathname.startsWith("/quota/")) {
    const isOver = pathname.startsWith("/quota/over");
    response.writeHead(isOver ? 429 : 204, isOver ? { "retry-after": "60" } : { "cache-control": "max-age=60" }).end();
    return true;
  }
  if (pathname !== "/collected") return false;
  const { reports, ...sums } = windows.summary();
  response.setHeader("content-type", "application/json");
  response.end(`${JSON.stringify({ ...sums, reports: Object.fromEntries(reports) })}\n`);
  return true;
}

/** Starts an origin on a free port. */
export async function startCollectingOrigin({ decide } = {}) {
  const windows = new Windows();
  const asked = [];
  const others = [];
  const server = http.createServer(async (request, response) => {
    if (request.url.startsWith("/quota/")) asked.push(request.url);
    try {
      if (await collecting(request, response, windows, decide)) return;
      others.push(request.url);
      response.writeHead(404).end();
    } catch (error) {
      others.push(String(error));
      response.destroy();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const stop = () => (server.closeAllConnections(), server.close());
  return { address: `127.0.0.1:${server.address().port}`, windows, asked, others, stop };
}
