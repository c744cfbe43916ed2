// All inputs of an app as a grid: filtered by the address bar, loaded as one scrolls.

import { appPath, get } from "/ui/static/api.js";
import { clear, count, fill, h } from "/ui/static/dom.js";
import { nameOf, several } from "/ui/static/formats.js";
import { pick } from "/ui/static/picker.js";
import t from "/ui/static/strings.js";
import { nothing, tile } from "/ui/static/tiles.js";
import { failed } from "/ui/static/toast.js";
import { grid } from "/ui/static/window.js";

const PAGE = 100;
/** Milliseconds after the last letter that a search begins. */
const PAUSE = 250;
/** Empty pages in a row after which a search in the depths waits for a word. */
const DEEP = 40;

const form = document.getElementById("filters");
const list = document.getElementById("tiles");
const end = document.getElementById("end");
const told = document.getElementById("count");
const chooser = document.getElementById("concept");
const unchoose = document.getElementById("concept-clear");
const fields = ["text", "annotation", "status"].map((name) => document.getElementById(name));

let concepts = null;
let filters = {};
let cursor = null;
let isAll = false;
let asking = null;

const shown = grid({
  list,
  make: (input) => tile(input),
  size: (width) => ({ least: width < 520 ? 150 : 186, gap: width < 520 ? 10 : 14, height: (one) => one * 0.75 + 86 }),
  near: () => more(),
});

const sentinel = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && more(), { rootMargin: "800px" });
sentinel.observe(end);

/** The filters as the address bar has them. */
function read() {
  const given = new URLSearchParams(location.search);
  filters = Object.fromEntries(["text", "annotation", "status", "concept"].map((name) => [name, given.get(name) ?? ""]));
  for (const field of fields) {
    field.value = filters[field.name];
    // What is not one of the choices is none.
    if (field.value !== filters[field.name]) filters[field.name] = field.value = "";
  }
  paint();
}

function write() {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(filters)) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
  paint();
}

function paint() {
  const concept = concepts?.find((one) => one.id === filters.concept);
  chooser.textContent = filters.concept ? fill(t.overview.filter_concept_is, { name: nameOf(concept ?? { id: filters.concept }) }) : t.overview.filter_concept;
  chooser.setAttribute("aria-pressed", String(Boolean(filters.concept)));
  unchoose.hidden = !filters.concept;
  document.getElementById("reset").hidden = !isFiltered();
}

function isFiltered() {
  return Object.values(filters).some(Boolean);
}

function restart() {
  asking?.abort();
  asking = null;
  cursor = null;
  isAll = false;
  shown.reset();
  clear(end);
  list.setAttribute("aria-busy", "true");
  more();
}

async function more() {
  if (asking || isAll) return;
  const mine = (asking = new AbortController());
  clear(end, h("div", { class: "spin", role: "img", "aria-label": t.overview.loading }));
  try {
    for (let empty = 0; ; empty += 1) {
      const page = await get("inputs", { ...filters, cursor, n: PAGE }, { signal: mine.signal });
      if (asking !== mine) return;
      cursor = page.cursor;
      isAll = cursor === null;
      // The look for things that few have goes on where the server stopped for the others' sake.
      if (!page.inputs.length && !isAll && empty < DEEP) continue;
      asking = null;
      list.removeAttribute("aria-busy");
      shown.add(page.inputs, isAll);
      break;
    }
    say();
  } catch (error) {
    if (error.name === "AbortError") return;
    asking = null;
    list.removeAttribute("aria-busy");
    // Asked again by the person: by itself it would be asked for ever.
    isAll = true;
    clear(end, h("p", { class: "wrong" }, error.message), h("button", { type: "button", class: "plain", on: { click: again } }, t.overview.again));
    failed(error, { id: "inputs" });
  }
}

function again() {
  isAll = false;
  clear(end);
  more();
}

function say() {
  const n = shown.count();
  told.textContent = isAll ? several(n, t.overview.inputs_n_1, t.overview.inputs_n) : fill(t.overview.inputs_so_far, { n: count(n) });
  if (!isAll) {
    clear(end, h("button", { type: "button", class: "plain", on: { click: () => more() } }, t.overview.inputs_more));
  } else if (n) clear(end);
  else if (isFiltered()) clear(end, nothing(t.overview.inputs_no_match, h("button", { type: "button", class: "plain", on: { click: reset } }, t.overview.filters_reset)));
  else clear(end, nothing(t.overview.newest_none, h("a", { class: "button primary", href: appPath("add") }, t.overview.add_inputs)));
  // A tall window may not be full yet, and nobody scrolls what has no end.
  sentinel.unobserve(end);
  sentinel.observe(end);
}

function reset() {
  filters = {};
  for (const field of fields) field.value = "";
  const address = new URL(location.href);
  address.search = "";
  history.replaceState(null, "", address);
  paint();
  restart();
  fields[0].focus();
}

let pause = 0;
function changed(now) {
  clearTimeout(pause);
  pause = setTimeout(
    () => {
      const next = { ...filters, ...Object.fromEntries(fields.map((field) => [field.name, field.value.trim()])) };
      if (JSON.stringify(next) === JSON.stringify(filters)) return;
      filters = next;
      write();
      restart();
    },
    now ? 0 : PAUSE,
  );
}

async function known() {
  concepts ??= (await get("overview")).concepts;
  return concepts;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  changed(true);
});
form.addEventListener("input", (event) => changed(event.target !== fields[0]));
document.getElementById("reset").addEventListener("click", reset);
chooser.addEventListener("click", async () => {
  try {
    const all = await known();
    const chosen = await pick({
      concepts: all.map((one) => ({ id: one.id, name: one.name, note: count(one.success + one.pending + one.negative) })),
      title: t.overview.filter_concept,
    });
    if (!chosen?.id) return;
    filters.concept = chosen.id;
    write();
    restart();
  } catch (error) {
    failed(error);
  }
});
unchoose.addEventListener("click", () => {
  filters.concept = "";
  write();
  restart();
  chooser.focus();
});
addEventListener("popstate", () => {
  read();
  restart();
});

read();
restart();
// The concept's name, where the address has its id.
if (filters.concept) known().then(paint, () => {});
