// The search page: loads more records into the table, as they come, up to 10,000.

import { shown, textOf } from "./values.js";

const AT_ONCE = 100;
const MOST = 10_000;

const link = document.querySelector("[data-search-more]");
const table = document.querySelector(".search-rows");
if (link && table) link.addEventListener("click", (event) => {
  // A table that is full goes on as a page of its own.
  if (event.ctrlKey || event.metaKey || event.shiftKey || shownRecords >= MOST) return;
  event.preventDefault();
  if (link.ariaDisabled === "true") return;
  link.ariaDisabled = "true";
  load()
    .catch((error) => say(`The records could not be loaded: ${error.message}`))
    .finally(() => (link.ariaDisabled = null));
});

let shownRecords = table?.tBodies[0].rows.length ?? 0;
const columns = table?.dataset.columns.split(",") ?? [];
const hasRay = table?.querySelector("tbody th") !== null;

/** Appends the records from where the table ends. */
async function load() {
  const cursor = new URL(link.href).searchParams.get("cursor");
  const query = new URL(link.dataset.searchMore, location.href);
  query.searchParams.set("cursor", cursor);
  query.searchParams.set("fields", columns.join(","));
  query.searchParams.set("timestamps", "rfc3339ms");
  query.searchParams.set("limit", String(MOST - shownRecords));
  const reply = await fetch(query, { headers: { accept: "application/x-ndjson", ...reasonHeader() } });
  if (!reply.ok) throw new Error(`status ${reply.status}`);
  const mark = reply.headers.get("raydex-end");
  // Measured once: to ask for it after each piece would lay out the page each time.
  const widths = [...table.tHead.rows[0].cells].map((head) => head.getBoundingClientRect().width);
  let end;
  let rows = [];
  for await (const line of linesOf(reply.body)) {
    const record = JSON.parse(line);
    if (record.raydex?.end === mark) {
      end = record.raydex;
      continue;
    }
    rows.push(rowOf(record));
    if (rows.length >= AT_ONCE) {
      append(rows, widths);
      rows = [];
      // A frame for the person, between two pieces of work.
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    }
  }
  append(rows, widths);
  const next = new URL(link.href);
  if (end?.cursor) {
    next.searchParams.set("cursor", end.cursor);
    link.href = next.href;
  } else {
    link.closest("p").remove();
  }
  say(`${shownRecords} records${end?.cursor ? ", and there are more" : ""}${end ? "" : "; the answer was cut off before its end"}.`);
}

/** The reason that a person gave for the page, which holds for its records too. */
function reasonHeader() {
  const reason = new URL(location.href).searchParams.get("reason");
  // A header is made of bytes.
  return reason ? { "raydex-reason": String.fromCharCode(...new TextEncoder().encode(reason.trim())) } : {};
}

/** Appends rows as a table of their own, with the widths of the first one: each row of one table would depend on all others. */
function append(rows, widths) {
  if (rows.length === 0) return;
  const piece = document.createElement("div");
  piece.className = "piece";
  const more = document.createElement("table");
  more.className = "rows search-rows";
  more.setAttribute("aria-label", `Records ${shownRecords + 1} to ${shownRecords + rows.length}`);
  const columns = document.createElement("colgroup");
  for (const width of widths) {
    const column = document.createElement("col");
    column.style.width = `${width}px`;
    columns.append(column);
  }
  const body = document.createElement("tbody");
  body.append(...rows);
  more.append(columns, body);
  piece.append(more);
  table.parentElement.append(piece);
  shownRecords += rows.length;
  say(`${shownRecords} records so far …`);
}

function say(words) {
  document.querySelector("[data-search-count]").textContent = words;
}

/** The lines of a stream. */
async function* linesOf(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    yield* lines.filter((line) => line !== "");
    if (done) return;
  }
}

function rowOf(record) {
  const row = document.createElement("tr");
  const status = String(record.EdgeResponseStatus ?? "")[0];
  if (status) row.dataset.status = status;
  columns.forEach((name, nth) => {
    const value = record[name];
    const text = textOf(value);
    const isRay = nth === 1 && hasRay;
    const cell = document.createElement(isRay ? "th" : "td");
    if (isRay) {
      cell.scope = "row";
      const ray = document.createElement("a");
      ray.href = `/r/${encodeURIComponent(text)}`;
      ray.textContent = shown(text);
      cell.append(ray);
    } else {
      if (typeof value === "number" && nth > 0) cell.className = "number";
      cell.textContent = shown(text);
    }
    row.append(cell);
  });
  return row;
}
