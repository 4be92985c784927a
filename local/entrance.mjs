// The link by which scripts/run signs a browser in: a server of its own, on another port of this machine, whose only path is
// random and works once. It sets the cookie that the sign-in form sets, since cookies do not distinguish ports, and goes on to
// the page. So no route of the Worker takes a token in an address.
import { randomBytes, timingSafeEqual } from "node:crypto";
import http from "node:http";

/** The cookie of the Worker on this machine: src/http/session_cookie.rs. */
const COOKIE = "raydex";

/** Starts the server; returns the link. `url` is the Worker's address, `token` what the link signs in with. */
export function startEntrance({ url, token }) {
  const secret = `/${randomBytes(24).toString("base64url")}`;
  let isSpent = false;
  const server = http.createServer((request, response) => {
    const answer = (status, words, headers = {}) => {
      response.writeHead(status, {
        "cache-control": "no-store",
        connection: "close",
        "content-type": "text/plain; charset=utf-8",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        ...headers,
      });
      response.end(`${words}\n`);
    };
    if (!isSame(request.url, secret)) return answer(404, "There is nothing here.");
    if (request.method !== "GET") return answer(405, "Open the link in a browser.", { allow: "GET" });
    if (isSpent) return answer(410, `This link was used. Sign in at ${url}/sign-in, or start scripts/run again.`);
    isSpent = true;
    const cookie = `${COOKIE}=${encodeURIComponent(token)}; Path=/; HttpOnly; SameSite=Strict`;
    answer(303, "Signed in.", { location: `${url}/`, "set-cookie": cookie });
  });
  server.unref();
  const { hostname } = new URL(url);
  return new Promise((done, failed) => {
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => done(`http://${hostname}:${server.address().port}${secret}`));
  });
}

/** Whether the texts are the same, in a time that says nothing of them. */
function isSame(asked, secret) {
  const [one, other] = [asked, secret].map((text) => Buffer.from(text));
  return one.length === other.length && timingSafeEqual(one, other);
}
