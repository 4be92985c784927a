// A page of another site: its forms, images, frames and scripts change nothing and read nothing of a person who is signed in.
import assert from "node:assert/strict";
import http from "node:http";
import { after, test } from "node:test";
import { browser, cookieOf, world } from "./harness.mjs";

const { ray } = world.examples.story;

/** Another site: the same machine by another name, which is another site to a browser. */
const other = await new Promise((done) => {
  const server = http.createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!doctype html><title>Another site</title><body>");
  });
  server.listen(0, "127.0.0.1", () => done({ server, url: `http://localhost:${server.address().port}/` }));
});
after(() => other.server.close());

/**
 * Runs `use` on a page of the other site, in the browser of a person who is signed in; gives the Worker's answers too, by path
 * and status, which is null where the browser kept the answer from the page.
 */
async function visitOther(use) {
  const context = await browser.newContext();
  await context.addCookies([cookieOf("main")]);
  const answers = [];
  const page = await context.newPage();
  const note = (url, status) => {
    if (url.startsWith(world.url)) answers.push([new URL(url).pathname, status]);
  };
  page.on("response", (response) => note(response.url(), response.status()));
  page.on("requestfailed", (request) => note(request.url(), null));
  try {
    await page.goto(other.url);
    return await use(page, answers, context);
  } finally {
    await context.close();
  }
}

const main = { headers: { authorization: `Bearer ${world.token}` } };
const get = async (path) => (await fetch(`${world.url}${path}`, main)).json();

test("an image, a script and a style sheet of another site are refused", () =>
  visitOther(async (page, answers) => {
    const loaded = await page.evaluate((urls) => {
      const load = ([name, members, url]) => new Promise((done) => {
        const element = Object.assign(document.createElement(name), members);
        element.onload = () => done(true);
        element.onerror = () => done(false);
        element[name === "link" ? "href" : "src"] = url;
        document.body.append(element);
      });
      const ways = [["img", {}], ["script", {}], ["script", { type: "module" }], ["link", { rel: "stylesheet" }]];
      return Promise.all(urls.flatMap((url) => ways.map(([name, members]) => load([name, members, url]))));
    }, [`${world.url}/v1/rays/${ray}`, `${world.url}/r/${ray}`, `${world.url}/search?last=1h`]);
    assert.deepEqual(loaded, Array(12).fill(false));
    assert.ok(answers.length >= 12, `${answers}`);
    assert.ok(answers.every(([, status]) => [null, 401, 403].includes(status)), `${answers}`);
  }));

test("a frame of another site shows nothing", () =>
  visitOther(async (page) => {
    await page.evaluate((url) => {
      const frame = document.createElement("iframe");
      frame.src = url;
      document.body.append(frame);
      return new Promise((done) => {
        frame.onload = done;
      });
    }, `${world.url}/r/${ray}`);
    const frame = page.frames().find((one) => one !== page.mainFrame());
    assert.ok(!(await frame.content()).includes(ray));
  }));

test("a script of another site reads nothing", () =>
  visitOther(async (page) => {
    const results = await page.evaluate(async ([url, path]) => {
      const ask = (options) => fetch(url + path, options).then(async (reply) => [reply.type, await reply.text()], () => ["failed", ""]);
      return Promise.all([ask({ credentials: "include" }), ask({ credentials: "include", mode: "no-cors" })]);
    }, [world.url, `/v1/rays/${ray}`]);
    assert.ok(results.every(([, text]) => text === ""), JSON.stringify(results));
  }));

test("a form of another site changes nothing", () =>
  visitOther(async (page, answers, context) => {
    const before = await get("/v1/backfills");
    for (const [path, members] of [
      ["/v1/backfills", { start: "2026-01-01T00:00:00Z" }],
      ["/sign-in", { token: "token of viewer", to: "/" }],
      ["/sign-out", {}],
      ["/look-up", { text: ray }],
      ["/ops/payloads", { decision: "drop", state: "parked", expected: "1-0", reason: "x" }],
      ["/ops/partner", { decision: "try" }],
      ["/ops/dead-letters/1", { decision: "dismiss", reason: "x" }],
    ]) {
      await page.goto(other.url);
      await page.evaluate(([action, members]) => {
        const form = document.createElement("form");
        Object.assign(form, { method: "post", action });
        for (const [name, value] of Object.entries(members)) form.append(Object.assign(document.createElement("input"), { name, value }));
        document.body.append(form);
        form.submit();
      }, [`${world.url}${path}`, members]);
      await page.waitForURL(`${world.url}${path}`);
      const [, status] = answers.findLast(([asked]) => asked === path);
      assert.ok(status === 401 || status === 403, `${path}: ${status}`);
    }
    assert.deepEqual(await get("/v1/backfills"), before);
    const [cookie] = await context.cookies(world.url);
    assert.equal(decodeURIComponent(cookie.value), world.token, "the person is still who they were");
  }));
