// What scripts add to the page, which is complete without them.

import { findRays } from "./rays.js";
import { forgetAfterLeaving, keepRay, rayItem, showRecent } from "./recent.js";
import { keepTimes } from "./times.js";
import { waitAndAsk } from "./wait.js";

/** Shows what the box understands while a person types; Enter looks it up. */
const explainBox = () => {
  const form = document.querySelector("form[data-look-up]");
  if (!form) return;
  const [box, place] = [form.querySelector("textarea"), form.querySelector("[data-understood]")];
  let before = "";
  const explain = () => {
    const { rays, hasMore } = findRays(box.value);
    const now = box.value.trim() ? JSON.stringify([rays, hasMore]) : "";
    if (now === before) return;
    before = now;
    if (!now) return place.replaceChildren();
    const words = document.createElement("p");
    const count = rays.length === 1 ? "1 ray" : `${hasMore ? "the first " : ""}${rays.length} rays`;
    words.textContent = rays.length ? `Understood: ${count}.` : "No Ray ID yet: it has 16 hexadecimal digits.";
    const list = document.createElement("ul");
    list.append(...rays.map(rayItem));
    place.replaceChildren(words, list);
  };
  box.addEventListener("input", explain);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  // A browser may have kept the text when a person comes back.
  explain();
};

keepTimes();
forgetAfterLeaving();
keepRay();
showRecent();
explainBox();
waitAndAsk();
