// The grid: many items of one concept side by side, marked first, committed then.
import { announce, clear, fill, h } from "./dom.js";
import { appPath, beacon, get, me, post, where } from "./api.js";
import { failed, toast } from "./toast.js";
import { cell, dressCell, prepareCell } from "./cells.js";
import { mountFilters, readFilters } from "./filters.js";
import { mountKeys } from "./keys.js";
import { mountNet } from "./net.js";
import { midnight, mountProgress } from "./progress.js";
import { createQueue, entryOf, matches, randomId } from "./queue.js";
import { mountRubber } from "./rubber.js";
import t from "./strings.js";

const SIZES = [25, 50, 100, 200];
const REMEMBERED = 10;

const $ = (id) => document.getElementById(id);
const tab = randomId();
const asked = Number(new URLSearchParams(location.search).get("n"));
let size = SIZES.includes(asked) ? asked : 50;
// What is shown, in order; how each stands; where the keyboard is, and where a range began.
let shown = [], at = 0, anchor = 0, waiting = false;
const cells = new Map(), selected = new Set(), marks = new Map();
const done = [];

const sheet = $("rv-sheet"), list = $("rv-cells");
const first = readFilters(location.search);
if (first.concept) first.concept = first.concept.slice(0, 1);
const filters = mountFilters($("rv-filters"), { filter: first, single: true, keep: ["n"], onChange: refilter });
const net = mountNet($("rv-net"), { scope: `${me}/${where.user}/${where.app}`, tab, onReply: answered, onRefused: refused, onSent: () => progress.refresh() });
const queue = createQueue({
  post, tab, mode: "grid", filters: filters.filter, // The next page is taken when this one is being decided, not before: what lies ready here, nobody else is given.
  ahead: () => (shown.length && !marks.size && !waiting ? 0 : size), prepare: prepareCell,
  beacon,
  busy: () => net.outbox.items(),
  onChange: arrived,
});
const progress = mountProgress($("rv-progress"), {
  fetchSummary: () => get("review/summary", { ...filters.filter, tab, since: midnight() }),
  onSummary: (summary) => {
    filters.options(summary);
    if (!filters.filter.concept && summary.concepts.length) return void filters.set({ concept: [summary.concepts[0].id] });
    heading();
    if (!shown.length) {
      if (summary.left > 0 && filters.filter.concept) queue.retry();
      idle();
    }
  },
});

// ---- what is shown ----

/** Fill the page up with what is ready. */
function arrived() {
  // A page that somebody works on does not grow under the hand: only an empty one, or one just committed, is filled.
  if (shown.length && !waiting) return;
  const more = [];
  while (shown.length + more.length < size && queue.ahead) more.push(queue.next());
  waiting = shown.length + more.length < size && !queue.ended && !queue.failed;
  if (more.length) {
    shown.push(...more);
    lay();
  }
  if (!shown.length) idle();
}

function lay() {
  for (const [entry, element] of cells) if (!shown.includes(entry)) { element.remove(); cells.delete(entry); selected.delete(entry); marks.delete(entry); }
  at = Math.min(at, Math.max(0, shown.length - 1));
  shown.forEach((entry, i) => {
    if (!cells.has(entry)) {
      const element = cell(entry);
      element.entry = entry;
      cells.set(entry, element);
    }
    const element = cells.get(entry);
    if (list.children[i] !== element) list.insertBefore(element, list.children[i] ?? null);
  });
  $("rv-idle").hidden = shown.length > 0;
  list.hidden = shown.length === 0;
  queue.showing(shown);
  dress();
}

function dress() {
  shown.forEach((entry, i) => dressCell(cells.get(entry), entry, { selected: selected.has(entry), mark: marks.get(entry), current: i === at }));
  tools();
}

function tools() {
  const n = marks.size, accept = [...marks.values()].filter((m) => m === "accept").length;
  $("rv-selected").textContent = selected.size ? fill(t.review.selected, { n: selected.size }) : t.review.selected_none;
  const commit = document.querySelector('[data-action="commit"]');
  commit.disabled = n === 0;
  commit.firstElementChild.textContent = n ? fill(t.review.commit, { n }) : t.review.commit_none;
  commit.title = n ? fill(t.review.commit_detail, { accept, reject: n - accept }) : "";
  for (const id of ["mark_accept", "mark_reject", "all_accept", "all_reject", "next_page", "select_all"]) document.querySelector(`[data-action="${id}"]`).disabled = !shown.length;
  document.querySelector('[data-action="unmark"]').disabled = !n;
  document.querySelector('[data-action="undo"]').disabled = false;
}

