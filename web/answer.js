// The answer to a look-up: copying, the viewer's time, finding, filtering, zooming, collapsing. All of it is on the page without
// this file; what is chosen here is kept in the part of the address after the #, so that a link shows the same.
import { duration } from "./figures.js";

const answer = document.querySelector(".answer");
const all = (selector, from = answer) => [...from.querySelectorAll(selector)];
const get = (id) => document.getElementById(id);

function start() {
  showLocalTime();
  makeCopies();
  makeDownloads();
  makeFieldSearch();
  const tree = answer.querySelector(".wf-tree");
  if (tree) makeWaterfall(tree);
}

function showLocalTime() {
  const time = answer.querySelector(".a-when time");
  if (!time) return;
  const place = answer.querySelector(".a-local");
  const options = { dateStyle: "medium", timeStyle: "long" };
  place.textContent = `· here ${new Intl.DateTimeFormat(undefined, options).format(new Date(time.dateTime))} ·`;
  place.hidden = false;
}

/** Shows the buttons that copy, and makes every value one that a click copies, or Enter. */
function makeCopies() {
  for (const button of all(".a-copy")) button.hidden = false;
  answer.addEventListener("click", (event) => {
    const button = event.target.closest(".a-copy");
    if (button) return copyOf(button);
    const value = event.target.closest(VALUES);
    if (value && getSelection().isCollapsed && !event.target.closest("a")) copy(valueOf(value), value);
  });
  makeValueKeys();
}

/** What a click or Enter copies. */
const VALUES = ".g td, .beside td, .cells td:nth-child(3)";

/** One value is in the order of Tab: arrow keys go on from there, Home and End to the first and the last, Enter copies. */
function makeValueKeys() {
  const values = all(VALUES);
  for (const value of values) {
    value.title = "Copy by a click or Enter";
    value.tabIndex = -1;
  }
  if (values[0]) values[0].tabIndex = 0;
  answer.addEventListener("focusin", (event) => {
    if (!values.includes(event.target)) return;
    for (const value of values) value.tabIndex = value === event.target ? 0 : -1;
  });
  answer.addEventListener("keydown", (event) => {
    if (!values.includes(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    const seen = values.filter((value) => value.checkVisibility());
    const at = seen.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: seen.length - 1 }[event.key];
    if (event.key !== "Enter" && to === undefined) return;
    event.preventDefault();
    if (event.key === "Enter") copy(valueOf(event.target), event.target);
    else seen[to]?.focus();
  });
}

async function copyOf(button) {
  const { copyLink, copyFrom, copyFromApi } = button.dataset;
  if (copyLink !== undefined) return copy(linkOf(), button);
  if (copyFromApi) return copyAnswer(copyFromApi, button);
  const from = copyFrom && get(copyFrom);
  return copy(from ? (from.value ?? from.textContent) : button.dataset.copy, button);
}

/** The address of the page, without the reason of the person who opened it. */
function linkOf() {
  const url = new URL(location.href);
  url.searchParams.delete("reason");
  return url.href;
}

/** Why the person asks, as the page was opened with it. */
const reason = new URLSearchParams(location.search).get("reason");

/** Asks the API, with the reason of the page in the header that it takes, which has no other characters than ASCII. */
async function askApi(path) {
  const headers = reason ? { "raydex-reason": reason.replace(/[^\x20-\x7e]/g, "?") } : {};
  const reply = await fetch(path, { headers }).catch(() => undefined);
  if (reply?.ok) return reply;
  say("The API gave no answer: nothing was copied or stored.");
  return undefined;
}

/** Copies what the API answers: a text may have characters that a page cannot show. */
async function copyAnswer(path, button) {
  const reply = await askApi(path);
  // Without the line feed, which would submit it where it is pasted.
  if (reply) copy((await reply.text()).trimEnd(), button);
}

/** Where the page was opened with a reason, stores the API's answers with it: a link alone cannot give one. */
function makeDownloads() {
  if (!reason) return;
  answer.addEventListener("click", async (event) => {
    const link = event.target.closest("a[download]");
    if (!link?.pathname.startsWith("/v1/")) return;
    event.preventDefault();
    const reply = await askApi(link.href);
    if (!reply) return;
    const stored = document.createElement("a");
    stored.href = URL.createObjectURL(await reply.blob());
    stored.download = link.download;
    stored.click();
    URL.revokeObjectURL(stored.href);
  });
}

/** The value of a cell without what explains it. */
const valueOf = (cell) =>
  ([...cell.childNodes].find((node) => node.nodeType === Node.TEXT_NODE)?.textContent ?? "").trim();

async function copy(text, from) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return say("Not copied: the browser does not allow it.");
  }
  say("Copied.");
  from.classList.add("copied");
  setTimeout(() => from.classList.remove("copied"), 800);
}

