// The link by which scripts/run signs a browser in (local/entrance.mjs): it works once, and leads to the page.
// Run by `node --test`, from scripts/test.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startEntrance } from "../../local/entrance.mjs";

const URL_OF_WORKER = "http://127.0.0.1:8787";

const open = (link, options) => fetch(link, { redirect: "manual", ...options });

test("the link sets the cookie once, and goes on to the page", async () => {
  const link = await startEntrance({ url: URL_OF_WORKER, token: "a+b=c; d" });
  assert.match(link, /^http:\/\/127\.0\.0\.1:[0-9]+\/[\w-]{32}$/);
  const first = await open(link);
  assert.deepEqual([first.status, first.headers.get("location")], [303, `${URL_OF_WORKER}/`]);
  assert.equal(first.headers.get("set-cookie"), "raydex=a%2Bb%3Dc%3B%20d; Path=/; HttpOnly; SameSite=Strict");
  assert.equal(first.headers.get("cache-control"), "no-store");
  const second = await open(link);
  assert.deepEqual([second.status, second.headers.get("set-cookie")], [410, null]);
  assert.match(await second.text(), /was used/);
});

test("only the link itself signs in", async () => {
  const link = await startEntrance({ url: URL_OF_WORKER, token: "t" });
  const { origin, pathname } = new URL(link);
  for (const path of ["/", pathname.slice(0, -1), `${pathname}x`, `/${pathname}`, `${pathname}?x`, "/sign-in"]) {
    const reply = await open(`${origin}${path}`);
    assert.deepEqual([reply.status, reply.headers.get("set-cookie")], [404, null], path);
  }
  for (const method of ["HEAD", "POST", "OPTIONS"]) {
    const reply = await open(link, { method });
    assert.deepEqual([reply.status, reply.headers.get("set-cookie")], [405, null], method);
  }
  assert.equal((await open(link)).status, 303, "what does not sign in spends nothing");
});

test("each link is another", async () => {
  const links = await Promise.all([1, 2].map(() => startEntrance({ url: URL_OF_WORKER, token: "t" })));
  assert.notEqual(new URL(links[0]).pathname, new URL(links[1]).pathname);
});