function heading() {
  const id = filters.filter.concept?.[0];
  const name = id ? filters.name(id) : "";
  $("rv-grid-concept").textContent = name;
  list.setAttribute("aria-label", fill(t.review.grid_label, { name }));
}

function idle() {
  const box = $("rv-idle"), s = progress.summary;
  const loading = filters.filter.concept ? queue.loading || (!queue.ended && !queue.failed) : !s;
  const text = [];
  if (loading) text.push(h("p", { class: "soft" }, t.review.loading));
  else if (queue.failed) {
    text.push(h("h2", {}, queue.failed.offline ? t.review.offline_title : t.review.failed_title), h("p", { class: "soft" }, queue.failed.offline ? t.review.offline_text : queue.failed.message),
      h("button", { type: "button", class: "button primary", on: { click: () => queue.take() } }, t.review.try_again));
  } else {
    const status = filters.filter.status ?? "pending";
    const id = filters.filter.concept?.[0];
    const row = h("div", { class: "rv-idle-row" });
    if (queue.skipped) row.append(h("button", { type: "button", class: "button primary", on: { click: () => queue.recall() } }, `${fill(t.review.empty_skipped, { n: queue.skipped })} ${t.review.empty_skipped_go}`));
    const others = (s?.concepts ?? []).filter((c) => c.id !== id && c[status] > 0).slice(0, 8);
    for (const c of others) row.append(h("button", { type: "button", class: "button", on: { click: () => filters.set({ concept: [c.id], min: 0, max: 1 }) } }, fill(t.review.option_count, { name: c.name, n: c[status].toLocaleString() })));
    const narrow = Object.keys(filters.filter).some((name) => !["order", "status", "concept"].includes(name));
    if (narrow) row.append(h("button", { type: "button", class: "button", on: { click: () => filters.set({ min: 0, max: 1, kind: "", run: "", model_version: "" }) } }, t.review.empty_filters_off));
    row.append(h("a", { class: "button", href: appPath() }, t.review.empty_overview));
    text.push(h("div", { class: "rv-tick", "aria-hidden": "true" }), h("h2", {}, t.review.empty_title), s?.held ? h("p", { class: "soft" }, fill(t.review.empty_held, { n: s.held.toLocaleString() })) : "", others.length ? h("p", { class: "soft" }, t.review.empty_concepts) : "", row);
  }
  const key = text.map((e) => e.textContent ?? "").join("|");
  box.hidden = false;
  list.hidden = true;
  if (box.dataset.said === key) return;
  box.dataset.said = key;
  clear(box, ...text);
  tools();
}

// ---- choosing ----

function toIndex(i, { extend = false, focus = true } = {}) {
  if (!shown.length) return;
  at = Math.max(0, Math.min(shown.length - 1, i));
  if (extend) {
    selected.clear();
    for (let j = Math.min(anchor, at); j <= Math.max(anchor, at); j++) selected.add(shown[j]);
  } else anchor = at;
  dress();
  const element = cells.get(shown[at]);
  if (focus) element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "nearest" });
}

function columns() {
  return Math.max(1, getComputedStyle(list).gridTemplateColumns.split(" ").length);
}

const go = (by) => (event) => {
  const inside = list.contains(document.activeElement);
  // The first arrow only shows where one is.
  toIndex(inside ? at + by() : at, { extend: event.shiftKey });
};

function toggle(entry = shown[at]) {
  if (!entry) return;
  if (!selected.delete(entry)) selected.add(entry);
  dress();
}

list.addEventListener("click", (event) => {
  const element = event.target.closest(".rv-cell");
  if (!element) return;
  const i = shown.indexOf(element.entry);
  if (event.shiftKey) return toIndex(i, { extend: true });
  at = anchor = i;
  toggle(element.entry);
  element.focus({ preventScroll: true });
});
list.addEventListener("focusin", (event) => {
  const i = shown.indexOf(event.target.closest(".rv-cell")?.entry);
  if (i >= 0 && i !== at) { at = i; dress(); }
});
let before = new Set();
sheet.addEventListener("pointerdown", (event) => { before = event.ctrlKey || event.metaKey || event.shiftKey ? new Set(selected) : new Set(); });
mountRubber(sheet, $("rv-sheet-in"), {
  cells: () => [...list.children],
  onPick(elements) {
    selected.clear();
    for (const entry of before) selected.add(entry);
    for (const element of elements) selected.add(element.entry);
    dress();
  },
  onDone: () => announce($("rv-selected").textContent),
});

// ---- marking and committing ----

