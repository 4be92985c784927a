// A sample origin for the edge logger: it answers in every way that a logger must not disturb. Used by `scripts/run --edge`
// and by the tests.
//
//   /bytes?n=N      N bytes with their length          /status?code=C     a status without a body
//   /chunked        pieces without a length            /gzip              a compressed body
//   /events         server-sent events, 300 ms apart   /file              a body with ranges and an entity tag
//   /echo           the request as JSON                /slow?ms=N         waits first
//   /broken         breaks its body off                /refused           closes the connection
//   /socket         a WebSocket that repeats a frame   anything else      a greeting
//   /collect, /collected, /quota/KEY: for mode `collect` (collecting-origin.mjs)
import { createHash } from "node:crypto";
import http from "node:http";
import { gzipSync } from "node:zlib";
import { Windows, collecting } from "./collecting-origin.mjs";

const PIECE = Buffer.alloc(65_536, "raydex ");
const FILE = Buffer.from("0123456789".repeat(100));
const ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Starts the origin on a free port; returns its address as HOST:PORT, the number of requests, and how to stop it. */
export async function startOrigin(port = 0) {
  let requests = 0;
  const windows = new Windows();
  const server = http.createServer((request, response) => {
    requests += 1;
    response.sendDate = false;
    const other = async () => (await collecting(request, response, windows)) || answer(request, response);
    other().catch(() => response.destroy());
  });
  server.on("upgrade", (request, socket) => {
    requests += 1;
    upgrade(request, socket);
  });
  await new Promise((done) => server.listen(port, "127.0.0.1", done));
  const stop = () => (server.closeAllConnections(), server.close());
  return { address: `127.0.0.1:${server.address().port}`, requests: () => requests, stop };
}

async function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url, "http://origin");
  switch (pathname) {
    case "/bytes": return bytes(response, Number(searchParams.get("n")));
    case "/chunked":
      for (const piece of ["one ", "two ", "three"]) {
        response.write(piece);
        await pause(5);
      }
      return response.end();
    case "/events":
      response.setHeader("content-type", "text/event-stream");
      for (let number = 1; number <= 3; number += 1) {
        response.write(`data: ${number}\n\n`);
        await pause(300);
      }
      return response.end();
    case "/echo": return json(response, { method: request.method, url: request.url, headers: request.rawHeaders, body: (await bodyOf(request)).toString("base64") });
    case "/status":
      response.writeHead(Number(searchParams.get("code")), { "x-kept": "yes", etag: '"v1"', "set-cookie": ["a=1", "b=2"] });
      return response.end();
    case "/gzip":
      response.setHeader("content-encoding", "gzip");
      return response.end(gzipSync("compressed ".repeat(1000)));
    case "/file": return file(request, response);
    case "/slow":
      await pause(Number(searchParams.get("ms")));
      return response.end("at last\n");
    case "/broken":
      response.writeHead(200, { "content-length": "1000" });
      response.write("half");
      await pause(50);
      return response.destroy();
    case "/refused": return response.destroy();
    default: return response.end(`hello from the origin, ${request.method} ${pathname}\n`);
  }
}

async function bytes(response, count) {
  response.writeHead(200, { "content-length": String(count) });
  const closed = new Promise((done) => response.once("close", done));
  for (let left = count; left > 0; left -= PIECE.length) {
    const more = response.write(PIECE.subarray(0, Math.min(left, PIECE.length)));
    if (response.destroyed) return;
    if (!more) await Promise.race([new Promise((done) => response.once("drain", done)), closed]);
  }
  response.end();
}

function file(request, response) {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  response.setHeader("etag", '"v1"');
  response.setHeader("accept-ranges", "bytes");
  if (request.headers["if-none-match"] === '"v1"') return response.writeHead(304).end();
  if (first === undefined) return response.writeHead(200, { "content-length": FILE.length }).end(FILE);
  const part = FILE.subarray(Number(first), Number(last) + 1);
  response.writeHead(206, { "content-range": `bytes ${first}-${last}/${FILE.length}`, "content-length": part.length });
  return response.end(part);
}

function json(response, value) {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(value));
}

async function bodyOf(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Accepts a WebSocket and sends back, unmasked, each short text frame. */
function upgrade(request, socket) {
  const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + ACCEPT).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.on("error", () => {});
  socket.on("data", (frame) => {
    const length = frame[1] & 127;
    if ((frame[0] & 15) !== 1 || length > 125) return socket.end();
    const text = Buffer.from(frame.subarray(6, 6 + length).map((byte, at) => byte ^ frame[2 + (at % 4)]));
    socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
  });
}
