// What a deployment finds when it checks itself, asked by an administrator.

import { STATES } from "./states.mjs";

const TIMEOUT_MS = 30_000;

/** The findings of the deployment at an address. */
export async function ownFindings(url, token) {
  const about = (state, detail) => [{ state, title: "The deployment's own check", detail }];
  if (!url) return about(STATES.unknown, "RAYDEX_URL is not set: it was not asked");
  if (!token) return about(STATES.unknown, "RAYDEX_TOKEN is not set: it was not asked");
  let reply;
  try {
    const headers = { authorization: `Bearer ${token}` };
    reply = await fetch(new URL("/healthz?deep=1", url), { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    return about(STATES.failing, `it cannot be reached: ${error.cause?.code ?? error.cause?.message ?? error.name}`);
  }
  const body = await reply.json().catch(() => ({}));
  if (Array.isArray(body.faults)) return body.faults.map((fault) => ({ state: STATES.failing, title: "Settings", detail: fault }));
  if (!Array.isArray(body.checks)) return about(STATES.failing, `it answers ${reply.status}${body.code ? ` ${body.code}` : ""}: the token needs the scope admin`);
  const titleOf = ({ name, dataset }) => `${name.replaceAll("_", " ")}${dataset ? ` of ${dataset}` : ""}`;
  return body.checks.map((check) => ({ state: check.status, title: titleOf(check), detail: check.detail }));
}