function mark(kind, whom = selected.size ? [...selected] : [shown[at]].filter(Boolean)) {
  for (const entry of whom) {
    if (kind) marks.set(entry, kind);
    else marks.delete(entry);
  }
  const one = !selected.size && whom.length === 1;
  selected.clear();
  dress();
  queue.take();
  // One after another by keys alone: on to the next one.
  if (one && kind && at + 1 < shown.length && list.contains(document.activeElement)) toIndex(at + 1);
  sayMarks();
}

function sayMarks() {
  const accept = [...marks.values()].filter((m) => m === "accept").length;
  announce(fill(t.review.marks_said, { accept, reject: marks.size - accept }));
}

function commit() {
  if (!marks.size) return;
  const entries = shown.filter((entry) => marks.has(entry));
  const record = { entries, marks: new Map(marks), accept: 0, reject: 0 };
  const verdicts = entries.map((entry) => {
    record[marks.get(entry)] += 1;
    return { item: entry.item.item, concept_id: entry.item.concept.id, verdict: marks.get(entry) };
  });
  record.action = net.outbox.add("verdicts", { verdicts }, { record });
  done.unshift(record);
  done.splice(REMEMBERED);
  shown = shown.filter((entry) => !marks.has(entry));
  marks.clear();
  selected.clear();
  at = anchor = 0;
  progress.decided(entries.length);
  waiting = true;
  lay();
  arrived();
  sheet.scrollTop = 0;
  cells.get(shown[0])?.focus({ preventScroll: true });
  queue.take();
  strip();
  progress.paint();
  announce(fill(t.review.committed_said, record));
}

function undo(record = done[0]) {
  if (!record) return void undoEarlier();
  done.splice(done.indexOf(record), 1);
  if (!net.outbox.cancel(record.action)) net.outbox.add("undo", { action: record.action }, { record });
  progress.decided(-record.entries.length);
  const same = record.entries.filter((entry) => matches(entry.item, filters.filter));
  putBack(same);
  // As they were marked: one of them was wrong, not all.
  for (const entry of same) if (shown.includes(entry)) marks.set(entry, record.marks.get(entry));
  dress();
  strip();
  progress.paint();
  announce(fill(t.review.grid_undone, { n: record.entries.length }));
}

function putBack(entries) {
  const surplus = [...entries, ...shown].slice(size);
  for (const entry of surplus.reverse()) queue.unshift(entry);
  shown = [...entries, ...shown].slice(0, size);
  at = anchor = 0;
  lay();
}

async function undoEarlier() {
  try {
    const reply = await post("review/undo", { tab });
    tellKept(reply);
    const back = (reply.undone ?? []).filter((item) => matches(item, filters.filter)).map((item) => ({ ...entryOf(item), open: [entryOf(item).item] }));
    if (!reply.undone?.length) return void (reply.kept?.length || toast(t.review.nothing_to_undo));
    for (const entry of back) prepareCell(entry).catch(() => {});
    putBack(back);
    progress.refresh();
    announce(fill(t.review.grid_undone, { n: reply.undone.length }));
  } catch (error) {
    if (error.http === 404 || error.http === 400) toast(t.review.nothing_to_undo);
    else failed(error);
  }
}

function nextPage() {
  for (const entry of shown) queue.skip(entry.item.item);
  shown = [];
  marks.clear();
  selected.clear();
  at = anchor = 0;
  waiting = true;
  lay();
  arrived();
  queue.take();
  sheet.scrollTop = 0;
  cells.get(shown[0])?.focus({ preventScroll: true });
}

function refilter(filter) {
  shown = [];
  marks.clear();
  selected.clear();
  lay();
  queue.restart(filter);
  progress.reset();
  heading();
  idle();
}

// ---- what was done, and what the server said ----

function strip() {
  const box = $("rv-actions");
  clear(box);
  for (const record of done) {
    const said = fill(t.review.commit_done, record);
    box.append(h("li", { class: "rv-action" }, h("span", {}, said), h("button", { type: "button", class: "quiet small", "aria-label": fill(t.review.history_undo_said, { what: said }), on: { click: () => undo(record) } }, t.review.undo)));
  }
  $("rv-actions-empty").hidden = done.length > 0;
}

