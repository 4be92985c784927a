// Fires the cron triggers of wrangler.toml at the times at which the platform would: the embedded runtime does not.
//
// A cron fires once in each minute that it names. A failed run is reported in the Worker's log and does not affect later
// runs. No timer keeps this process alive.
import path from "node:path";

const MINUTE = 60_000;

/** The cron expressions of wrangler.toml in the folder `root`. */
export async function cronsOf(root) {
  const { unstable_readConfig: read } = await import("wrangler");
  return read({ config: path.join(root, "wrangler.toml") }).triggers.crons ?? [];
}

/** Whether a cron expression names this minute of the hour. Supports `*` and steps of minutes; other fields must be `*`. */
export function isDue(cron, minute) {
  const [minutes, ...rest] = cron.split(" ");
  if (rest.length !== 4 || rest.some((field) => field !== "*")) throw new Error(`unsupported cron expression: ${cron}`);
  if (minutes === "*") return true;
  const every = /^\*\/([1-9][0-9]?)$/.exec(minutes);
  if (!every) throw new Error(`unsupported cron expression: ${cron}`);
  return minute % Number(every[1]) === 0;
}

/** Calls `fire` with each of `crons` in the minutes that it names, from the next minute on. */
export function fireCrons(crons, fire, now = Date.now()) {
  const next = MINUTE - (now % MINUTE);
  const tick = () => {
    const minute = new Date().getUTCMinutes();
    for (const cron of crons.filter((cron) => isDue(cron, minute))) fire(cron).catch(() => {});
  };
  setTimeout(() => (tick(), setInterval(tick, MINUTE).unref()), next).unref();
}
