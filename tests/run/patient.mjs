// How scripts/run waits for the Worker: run by `node --test`.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { getPatiently } from "../../local/patient.mjs";

/** Serves these answers, one after the other: the status, and of a 429 its code. */
async function serve(...answers) {
  const server = createServer((_, response) => {
    const [status, code] = answers.shift();
    const body = JSON.stringify({ code, detail: "Your token has spent its budget of 0.01 dollars a day." });
    response.writeHead(status, { "content-type": "application/problem+json", "retry-after": "7" }).end(body);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

test("a wait for the rate is said once", async () => {
  const [said, slept] = [[], []];
  const limited = [429, "too_many_requests"];
  const url = await serve(limited, limited, [200]);
  const reply = await getPatiently(url, "t", { tell: (words) => said.push(words), sleep: (ms) => slept.push(ms) });
  assert.equal(reply.status, 200);
  assert.deepEqual([said.length, slept], [1, [7000, 7000]]);
  assert.match(said[0], /no more requests for 7 s/);
});

test("a spent budget ends the program with words", async () => {
  const url = await serve([429, "daily_budget_spent"]);
  const asked = getPatiently(url, "t", { sleep: () => assert.fail("it must not wait until midnight") });
  await assert.rejects(asked, (error) => /budget of 0.01 dollars/.test(error.message) && /DAILY_BUDGET/.test(error.toDo));
});
