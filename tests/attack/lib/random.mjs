// Random choices from a seed: the same seed makes the same attack.
import { generator } from "../../../local/random.mjs";

/** A generator of numbers from 0 to 1, with helpers. */
export function randomOf(seed) {
  const next = generator(seed ^ 0x9e3779b9);
  const below = (count) => Math.floor(next() * count);
  const pick = (list) => list[below(list.length)];
  const chance = (share) => next() < share;
  const text = (length, signs = "abcdefghijklmnopqrstuvwxyz0123456789") =>
    Array.from({ length }, () => signs[below(signs.length)]).join("");
  return { next, below, pick, chance, text };
}
