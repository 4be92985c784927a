// How well a part of a deployment is, in the words of `GET /healthz?deep=1`.

export const STATES = { ok: "ok", unknown: "unknown", warning: "warning", failing: "failing" };