/** Says to those who do not see it what was done. */
function say(words) {
  get("a-said").textContent = words;
}

function makeFieldSearch() {
  const box = get("a-field");
  if (!box) return;
  answer.querySelector(".a-find").hidden = false;
  box.addEventListener("input", () => {
    const words = box.value.trim().toLowerCase();
    let found = 0;
    for (const table of all(".groups .g")) {
      let here = 0;
      for (const row of table.rows) {
        row.hidden = words !== "" && !row.textContent.toLowerCase().includes(words);
        here += row.hidden ? 0 : 1;
      }
      table.hidden = here === 0;
      if (words && here) table.closest(".rec").open = true;
      found += here;
    }
    get("a-field-count").textContent = words ? ` ${found} found` : "";
  });
}

function makeWaterfall(tree) {
  const rows = all(".w", tree);
  const texts = rows.map((row) => `${row.dataset.ray} ${row.textContent}`.toLowerCase());
  const items = rows.map((row) => row.parentElement);
  const above = new Map(items.map((item) => [item, item.parentElement.closest("li")]));
  const gone = new Set();
  const bars = all(".bars", tree);
  const groups = all("details", tree);
  const total = Number(answer.dataset.total);
  const axis = get("wf-axis");
  const ticks = all("span", axis);
  const state = readState();
  let hits = [];
  let at = -1;
  answer.querySelector(".wf-tools").hidden = false;

  function readState() {
    const [row, ...rest] = location.hash.slice(1).split("&");
    const values = new URLSearchParams((row.includes("=") ? [row, ...rest] : rest).join("&"));
    const zoom = /^([\d.]+)-([\d.]+)$/.exec(values.get("zoom") ?? "");
    const [from, to] = zoom ? [Number(zoom[1]), Number(zoom[2])] : [0, 100];
    const ok = from < to && to <= 100;
    return {
      row: row.startsWith("r-") ? decodeURIComponent(row.slice(2)) : "",
      from: ok ? from : 0,
      to: ok ? to : 100,
      filter: values.get("filter") ?? "",
      find: values.get("find") ?? "",
    };
  }

  function writeState() {
    const values = new URLSearchParams();
    if (state.from > 0 || state.to < 100) values.set("zoom", `${round(state.from)}-${round(state.to)}`);
    for (const name of ["filter", "find"]) if (state[name]) values.set(name, state[name]);
    const row = state.row ? `r-${encodeURIComponent(state.row)}` : "";
    const hash = [row, values.toString()].filter(Boolean).join("&");
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  // Zoom: from and to in percent of the whole time.
  function zoom(from, to) {
    const width = Math.min(100, Math.max(0.01, to - from));
    state.from = Math.min(100 - width, Math.max(0, from));
    state.to = state.from + width;
    const box = `${state.from * 100} 0 ${width * 100} 20`;
    for (const bar of bars) bar.setAttribute("viewBox", box);
    ticks.forEach((tick, index) => (tick.textContent = duration(((state.from + (width * index) / 4) / 100) * total)));
    get("wf-reset").disabled = width >= 100;
    writeState();
  }

  function makeDrag() {
    let start = null;
    const place = (event) => {
      const box = axis.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    const onAxis = (event) => event.target.closest(".bars, .wf-axis");
    answer.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && onAxis(event)) start = place(event);
    });
    addEventListener("pointerup", (event) => {
      if (start === null) return;
      const [a, b] = [start, place(event)].sort((x, y) => x - y);
      start = null;
      const width = state.to - state.from;
      if (b - a > 0.01) zoom(state.from + a * width, state.from + b * width);
    });
  }
  axis.tabIndex = 0;
  axis.setAttribute("aria-label", "Time line: + and - zoom, arrow keys move, 0 shows the whole time");
  axis.addEventListener("keydown", (event) => {
    const width = state.to - state.from;
    const middle = (state.from + state.to) / 2;
    const to = {
      "+": () => zoom(middle - width / 4, middle + width / 4),
      "=": () => zoom(middle - width / 4, middle + width / 4),
      "-": () => zoom(middle - width, middle + width),
      ArrowLeft: () => zoom(state.from - width / 4, state.to - width / 4),
      ArrowRight: () => zoom(state.from + width / 4, state.to + width / 4),
      0: () => zoom(0, 100),
    }[event.key];
    if (!to) return;
    event.preventDefault();
    to();
  });
  get("wf-reset").addEventListener("click", () => zoom(0, 100));

  // A filter keeps the rows that have its words, and those above them.
  function filter() {
    const sought = state.filter.trim().toLowerCase();
    const kept = new Set();
    items.forEach((first, index) => {
      if (!texts[index].includes(sought)) return;
      for (let item = first; item && !kept.has(item); item = above.get(item)) kept.add(item);
    });
    for (const item of items) {
      const hides = !kept.has(item);
      if (hides === gone.has(item)) continue;
      item.classList.toggle("gone", hides);
      if (hides) gone.add(item);
      else gone.delete(item);
    }
    find();
  }

  function find() {
    const sought = state.find.trim().toLowerCase();
    for (const row of hits) row.classList.remove("hit");
    hits = sought ? rows.filter((row, index) => texts[index].includes(sought) && !gone.has(items[index])) : [];
    for (const row of hits) row.classList.add("hit");
    at = -1;
    sayCount();
  }

  const sayCount = () => (get("wf-count").textContent = state.find ? `${at + 1} of ${hits.length}` : "");

  function jump(step) {
    if (!hits.length) return;
    at = (at + step + hits.length) % hits.length;
    sayCount();
    select(hits[at], false);
  }

  /** Marks a row, and opens what it is in. */
  function select(row, opens) {
    for (const other of all(".w.chosen", tree)) other.classList.remove("chosen");
    row.classList.add("chosen");
    for (let group = row.closest("details"); group; group = group.parentElement.closest("details")) group.open = true;
    state.row = row.dataset.ray;
    writeState();
    const record = opens && get(`r-${state.row}`);
    if (record) record.closest("details").open = true;
    (record || row).scrollIntoView({ block: record ? "start" : "center" });
  }

  tree.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link?.hash || link.pathname !== location.pathname || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    select(link.closest(".w"), true);
  });

  for (const [name, run] of [["filter", filter], ["find", find]]) {
    const box = get(`wf-${name}`);
    box.value = state[name];
    box.addEventListener("input", () => {
      state[name] = box.value;
      run();
      writeState();
    });
  }
  get("wf-find").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    jump(event.shiftKey ? -1 : 1);
  });
  get("wf-next").addEventListener("click", () => jump(1));
  get("wf-back").addEventListener("click", () => jump(at < 0 ? 0 : -1));

  // Levels: how deep each group is, and how deep the open ones go.
  const level = new Map();
  for (const group of groups) level.set(group, 1 + (level.get(group.parentElement.closest("details")) ?? 0));
  const deepest = Math.max(0, ...level.values());
  let shown = deepest;
  const show = (levels) => {
    shown = Math.min(deepest, Math.max(0, levels));
    for (const group of groups) group.open = level.get(group) <= shown;
  };
  for (const [name, levels] of [["less", () => shown - 1], ["more", () => shown + 1], ["none", () => 0], ["all", () => deepest]]) {
    get(`wf-${name}`)?.addEventListener("click", () => show(levels()));
  }

  makeDrag();
  if (state.filter) filter();
  if (state.find) find();
  if (state.from > 0 || state.to < 100) zoom(state.from, state.to);
  const chosen = state.row && rows.find((row) => row.dataset.ray === state.row);
  if (chosen) select(chosen, true);
}

const round = (value) => Math.round(value * 100) / 100;

if (answer) start();
