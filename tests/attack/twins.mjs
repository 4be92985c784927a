// Twin worlds, with and without another zone: random questions of callers who may see one zone, compared byte for byte but for
// request times and random tokens. Where an answer has a cursor, what it continues with is compared as well.
import { ask, inTurns } from "./lib/http.mjs";
import { questionsOf, unasked } from "./lib/questions.mjs";
import { difference, startTwins } from "./lib/twins.mjs";

export const name = "twins";
export const about = "zone-limited callers in two worlds, with and without another zone: equal in every byte";

/** Answers that are followed by their cursors, at most. */
const PAGES = 4;

const probe = async (url) => [difference(await ask(`${url}/one`), await ask(`${url}/other`))].filter(Boolean);
const answers = (one, other) => (request) => (request.url === "/one" ? one : other);
const cost = (count, ms) => ({ headers: { "raydex-cost": `shards_asked=${count}, elapsed_ms=${ms}` }, body: "{}" });

export const fakes = [
  { bad: "a figure that differs", answer: answers({ body: '{"records_scanned":10}' }, { body: '{"records_scanned":20}' }), good: answers({ body: '{"elapsed_ms":10}' }, { body: '{"elapsed_ms":20}' }), probe },
  { bad: "a header that differs", answer: answers(cost(1, 5), cost(2, 5)), good: answers(cost(1, 5), cost(1, 7)), probe },
  { bad: "a status that differs", answer: answers({ status: 404, body: "{}" }, { status: 403, body: "{}" }), probe },
  { bad: "a cursor of another length", answer: answers({ body: '{"cursor":"abc"}' }, { body: '{"cursor":"abcd"}' }), good: answers({ body: '{"cursor":"abc"}' }, { body: '{"cursor":"xyz"}' }), probe },
  { bad: "lines in another order", answer: answers({ body: "a\nb\n" }, { body: "b\na\n" }), probe },
];

export async function attack(context) {
  const { full, slice, check, random, tell } = context;
  check("every row that twins apply to is asked", unasked());
  const count = slice ? 300 : full ? 10_000 : 2_000;
  const twins = await startTwins(context);
  try {
    const question = questionsOf(random, twins.pools);
    const differing = new Map();
    const asked = new Map();
    let done = 0;
    await inTurns(Array.from({ length: count }, question), 4, async (one) => {
      asked.set(one.kind, (asked.get(one.kind) ?? 0) + 1);
      const found = await compare(twins, one);
      if (found) differing.set(one.kind, [...(differing.get(one.kind) ?? []), `${found} (${one.caller} ${one.method} ${decodeURIComponent(one.path)} ${one.body ?? ""})`]);
      done += 1;
      if (done % 1_000 === 0) tell(`${done} questions`);
    });
    for (const [kind, times] of [...asked].sort()) check(`${kind} is the same in both`, differing.get(kind) ?? [], `${(differing.get(kind) ?? []).length} of ${times} differ`);
    const different = [...differing.values()].flat().length;
    tell(`${different} of ${count} questions were answered differently`);
    for (const world of [twins.lone, twins.both]) {
      const traps = await world.traps();
      if (traps > 0) check("the module never trapped", [`${traps} traps`]);
    }
  } finally {
    await twins.stop();
  }
}

/** Where the answers of the twins to a question differ, and those that their cursors continue with. */
async function compare({ lone, both }, { caller, method, path, body }) {
  const headers = body ? { "content-type": "application/json" } : {};
  let paths = [path, path];
  for (let page = 0; page < PAGES; page += 1) {
    const [one, other] = await Promise.all([lone, both].map((world, at) => world.ask(caller, paths[at], { method, body, headers })));
    const found = difference(one, other);
    if (found) return page > 0 ? `page ${page + 1}: ${found}` : found;
    const cursors = [one, other].map(({ text }) => /"cursor":"([^"]+)"/.exec(text)?.[1]);
    if (cursors.some((cursor) => !cursor)) return "";
    paths = cursors.map((cursor) => `${path.replace(/&cursor=[^&]*/, "")}&cursor=${encodeURIComponent(cursor)}`);
  }
  return "";
}
