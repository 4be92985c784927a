// What is hidden and what does not exist, in one world: the same order of answers and, as far as can be, the same time.
import { ask, jsonOf, linesOf, median } from "./lib/http.mjs";
import { startTwins } from "./lib/twins.mjs";

export const name = "order";
export const about = "hidden and absent rays: the order of POST /v1/rays, and the median time of a lookup";

/** How much slower a lookup of a hidden ray may be than that of an absent one, and the other way round. */
const RATIO = 1.25;

/** What is wrong with the order of a list's answers: it must be that of the question. */
export function orderFault(asked, { text, status, broken }) {
  if (status !== 200 || broken) return `${status} ${broken ?? ""}`;
  const answered = linesOf(text).map((line) => jsonOf({ text: line })?.ray).filter((ray) => typeof ray === "string");
  if (answered.length < asked.length) return `${answered.length} of ${asked.length} answers`;
  const at = asked.findIndex((ray, place) => answered[place] !== ray);
  return at < 0 ? null : `answer ${at + 1} of ${asked.length} is that of another ray`;
}

const RAYS = ["a0", "a1"];
const lines = (rays) => ({ body: rays.map((ray) => `${JSON.stringify({ ray })}\n`).join("") });
const probe = async (url) => [orderFault(RAYS, await ask(url))].filter(Boolean);

export const fakes = [
  { bad: "answers in another order", answer: () => lines([...RAYS].reverse()), good: () => lines(RAYS), probe },
  { bad: "an answer that is missing", answer: () => lines(["a0"]), probe },
];

export async function attack(context) {
  const { check, slice, full, random } = context;
  const twins = await startTwins(context);
  try {
    await pairs(twins, slice ? 20 : 60, random, check);
    await times(twins, slice ? 40 : full ? 400 : 150, slice, check);
  } finally {
    await twins.stop();
  }
}

/** Lists of hidden and absent rays, in random order. */
async function pairs({ both, pools }, count, random, check) {
  const faults = [];
  let absentFirst = 0;
  for (let at = 0; at < count; at += 1) {
    const rays = [pools.hidden[at], pools.absent[at], pools.hidden[at + count], pools.visible[at]].sort(() => random.next() - 0.5);
    const body = JSON.stringify({ rays });
    const answer = await both.ask("forensics-a", "/v1/rays", { method: "POST", body, headers: { "content-type": "application/json" } });
    const fault = orderFault(rays, answer);
    if (fault) faults.push(fault);
    const order = linesOf(answer.text).map((line) => jsonOf({ text: line })?.ray);
    if (order.indexOf(pools.absent[at]) < order.indexOf(pools.hidden[at])) absentFirst += 1;
  }
  check("POST /v1/rays answers in the order asked", faults, `${faults.length} of ${count} lists are in another order; the absent ray came first in ${absentFirst}`);
}

/** Lookups of hidden and absent rays in turns. */
async function times({ both, pools }, count, slice, check) {
  const taken = { hidden: [], absent: [] };
  const faults = [];
  for (let at = 0; at < count; at += 1) {
    const turns = at % 2 === 0 ? ["hidden", "absent"] : ["absent", "hidden"];
    for (const kind of turns) {
      const answer = await both.ask("viewer-a", `/v1/rays/${pools[kind][at % pools[kind].length]}?dataset=http_requests`);
      if (answer.status !== 404) faults.push(`${kind}: ${answer.status}`);
      taken[kind].push(answer.ms);
    }
  }
  const [hidden, absent] = [median(taken.hidden), median(taken.absent)];
  const ratio = Math.max(hidden, absent) / Math.min(hidden, absent);
  if (!slice && ratio > RATIO && Math.abs(hidden - absent) > 0.5) faults.push(`one takes ${ratio.toFixed(2)} times as long as the other`);
  check("hidden and absent rays take the same time", faults, `medians of ${count}: hidden ${hidden.toFixed(2)} ms, absent ${absent.toFixed(2)} ms`);
}
