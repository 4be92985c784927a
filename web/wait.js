// Waits as long as the answer says, and asks again.

/** Counts down, and loads the page again; while the page is hidden, it waits. */
export const waitAndAsk = () => {
  const place = document.querySelector("[data-retry-after]");
  const words = place?.querySelector("[data-countdown]");
  let left = Number(place?.dataset.retryAfter);
  if (!words || !(left > 0)) return;
  words.setAttribute("aria-hidden", "true");
  const stop = document.createElement("button");
  stop.type = "button";
  stop.className = "plain";
  stop.textContent = "Stop asking";
  place.append(" ", stop);
  const say = () => {
    words.textContent = `Asks again by itself in ${left} s.`;
  };
  say();
  const timer = setInterval(() => {
    if (document.hidden) return;
    left -= 1;
    if (left > 0) return say();
    clearInterval(timer);
    location.reload();
  }, 1000);
  stop.addEventListener("click", () => {
    clearInterval(timer);
    words.textContent = "";
    stop.remove();
  });
};
