// Starvation by work: ten scans that match nothing, as one viewer, for whom every record has to be masked. Others are answered.
import { ask, openAnswer, sleep } from "./lib/http.mjs";
import { SCANS } from "./lib/names.mjs";
import { keyOf, rayAt, request } from "./lib/records.mjs";
import { lateFault } from "./stalled.mjs";
import { startWorld } from "./lib/world.mjs";

export const name = "starvation";
export const about = "ten scans that match nothing as a viewer: health and others are answered within 2 s";

const AT_ONCE = 10;
/** How long others ask beside the scans, in milliseconds. */
const BESIDE_MS = { slice: 5_000, whole: 15_000, full: 40_000 };

/** What is wrong with the scans themselves: more than the caller's share had begun at once, or one failed without a word. */
export function scanFaults(answers, atOnce) {
  const failed = answers.filter(({ status }) => status !== 0 && status !== 200 && status !== 503 && status !== 429).map(({ status, text }) => `a scan: ${status} ${text.slice(0, 80)}`);
  const silent = answers.filter(({ status, headers }) => status === 503 && !headers["retry-after"]).map(() => "a 503 without Retry-After");
  return atOnce > SCANS ? [`${atOnce} scans of one caller ran at once`, ...failed, ...silent] : [...failed, ...silent];
}

const probe = async (url) => {
  const answers = await Promise.all(Array.from({ length: 4 }, () => ask(url)));
  return scanFaults(answers, answers.filter(({ status }) => status === 200).length);
};
let served = 0;
const busy = { status: 503, headers: { "retry-after": "1" }, body: "{}" };

export const fakes = [
  { bad: "four scans of one caller", answer: () => ({ body: "" }), good: () => ((served += 1) <= SCANS ? { body: "" } : busy), probe },
  { bad: "a refusal that does not say when to ask again", answer: () => ({ ...busy, headers: {} }), probe },
];

export async function attack({ build, size, check, random, tell }) {
  const world = await startWorld({ build });
  try {
    const ms = Date.now() - 3_600_000;
    const batches = { slice: 8, whole: 30, full: 100 }[size];
    await filled(world, ms, batches, random);
    tell(`${batches * 2} MB are indexed; ${AT_ONCE} scans begin`);
    const filter = encodeURIComponent(JSON.stringify({ where: { key: "ClientRequestUserAgent", operator: "contains", value: "nothing-has-this" } }));
    const range = `start=${new Date(ms - 1_000).toISOString()}&end=${new Date(ms + 100_000).toISOString()}`;
    const scans = Array.from({ length: AT_ONCE }, () => openAnswer(`${world.url}/v1/logs?${range}&filter=${filter}`, { headers: world.headers("viewer"), timeoutMs: 600_000 }));
    const state = scans.map(() => ({ begun: Infinity, done: Infinity }));
    scans.forEach((scan, at) => {
      scan.head.then(({ status }) => (state[at].begun = status === 200 ? Date.now() : Infinity));
      scan.done.then(() => (state[at].done = Date.now()));
    });
    const [faults, times] = await beside(world, ms, size, state);
    check("others are answered beside ten scans", faults, `${times.length} answers, the slowest after ${Math.round(Math.max(...times))} ms`);
    for (const scan of scans) scan.destroy();
    await lists(world, ms, size, check, random);
    const answers = await Promise.all(scans.map(({ done }) => done));
    const most = mostAtOnce(state);
    check("a caller has its share of scans", scanFaults(answers, most), `${most} ran at once, ${answers.filter(({ status }) => status === 503).length} were refused`);
    await sleep(1_000);
    const traps = await world.traps();
    check("the module never trapped", traps > 0 ? [`${traps} traps`] : []);
  } finally {
    await world.stop();
  }
}

/** Lists of 100 rays with twenty records of 8 KB each, as one viewer: looking them up is long work too. */
async function lists(world, ms, size, check, random) {
  const at = ms + 10_000;
  const filler = () => `https://www.a.example/${random.text(12)}${"/lorem-ipsum?a=1&dolor=sit".repeat(300)}`;
  for (let batch = 0; batch < 4; batch += 1) {
    const lines = Array.from({ length: 500 }, (_, line) => request({ ms: at, low: 0x90000 + (line % 100), ClientRequestReferer: filler() }));
    await world.index([{ key: keyOf("http_requests", at, 0x900 + batch), lines }]);
  }
  const body = JSON.stringify({ rays: Array.from({ length: 100 }, (_, ray) => rayAt(at, 0x90000 + ray)) });
  const ask = { method: "POST", body, headers: { "content-type": "application/json" }, keep: 1_000, timeoutMs: 600_000 };
  const asked = Array.from({ length: 3 }, () => world.ask("viewer", "/v1/rays", ask));
  const state = asked.map(() => ({ done: Infinity }));
  asked.forEach((list, place) => list.then(() => (state[place].done = Date.now())));
  const [faults, times] = await beside(world, ms, size, state);
  check("others are answered beside three lists of rays", faults, `${times.length} answers, the slowest after ${Math.round(Math.max(...times))} ms`);
  const answers = await Promise.all(asked);
  const wrong = answers.filter(({ status }) => status !== 200 && status !== 503).map(({ status, text }) => `a list: ${status} ${text.slice(0, 80)}`);
  check("lists of rays are answered or refused", wrong, answers.map(({ status }) => status).join(", "));
}

/** Records of 2 MB a batch, whose user agents take work to mask. */
async function filled(world, ms, batches, random) {
  const agents = Array.from({ length: 40 }, () => `Mozilla/5.0 (X11; Linux x86_64; ${random.text(9)}) AppleWebKit/537.36 ${random.text(12)}/7.1.${random.below(99)} `.repeat(8));
  for (let batch = 0; batch < batches; batch += 1) {
    const lines = Array.from({ length: 1_000 }, (_, at) => request({ ms: ms + at, low: batch * 0x1000 + at, ClientRequestUserAgent: random.pick(agents), ClientRequestReferer: `https://www.a.example/${random.text(60)}?q=${random.text(40)}` }));
    await world.index([{ key: keyOf("http_requests", ms, batch), lines }]);
  }
}

/** How many scans ran at once, at most, by when the client saw them begin and end. */
export function mostAtOnce(state) {
  return Math.max(0, ...state.map(({ begun }) => (begun === Infinity ? 0 : state.filter((other) => other.begun <= begun && begun < other.done).length)));
}

/** Asks as others for a while; what was late, and how long each took. */
async function beside(world, ms, size, state) {
  const [faults, times] = [[], []];
  await sleep(300);
  for (const end = Date.now() + BESIDE_MS[size]; Date.now() < end; ) {
    const options = { timeoutMs: 30_000 };
    const answers = [["GET /healthz", await world.ask(null, "/healthz", options)], ["a lookup", await world.ask("other", `/v1/rays/${rayAt(ms + 3, 3)}`, options)]];
    for (const [what, answer] of answers) {
      times.push(answer.ms);
      const fault = lateFault(what, answer, size === "slice");
      if (fault) faults.push(fault);
    }
    if (state.every(({ done }) => done < Infinity)) break;
    await sleep(100);
  }
  return [faults, times];
}
