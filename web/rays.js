// The rays in whatever a person pastes, by the rules of src/page/find_rays.rs: tests/fixtures/page/rays.json holds for both.

/** How many rays one page shows. */
export const MOST = 20;

/** Unix milliseconds of the first tick of a ray's clock, which counts 10 ms. */
const EPOCH_MS = 1_350_000_000_000;

/** Finds the rays of a text: runs of 16 hexadecimal digits that stand alone. */
export const findRays = (text) => {
  const rays = [];
  let hasMore = false;
  for (const [run] of text.matchAll(/%?[0-9A-Za-z]+/g)) {
    // In a URL, the two digits of an escaped character may come before it.
    const digits = run.replace(/^%(?:[0-9A-Fa-f]{2}(?=[0-9A-Fa-f]{16}$))?/, "").toLowerCase();
    if (!/^[0-9a-f]{16}$/.test(digits) || rays.includes(digits)) continue;
    if (rays.length === MOST) {
      hasMore = true;
      break;
    }
    rays.push(digits);
  }
  return { rays, hasMore };
};

/** The Unix milliseconds that a ray encodes; undefined for an id of another form. */
export const rayTime = (ray) =>
  /^[0-9a-f]{16}$/.test(ray) ? EPOCH_MS + Number.parseInt(ray.slice(0, 9), 16) * 10 : undefined;
