// The search page: loads more records into the table, as they come, up to 10,000.
const AT_ONCE = 200;
const MOST = 10_000;

const link = document.querySelector("[data-search-more]");
const table = document.querySelector(".search-rows");
if (link && table) link.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  load().catch((error) => say(`The records could not be loaded: ${error.message}`));
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
  const room = MOST - shownRecords;
  query.searchParams.set("limit", String(Math.max(1, room)));
  link.setAttribute("aria-disabled", "true");
  const reply = await fetch(query, { headers: { accept: "application/x-ndjson" } });
  if (!reply.ok) throw new Error(`status ${reply.status}`);
  const mark = reply.headers.get("raydex-end");
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
      append(rows);
      rows = [];
      // A frame for the person, between two pieces of work.
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    }
  }
  append(rows);
  link.removeAttribute("aria-disabled");
  const next = new URL(link.href);
  if (end?.cursor) {
    next.searchParams.set("cursor", end.cursor);
    link.href = next.href;
  } else {
    link.closest("p").remove();
  }
  say(`${shownRecords} records${end?.cursor ? ", and there are more" : ""}${end ? "" : "; the answer was cut off before its end"}.`);
}

/** Appends rows as a table of their own, with the widths of the first one: each row of one table would depend on all others. */
function append(rows) {
  if (rows.length === 0) return;
  const piece = document.createElement("div");
  piece.className = "piece";
  const more = document.createElement("table");
  more.className = "rows search-rows";
  more.setAttribute("aria-label", `Records ${shownRecords + 1} to ${shownRecords + rows.length}`);
  const widths = document.createElement("colgroup");
  for (const head of table.tHead.rows[0].cells) {
    const width = document.createElement("col");
    width.style.width = `${head.getBoundingClientRect().width}px`;
    widths.append(width);
  }
  const body = document.createElement("tbody");
  body.append(...rows);
  more.append(widths, body);
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
    const text = value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    const isRay = nth === 1 && hasRay;
    const cell = document.createElement(isRay ? "th" : "td");
    if (isRay) {
      cell.scope = "row";
      const ray = document.createElement("a");
      ray.href = `/r/${encodeURIComponent(text)}`;
      ray.textContent = text;
      cell.append(ray);
    } else {
      if (typeof value === "number" && nth > 0) cell.className = "number";
      cell.textContent = nth === 0 ? instant(value) : shown(text);
    }
    row.append(cell);
  });
  return row;
}

/** Text whose characters can be seen, as the server writes it. */
function shown(text) {
  const cut = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return cut.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g, (found) =>
    `⟨U+${found.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

function instant(value) {
  const number = Number(value);
  const ms = Number.isFinite(number) && value !== "" ? number / 10 ** Math.max(0, Math.floor(Math.log10(Math.abs(number) || 1)) - 12) : Date.parse(value);
  const scaled = Number.isFinite(number) && number < 1e11 ? number * 1000 : ms;
  const date = new Date(scaled);
  return Number.isNaN(date.getTime()) ? String(value ?? "") : date.toISOString();
}