function answered(entry, reply) {
  const record = entry.record;
  if (entry.kind === "undo") {
    tellKept(reply);
    const names = new Map();
    for (const old of record?.entries ?? []) {
      const back = (reply.undone ?? []).find((i) => i.item === old.item.item) ?? (reply.undone ?? []).find((i) => i.input?.id === old.input.id && i.concept.id === old.item.concept.id);
      if (back && back.item !== old.item.item) {
        names.set(old.item.item, back.item);
        Object.assign(old.item, { item: back.item, annotation_id: back.annotation_id });
      }
    }
    if (names.size) net.outbox.rename(names);
    return;
  }
  const results = reply.results ?? [];
  const gone = results.filter((r) => r.state === "gone" && !r.error), wrong = results.filter((r) => r.error);
  const nameOf = (result) => record?.entries.find((e) => e.item.item === result.item)?.item.concept.name ?? result.item;
  if (gone.length === 1) toast(gone[0].by ? fill(t.review.gone_by, { name: nameOf(gone[0]), user: gone[0].by }) : fill(t.review.gone, { name: nameOf(gone[0]) }));
  else if (gone.length) toast(fill(t.review.gone_many, { n: gone.length, users: [...new Set(gone.map((r) => r.by).filter(Boolean))].join(", ") || t.review.somebody }));
  if (wrong.length) toast(fill(t.review.refused, { name: nameOf(wrong[0]), why: wrong[0].error }), { kind: "bad" });
  if (record && gone.length + wrong.length) progress.decided(-(gone.length + wrong.length));
}

function refused(entry, error) {
  const why = error.details || error.description || error.message;
  toast(fill(entry.kind === "undo" ? t.review.undo_refused : t.review.refused, { why, name: entry.record?.entries[0]?.item.concept.name ?? "" }), { kind: "bad", sticky: true });
  const i = done.indexOf(entry.record);
  if (i >= 0) { done.splice(i, 1); strip(); }
}

function tellKept(reply) {
  const kept = reply.kept ?? [];
  if (kept.length === 1) toast(fill(t.review.kept, { name: kept[0].item, why: kept[0].why }));
  else if (kept.length) toast(fill(t.review.kept_many, { n: kept.length, why: kept[0].why }));
}

// ---- keys ----

const rest = (kind) => () => mark(kind, shown.filter((entry) => !marks.has(entry)));
const keys = mountKeys({
  page: "grid",
  actions: [
    { id: "mark_accept", label: t.review.mark_accept, keys: ["a"], run: () => mark("accept") },
    { id: "mark_reject", label: t.review.mark_reject, keys: ["x"], run: () => mark("reject") },
    { id: "unmark", label: t.review.unmark, keys: ["u"], run: () => mark(null, selected.size ? [...selected] : [...marks.keys()]) },
    { id: "all_accept", label: t.review.all_accept, keys: ["shift+a"], run: rest("accept") },
    { id: "all_reject", label: t.review.all_reject, keys: ["shift+x"], run: rest("reject") },
    { id: "commit", label: t.review.commit_none, keys: ["ctrl+enter", "s"], run: commit },
    { id: "undo", label: t.review.undo, keys: ["backspace", "ctrl+z"], run: () => undo() },
    { id: "next_page", label: t.review.next_page, keys: ["n"], run: nextPage },
    { id: "toggle", label: t.review.toggle, keys: ["space"], run: () => toggle() },
    { id: "select_all", label: t.review.select_all, keys: ["ctrl+a"], run: () => { const all = selected.size === shown.length; selected.clear(); if (!all) for (const e of shown) selected.add(e); dress(); } },
    { id: "left", label: t.review.nav_left, keys: ["arrowleft", "shift+arrowleft"], repeats: true, run: go(() => -1) },
    { id: "right", label: t.review.nav_right, keys: ["arrowright", "shift+arrowright"], repeats: true, run: go(() => 1) },
    { id: "up", label: t.review.up, keys: ["arrowup", "shift+arrowup"], repeats: true, run: go(() => -columns()) },
    { id: "down", label: t.review.down, keys: ["arrowdown", "shift+arrowdown"], repeats: true, run: go(() => columns()) },
    { id: "first", label: t.review.first, keys: ["home", "shift+home"], run: go(() => -shown.length) },
    { id: "last", label: t.review.last, keys: ["end", "shift+end"], run: go(() => shown.length) },
    { id: "keys", label: t.review.keys, keys: ["?"], run: () => keys.open() },
  ],
});
window.addEventListener("pageshow", (event) => { if (event.persisted) refilter(filters.filter); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open], details.rv-menu[open]")) { selected.clear(); dress(); }
});
const pages = $("rv-size");
pages.append(...SIZES.map((n) => h("option", { value: n }, String(n))));
pages.value = String(size);
pages.addEventListener("change", () => {
  size = Number(pages.value);
  const query = new URLSearchParams(location.search);
  query.set("n", String(size));
  history.replaceState(history.state, "", `${location.pathname}?${query}`);
  for (const entry of shown.slice(size).reverse()) queue.unshift(entry);
  shown = shown.slice(0, size);
  waiting = true;
  lay();
  arrived();
  queue.take();
});

heading();
tools();
strip();
idle();
if (filters.filter.concept) await queue.take();
