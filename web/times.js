// Times in words: how long ago, and when by the viewer's clock.

/** How long ago an instant was: `12 s ago`, `3 min ago`, `in 2 h`. */
export const age = (ms, now = Date.now()) => {
  const seconds = Math.floor(Math.abs(now - ms) / 1000);
  if (seconds === 0) return "now";
  const [count, unit] =
    seconds < 120 ? [seconds, "s"] : seconds < 7200 ? [seconds / 60, "min"] : seconds < 172_800 ? [seconds / 3600, "h"] : [seconds / 86_400, "days"];
  return ms > now ? `in ${Math.floor(count)} ${unit}` : `${Math.floor(count)} ${unit} ago`;
};

/** An instant in UTC, to the second: `2026-03-28 08:42:25 UTC`. */
export const utc = (ms) => `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** An instant by the viewer's clock. */
const local = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });

/** Keeps relative times right, and says the viewer's time of each instant. */
export const keepTimes = () => {
  for (const element of document.querySelectorAll("time[datetime]")) {
    const ms = Date.parse(element.dateTime);
    if (!Number.isNaN(ms)) element.title = `${local(ms)}, your time`;
  }
  const renew = () => {
    for (const element of document.querySelectorAll("[data-relative]")) {
      const ms = Date.parse(element.dataset.relative);
      if (!Number.isNaN(ms)) element.textContent = age(ms);
    }
  };
  renew();
  setInterval(renew, 10_000);
};
