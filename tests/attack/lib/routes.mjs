// The table of routes and forms (routes.json), and how a row becomes a request.
import fs from "node:fs";

/** Every row. */
export const ROWS = JSON.parse(fs.readFileSync(new URL("../routes.json", import.meta.url), "utf8"));

/** The rows to which an attack applies; in a slice only the marked ones. */
export function rowsFor(attack, { slice = false } = {}) {
  return ROWS.filter((row) => row.attacks.includes(attack) && (!slice || row.slice));
}

/** A row's name. */
export function nameOf({ method, path, form }) {
  return `${method} ${path} (${form})`;
}

/** The request of a row: {method, path, headers, body}. `values` has what stands in braces. */
export function requestOf(row, values) {
  const filled = (text, escape) =>
    text.replace(/\{([A-Za-z0-9]+)\}/g, (_, name) => {
      if (!(name in values)) throw new Error(`${nameOf(row)}: there is no value of {${name}}`);
      return escape(values[name]);
    });
  const body = row.body && filled(row.body, String);
  const type = row.type ?? (row.method === "POST" ? "application/json" : undefined);
  return {
    method: row.method,
    path: filled(row.request, (value) => encodeURIComponent(value).replace(/%2C/g, ",").replace(/%3A/g, ":")),
    headers: type ? { "content-type": type } : {},
    body,
  };
}
