// The cron triggers of wrangler.toml, fired here as the platform fires them: the embedded runtime fires none.
//
// What always holds: a cron fires once in each minute that it names; one that fails says so in the Worker's log and
// stops nothing; no timer keeps this process alive.
import path from "node:path";

const MINUTE = 60_000;

/** The crons of wrangler.toml in the folder `root`. */
export async function cronsOf(root) {
  const { unstable_readConfig: read } = await import("wrangler");
  return read({ config: path.join(root, "wrangler.toml") }).triggers.crons ?? [];
}

/** Whether a cron names this minute of the hour. Only its minutes are read; what else it says must be `*`. */
export function isDue(cron, minute) {
  const [minutes, ...rest] = cron.split(" ");
  if (rest.length !== 4 || rest.some((field) => field !== "*")) throw new Error(`unsupported cron expression: ${cron}`);
  if (minutes === "*") return true;
  const every = /^\*\/([1-9][0-9]?)$/.exec(minutes);
  if (!every) throw new Error(`unsupported cron expression: ${cron}`);
  return minute % Number(every[1]) === 0;
}

/** Fires each of `crons` in the minutes that it names, from the next minute on. */
export function fireCrons(crons, fire, now = Date.now()) {
  const next = MINUTE - (now % MINUTE);
  const tick = () => {
    const minute = new Date().getUTCMinutes();
    for (const cron of crons.filter((cron) => isDue(cron, minute))) fire(cron).catch(() => {});
  };
  setTimeout(() => (tick(), setInterval(tick, MINUTE).unref()), next).unref();
}
