// The recent look-ups, which this browser alone keeps.

import { rayTime } from "./rays.js";
import { age, utc } from "./times.js";

const KEY = "raydex-recent";
const MOST = 12;

/** The rays that were looked up, the latest first. What is stored may be anything. */
const read = () => {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((ray) => typeof ray === "string" && ray.length <= 128).slice(0, MOST) : [];
  } catch {
    return [];
  }
};

/** Stores the rays; a browser that keeps nothing has no recent look-ups. */
const write = (rays) => {
  try {
    if (rays.length) localStorage.setItem(KEY, JSON.stringify(rays));
    else localStorage.removeItem(KEY);
  } catch {
    // The list is a convenience.
  }
};

/** Forgets the rays once no one is signed in here: the next person at this desk may be another. */
export const forgetAfterLeaving = () => {
  const isForm = document.querySelector('form[action="/sign-in"]') !== null;
  // After a link of another site, the page asks once more as itself, and the person may be signed in.
  const asksAgain = document.querySelector('meta[http-equiv="refresh"]') !== null;
  if (isForm && !asksAgain) write([]);
  document.querySelector("a.out")?.addEventListener("click", () => write([]));
};

/** Keeps the ray that the page shows. */
export const keepRay = () => {
  const ray = document.querySelector("[data-ray]")?.dataset.ray;
  if (ray) write([ray, ...read().filter((other) => other !== ray)].slice(0, MOST));
};

/** A link to a ray, with its time. */
export const rayItem = (ray) => {
  const [item, link, code] = ["li", "a", "code"].map((name) => document.createElement(name));
  code.textContent = ray;
  link.href = `/r/${encodeURIComponent(ray)}`;
  link.append(code);
  item.append(link);
  const ms = rayTime(ray);
  const time = document.createElement("span");
  time.className = "muted";
  time.textContent = ms === undefined ? "not a Ray ID of Cloudflare's form" : `${utc(ms)} · ${age(ms)}`;
  item.append(time);
  return item;
};

/** Shows the list where the page has a place for it. */
export const showRecent = () => {
  const section = document.querySelector("[data-recent]");
  const rays = section ? read() : [];
  if (!rays.length) return;
  section.querySelector("ul").replaceChildren(...rays.map(rayItem));
  section.hidden = false;
  section.querySelector("[data-forget]").addEventListener("click", () => {
    write([]);
    section.hidden = true;
    document.querySelector("#text")?.focus();
  });
};
