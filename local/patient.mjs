// Requests of scripts/run itself, which wait where the Worker says so: `--set API_RATE_PER_MINUTE=` may allow fewer than it makes.
import { Trouble } from "./sample.mjs";

const SPENT = "daily_budget_spent";

/** GETs with the token. Waits while the rate of requests is exceeded, and says so once; a budget that is spent ends the program. */
export async function getPatiently(url, token, { tell, sleep = pause } = {}) {
  for (let isSaid = false; ; isSaid = true) {
    const reply = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    if (reply.status !== 429) return reply;
    const { code, detail } = await reply.json().catch(() => ({}));
    if (code === SPENT) {
      const words = `the Worker refuses the requests of this program: ${detail}`;
      throw new Trouble(words, "give --set DAILY_BUDGET= a larger amount, or leave it out; it bounds the token main, too");
    }
    const seconds = Number(reply.headers.get("retry-after") ?? 1) || 1;
    if (!isSaid) tell?.(`the Worker takes no more requests for ${seconds} s (API_RATE_PER_MINUTE): waiting`);
    await sleep(1000 * seconds);
  }
}

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}
