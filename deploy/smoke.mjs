// Asks a deployment whether it is well: `node deploy/smoke.mjs` with RAYDEX_URL and RAYDEX_TOKEN (scope read). A new version
// reaches all places within a minute, so each question is asked until it is answered well, or that time is over.

const PATIENCE_MS = Number(process.env.RAYDEX_PATIENCE_MS ?? 60_000);
const PAUSE_MS = Math.min(2_000, PATIENCE_MS / 10);
const { RAYDEX_URL: url, RAYDEX_TOKEN: token } = process.env;

/** The questions: a path, whether it needs the token, and what a good answer says; a fault is returned as words. */
const QUESTIONS = [
  { path: "/healthz", judge: ({ status }) => (status === 200 ? null : `answers ${status}`) },
  { path: "/v1/stats", judge: ({ status }) => (status === 401 ? null : `answers ${status} without a token`) },
  { path: "/v1/stats", withToken: true, judge: ({ status, body }) => (status === 200 && body.lines ? null : `answers ${status}`) },
  // A ray that no request had: the index is asked, and the audit log.
  { path: "/v1/rays/0000000000000001", withToken: true, judge: ({ status }) => (status === 404 ? null : `answers ${status}`) },
];

async function ask({ path, withToken, judge }) {
  const headers = withToken ? { authorization: `Bearer ${token}` } : {};
  try {
    const reply = await fetch(new URL(path, url), { headers, signal: AbortSignal.timeout(10_000) });
    const text = await reply.text();
    let body = {};
    try {
      body = JSON.parse(text);
    } catch {
      // What is not JSON is judged by its status.
    }
    return judge({ status: reply.status, body });
  } catch (error) {
    return `cannot be reached: ${error.cause?.code ?? error.name}`;
  }
}

async function main() {
  if (!url || !token) throw new Error("set RAYDEX_URL and RAYDEX_TOKEN");
  for (const question of QUESTIONS) {
    const end = Date.now() + PATIENCE_MS;
    let fault = await ask(question);
    while (fault && Date.now() < end) {
      await new Promise((soon) => setTimeout(soon, PAUSE_MS));
      fault = await ask(question);
    }
    if (fault) throw new Error(`${question.path} ${fault}`);
    process.stdout.write(`well: ${question.path}${question.withToken ? " with the token" : ""}\n`);
  }
}

main().catch((error) => {
  process.stderr.write(`smoke test: ${error.message}\n`);
  process.exitCode = 1;
});
