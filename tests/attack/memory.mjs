// Out of memory: every route in every form, a hundred and twenty-eight times at once, with the worst records that the limits allow.
//
// An answer may be refused (413, or 503 with Retry-After); the module may not trap, since that takes down what everyone else
// is reading.
import { heavyWorld } from "./lib/heavy.mjs";
import { ask, atOnce, jsonOf } from "./lib/http.mjs";
import { nameOf, requestOf, rowsFor } from "./lib/routes.mjs";

export const name = "memory";
export const about = "every route × every form at 128 requests at once, with the worst records";

const AT_ONCE = 128;
/** Bytes of a body that are kept: enough for a problem. */
const KEEP = 4_096;
const DOMAINS = { viewer: "viewers.example", operator: "operators.example", ingest: "ingest.example" };

/** What is wrong with an answer under load: anything but a success, a refusal that says what to do, or a broken stream. */
export function faultOf(answer) {
  const { status, headers, broken } = answer;
  if (status === 0) return `no answer: ${broken}`;
  if (status < 500) return null;
  const problem = jsonOf(answer);
  const said = problem?.code ?? problem?.errors ?? /code <code>(\w+)<\/code>/.exec(answer.text)?.[1];
  if (!said) return `${status} that is no problem: ${answer.text.slice(0, 80)}`;
  if (status !== 503) return `${status} ${JSON.stringify(said)}`;
  return headers["retry-after"] ? null : "503 without Retry-After";
}

/** How often each status came, and how many answers broke. */
function tally(answers) {
  const counts = {};
  for (const { status, broken } of answers) {
    const key = status === 0 ? "none" : broken ? `${status} broken` : String(status);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return Object.entries(counts).map(([key, count]) => `${count} × ${key}`).join(", ");
}

const probe = async (url) => {
  const answer = await ask(url);
  return [faultOf(answer)].filter(Boolean);
};

const problem = { status: 503, headers: { "content-type": "application/problem+json", "retry-after": "1" }, body: '{"code":"busy"}' };

export const fakes = [
  { bad: "a 500 of the platform", answer: () => ({ status: 500, body: "Internal Server Error" }), good: () => problem, probe },
  { bad: "a 503 without Retry-After", answer: () => ({ ...problem, headers: {} }), probe },
  { bad: "a connection that ends without an answer", answer: (request) => void request.socket.destroy(), probe },
  { bad: "a 500 that is a problem", answer: () => ({ ...problem, status: 500 }), probe },
];

export async function attack({ build, size, slice, full, row: only, random, check, tell }) {
  const { world, values } = await heavyWorld({ build, size, random, tell });
  try {
    const counts = slice ? [1] : full ? [1, 8, 128] : [1, 128];
    const rows = rowsFor("memory", { slice }).filter((row) => nameOf(row).includes(only));
    for (const row of rows) for (const callers of counts) await burst(world, row, values, callers, check);
    const traps = await world.traps();
    check("the module never trapped", traps > 0 ? [`${traps} traps`] : [], `wasm memory: ${(await world.wasmMiB()).toFixed(1)} MiB of 96 at most`);
  } finally {
    await world.stop();
  }
}

/** A row asked for at once by that number of callers. */
async function burst(world, row, values, callers, check) {
  const from = world.log.length;
  const { method, path, headers, body } = requestOf(row, values);
  const caller = (number) => (row.caller === "none" ? null : callers === 1 ? row.caller : `c${number % callers}@${DOMAINS[row.caller]}`);
  const origin = method === "POST" ? { origin: world.url, "sec-fetch-site": "same-origin" } : {};
  const answers = await atOnce(AT_ONCE, (number) =>
    world.ask(caller(number), path, { method, body, headers: { ...headers, ...origin }, keep: KEEP, resends: 20 }),
  );
  const faults = [...new Set(answers.map(faultOf).filter(Boolean))];
  const traps = await world.traps(from);
  if (traps > 0) faults.unshift(`the module trapped ${traps} times`);
  // A row that is `refused` asks for what the caller may not have.
  if (!row.refused && answers.every(({ status }) => status >= 400 && status !== 404 && status !== 409 && status !== 413 && status !== 503)) faults.push(`every request was refused: ${answers[0].text.slice(0, 200)}`);
  const mib = answers.reduce((sum, { bytes }) => sum + bytes, 0) / 2 ** 20;
  const slowest = Math.max(...answers.map(({ ms }) => ms)) / 1000;
  const memory = `${(await world.wasmMiB(from)).toFixed(0)} MiB of wasm`;
  check(`${nameOf(row)}, ${callers} callers`, faults, `${tally(answers)}; ${mib.toFixed(0)} MiB in ${slowest.toFixed(1)} s; ${memory}`);
}
