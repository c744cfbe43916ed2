// The single page: one item, one question, one key.
import { announce, clear, fill, h } from "./dom.js";
import { beacon, get, me, post, v2, where, appPath } from "./api.js";
import { failed, toast } from "./toast.js";
import { mountExhibit, placeText, prepare } from "./exhibit.js";
import { mountFilters, readFilters } from "./filters.js";
import { mountHistory } from "./history.js";
import { mountKeys } from "./keys.js";
import { mountNet } from "./net.js";
import { pick } from "./picker.js";
import { midnight, mountProgress } from "./progress.js";
import { createQueue, entryOf, matches, randomId } from "./queue.js";
import { mountStrip, saidOf } from "./strip.js";
import { mountSwipe } from "./swipe.js";
import t from "./strings.js";

/** Entries that lie ready: at three verdicts a second, they outlast a call of four seconds. */
const AHEAD = 12;

const $ = (id) => document.getElementById(id);
const tab = randomId();
// What is in question: {entry, item}; null where there is nothing. `looked`: the record of an earlier decision on show.
let now = null, looked = null, started = false;

const strip = mountStrip($("rv-done"), { onShow: look, onUndo: undo });
const exhibit = mountExhibit($("rv-media"), { onSelect: (item) => now && !looked && ask(now.entry, item) });
const filters = mountFilters($("rv-filters"), { filter: readFilters(location.search), onChange: refilter });
const net = mountNet($("rv-net"), { scope: `${me}/${where.user}/${where.app}`, tab, onReply: answered, onRefused: refused, onSent: () => progress.refresh() });
const queue = createQueue({
  post, tab, mode: "single", filters: filters.filter, ahead: AHEAD, prepare,
  beacon,
  busy: () => net.outbox.items(),
  onChange: arrived,
});
const progress = mountProgress($("rv-progress"), {
  fetchSummary: () => get("review/summary", { ...filters.filter, tab, since: midnight() }),
  onSummary: (summary) => {
    filters.options(summary);
    if (!started) return;
    if (!now && summary.left > 0) queue.retry();
    if (!now) idle();
  },
});
const historyPanel = mountHistory($("rv-history"), {
  me,
  get: (params) => get("history", params),
  undo: async (entry) => {
    try {
      const reply = await post("review/undo", { tab, action: entry.action });
      tellKept(reply);
      const record = strip.records.find((r) => r.action === entry.action);
      if (record) { strip.remove(record); strip.paint(); }
      for (const item of reply.undone ?? []) if (matches(item, filters.filter)) queue.unshift(entryOf(item));
      progress.refresh();
      if (!now) arrived();
    } catch (error) { failed(error); }
  },
});

// ---- what is in question ----

/** Put a question. All that is seen first is painted here, synchronously. */
function ask(entry, item) {
  now = { entry, item };
  if (looked) strip.mark((looked = null));
  $("rv").dataset.state = "asking";
  exhibit.show(entry, item, entry.verdicts);
  question(entry, item);
  others(entry, item);
  queue.showing([entry]);
}

function question(entry, item, record) {
  $("rv-concept").textContent = item.concept.name || item.concept.id;
  $("rv-place").textContent = placeText(item, entry.input);
  const score = typeof item.score === "number" ? item.score : null;
  $("rv-score-fill").style.width = `${100 * (score ?? 0)}%`;
  $("rv-score-number").textContent = score === null ? t.review.score_none : score.toFixed(3);
  $("rv-score").classList.toggle("none", score === null);
  const model = item.model?.name || item.model?.id;
  $("rv-model").textContent = model ? fill(t.review.by_model, { model }) : t.review.by_nobody;
  $("rv-model").title = item.model?.version_id ? fill(t.review.by_version, { version: item.model.version_id }) : "";
  $("rv-flagged").hidden = item.status !== "flagged";
  $("rv-decided").hidden = !record;
  if (record) $("rv-decided-text").textContent = fill(t.review.shown_decision, { verdict: saidOf(record) });
  $("rv-edit").href = appPath(`inputs/${encodeURIComponent(entry.input.id)}`);
  for (const id of ["accept", "reject", "skip", "change", "flag"]) button(id).disabled = false;
  button("flag").disabled = item.status === "flagged";
}

const buttons = new Map();
function button(id) {
  if (!buttons.has(id)) buttons.set(id, document.querySelector(`.rv-verdicts [data-action="${id}"]`));
  return buttons.get(id);
}

function others(entry, item) {
  const rest = entry.open.filter((i) => i !== item);
  const list = $("rv-others");
  list.replaceChildren(...rest.slice(0, 9).map((other, i) => h("li", {}, h("button", {
    type: "button", "aria-keyshortcuts": String(i + 1),
    "aria-label": fill(t.review.other_said, { key: i + 1, name: other.concept.name, score: other.score?.toFixed(2) ?? t.review.score_none }),
    on: { click: () => { ask(entry, other); focusMedia(); say(); } },
  }, h("kbd", {}, i + 1), h("span", {}, other.concept.name || other.concept.id), h("span", { class: "rv-mini", style: { "--score": other.score ?? 0 } }), h("b", {}, other.score?.toFixed(2) ?? "–")))));
  $("rv-others-box").hidden = rest.length === 0;
}

/** On to what comes next: the same input's next item that the filters ask for, or the next input. */
function advance() {
  const entry = now?.entry;
  const same = entry?.open.find((item) => matches(item, filters.filter));
  if (same) return ask(entry, same);
  for (let next = queue.next(); next; next = queue.next()) {
    const item = next.open.find((i) => matches(i, filters.filter)) ?? next.open[0];
    if (item) return ask(next, item);
  }
  now = null;
  queue.showing([]);
  return idle();
}

/** Something came, or will not come. */
function arrived() {
  if (!started || now || looked) return;
  if (!queue.ahead) return void idle();
  advance();
  say();
}

// ---- verdicts ----

function decide(verdict, newConcept) {
  if (looked) undo(looked, { quiet: true });
  if (!now) return;
  const { entry, item } = now;
  if (verdict === "flag" && item.status === "flagged") return toast(t.review.flag_flagged);
  const record = { action: "", entry, item, verdict, newConcept };
  if (verdict === "skip") queue.skip(item.item);
  else {
    const wanted = { item: item.item, concept_id: item.concept.id, verdict, ...(newConcept ? { new_concept: newConcept.id ? { id: newConcept.id } : { name: newConcept.name } } : {}) };
    record.action = net.outbox.add("verdicts", { verdicts: [wanted] }, { record });
    (entry.verdicts ??= new Map()).set(item.item, { accept: "success", reject: "negative", relabel: "success", flag: "flagged" }[verdict]);
  }
  entry.open = entry.open.filter((i) => i !== item);
  strip.add(record);
  advance();
  // What may come a frame later.
  later(() => {
    strip.paint();
    if (verdict !== "skip") progress.decided(1);
    progress.paint();
    if (now) say();
    else if (verdict === "skip") announce(fill(t.review.skipped_said, { name: item.concept.name }));
  });
}

function undo(given, { quiet = false } = {}) {
  const record = given?.entry ? given : looked ?? strip.records[0];
  if (!record) return undoEarlier();
  strip.remove(record);
  if (record.verdict === "skip") queue.unskip(record.item.item);
  else {
    if (!net.outbox.cancel(record.action)) net.outbox.add("undo", { action: record.action }, { record });
    progress.decided(-1);
  }
  bringBack(record);
  later(() => { strip.paint(); progress.paint(); });
  if (!quiet) announce(fill(t.review.undone_said, { name: record.item.concept.name }));
}

/** The item of a decision that is no more is in question again, before all others. */
function bringBack({ entry, item }) {
  if (now && now.entry !== entry && now.entry.open.length) queue.unshift(now.entry);
  queue.remove(entry);
  entry.verdicts?.delete(item.item);
  if (!entry.open.includes(item)) entry.open.unshift(item);
  ask(entry, item);
}

/** Nothing of this visit is left to undo: the last action of an earlier one. */
async function undoEarlier() {
  try {
    const reply = await post("review/undo", { tab });
    tellKept(reply);
    const [first, ...rest] = (reply.undone ?? []).map(entryOf);
    if (!first) return void (reply.kept?.length || toast(t.review.nothing_to_undo));
    for (const entry of rest) queue.unshift(entry);
    await Promise.race([prepare(first).catch(() => {}), new Promise((go) => setTimeout(go, 1500))]);
    bringBack({ entry: first, item: first.item });
    announce(fill(t.review.undone_said, { name: first.item.concept.name }));
    progress.refresh();
  } catch (error) {
    if (error.http === 404 || error.http === 400) toast(t.review.nothing_to_undo);
    else failed(error);
  }
}

async function change() {
  if (!now && !looked) return;
  const { entry, item } = looked ?? now;
  // Open in the same moment: what is typed next is meant for the list, and not for the queue.
  const chosen = await pick({ concepts: concepts(), title: t.review.picker_title, allowNew: true });
  focusMedia();
  if (!chosen) return;
  if (chosen.id === item.concept.id) return void toast(t.review.same_concept);
  if ((looked ?? now)?.item === item && (looked ?? now)?.entry === entry) decide("relabel", chosen);
}

const PAGE = 1000, MOST_CONCEPTS = 20_000;
let known = [];
/** Get the app's concepts, so that they are there when one is asked for. */
async function learn() {
  const all = [];
  try {
    for (let page = 1; all.length < MOST_CONCEPTS; page++) {
      const more = (await v2("concepts", { params: { page, per_page: PAGE } })).concepts ?? [];
      all.push(...more);
      if (more.length < PAGE) break;
    }
    known = all;
  } catch { /* The list has what the queue shows, and names can be typed. */ }
}

/** What an item may be called instead: what waits most first. */
function concepts() {
  const waits = progress.summary?.concepts ?? [], named = new Set(waits.map((c) => c.id));
  return [...waits, ...known.filter((c) => !named.has(c.id))].map((c) => ({ id: c.id, name: c.name || c.id }));
}

// ---- what the server said ----

function answered(entry, reply) {
  if (entry.kind === "undo") {
    tellKept(reply, entry.record);
    const names = new Map(), back = (reply.undone ?? []).flatMap((item) => [item, ...(item.others ?? [])]);
    const record = entry.record;
    if (!record) return;
    // It may have come back under another name: what was said of it meanwhile has to name that.
    const same = back.find((i) => i.item === record.item.item) ?? back.find((i) => i.concept.id === record.item.concept.id);
    if (same && same.item !== record.item.item) {
      names.set(record.item.item, same.item);
      Object.assign(record.item, { item: same.item, annotation_id: same.annotation_id });
      net.outbox.rename(names);
    }
    if (!same && reply.kept?.length && now?.item === record.item) drop(record.item);
    if ($("rv-history-box").open) historyPanel.refresh();
    return;
  }
  for (const result of reply.results ?? []) {
    const record = entry.record, name = record?.item.concept.name ?? result.item;
    if (result.error) toast(fill(t.review.refused, { name, why: result.error }), { kind: "bad" });
    else if (result.state === "gone") toast(result.by ? fill(t.review.gone_by, { name, user: result.by }) : fill(t.review.gone, { name }), { kind: "info" });
    else continue;
    if (record) { strip.remove(record); strip.paint(); progress.decided(-1); }
  }
  if (entry.record?.newConcept && !entry.record.newConcept.id) learn();
  if (entry.record && now?.entry === entry.record.entry && $("rv-history-box").open) historyPanel.refresh();
}

function drop(item) {
  now.entry.open = now.entry.open.filter((i) => i !== item);
  advance();
}

function refused(entry, error) {
  const why = error.details || error.description || error.message;
  const record = entry.record;
  toast(entry.kind === "undo" ? fill(t.review.undo_refused, { why }) : fill(t.review.refused, { name: record?.item.concept.name ?? "", why }), { kind: "bad", sticky: true });
  if (record && entry.kind === "verdicts") { strip.remove(record); strip.paint(); }
}

function tellKept(reply, record) {
  for (const { item, why } of reply.kept ?? []) toast(fill(t.review.kept, { name: record?.item.item === item ? record.item.concept.name : item, why }));
}

// ---- looking back ----

function look(record) {
  looked = record;
  strip.mark(record);
  $("rv").dataset.state = "looking";
  exhibit.show(record.entry, record.item, record.entry.verdicts);
  question(record.entry, record.item, record);
  $("rv-others-box").hidden = true;
  announce(`${record.item.concept.name}: ${saidOf(record)}`);
}

function step(by) {
  const at = (looked ? strip.records.indexOf(looked) : -1) + by;
  if (at < 0) return backToNow();
  const record = strip.records[at];
  if (record) look(record);
}

function backToNow() {
  if (!looked) return;
  strip.mark((looked = null));
  if (now) { ask(now.entry, now.item); say(); } else arrived();
}

// ---- nothing to ask ----

function idle() {
  if (looked) return;
  const s = progress.summary, box = h("div", { class: "rv-idle", role: "status" });
  const kind = queue.loading || (!queue.ended && !queue.failed) ? "loading" : queue.failed && !queue.ended ? (queue.failed.offline ? "offline" : "failed") : "empty";
  $("rv").dataset.state = kind;
  for (const id of ["accept", "reject", "skip", "change", "flag"]) button(id).disabled = true;
  $("rv-others-box").hidden = true;
  const go = (text, run, primary) => h("button", { type: "button", class: primary ? "button primary" : "button", on: { click: run } }, text);
  if (kind === "loading") box.append(h("p", { class: "soft" }, t.review.loading));
  else if (kind === "offline") box.append(h("h2", {}, t.review.offline_title), h("p", { class: "soft" }, t.review.offline_text), go(t.review.try_again, () => queue.take(), true));
  else if (kind === "failed") box.append(h("h2", {}, t.review.failed_title), h("p", { class: "soft" }, queue.failed.details || queue.failed.message), go(t.review.try_again, () => queue.take(), true));
  else {
    const status = filters.filter.status ?? "pending";
    const outside = Math.max(0, (s?.statuses?.[status] ?? 0) - queue.skipped - (s?.left ?? 0));
    const filtered = Object.keys(filters.filter).some((name) => name !== "order" && name !== "status");
    box.append(h("div", { class: "rv-tick", "aria-hidden": "true" }), h("h2", {}, t.review.empty_title));
    if (s?.held) box.append(h("p", { class: "soft" }, fill(t.review.empty_held, { n: s.held })));
    else if (filtered && outside) box.append(h("p", { class: "soft" }, outside === 1 ? t.review.empty_filtered_one : fill(t.review.empty_filtered, { n: outside.toLocaleString() })));
    else if (!queue.skipped) box.append(h("p", { class: "soft" }, t.review.empty_done));
    const row = h("div", { class: "rv-idle-row" });
    if (queue.skipped) {
      box.append(h("p", { class: "soft" }, fill(t.review.empty_skipped, { n: queue.skipped })));
      row.append(go(t.review.empty_skipped_go, () => queue.recall(), true));
    }
    if (filtered) row.append(go(t.review.empty_filters_off, () => filters.clear(), !queue.skipped));
    if (status === "pending" && s?.statuses?.flagged) row.append(go(fill(t.review.empty_flagged, { n: s.statuses.flagged }), () => filters.set({ status: "flagged" })));
    row.append(h("a", { class: "button", href: appPath("add") }, t.review.empty_add), h("a", { class: "button", href: appPath() }, t.review.empty_overview));
    box.append(row);
  }
  // Polled every few seconds: what is read out, or has the focus, is left alone where nothing changed.
  const text = box.textContent;
  if (idle.said === text && $("rv-media").querySelector(".rv-idle")) return;
  idle.said = text;
  exhibit.blank(box);
}

function refilter(filter) {
  now = looked = null;
  strip.mark(null);
  queue.restart(filter);
  progress.reset();
  exhibit.blank(h("p", { class: "rv-nothing" }, t.review.loading));
}

// ---- small things ----

function later(work) {
  requestAnimationFrame(() => setTimeout(work));
}

function say() {
  if (!now) return;
  const { entry, item } = now;
  announce(fill(t.review.next_said, { name: item.concept.name, score: item.score?.toFixed(2) ?? t.review.score_none, place: placeText(item, entry.input), left: progress.summary?.left ?? queue.left ?? "" }));
  if ($("rv-history-box").open) {
    clearTimeout(say.timer);
    say.timer = setTimeout(() => now && historyPanel.show(now.entry.input.id), 250);
  }
}

/** After a click on a button the keys belong to the queue again, and Space is no second click. */
function focusMedia() {
  $("rv-media").focus({ preventScroll: true });
}

const verdict = (id) => (event) => {
  decide(id);
  if (event?.type === "click" && event.detail > 0) focusMedia();
};

const actions = [
  { id: "accept", label: t.review.accept, keys: ["a"], run: verdict("accept") },
  { id: "reject", label: t.review.reject, keys: ["x"], run: verdict("reject") },
  { id: "skip", label: t.review.skip, keys: ["space"], run: verdict("skip") },
  { id: "undo", label: t.review.undo, keys: ["backspace", "ctrl+z"], run: (event) => { undo(); if (event?.type === "click" && event.detail > 0) focusMedia(); } },
  { id: "change", label: t.review.change, keys: ["c"], run: change },
  { id: "flag", label: t.review.flag, keys: ["f"], run: verdict("flag") },
  { id: "earlier", label: t.review.earlier, keys: ["arrowleft"], repeats: true, run: () => step(1) },
  { id: "later", label: t.review.later, keys: ["arrowright"], repeats: true, run: () => step(-1) },
  { id: "zoom", label: t.review.zoom, keys: ["z"], run: () => exhibit.zoom() },
  { id: "history", label: t.review.history, keys: ["h"], run: () => { $("rv-history-box").open = !$("rv-history-box").open; } },
  { id: "edit", label: t.review.edit, keys: ["e"], run: (event) => { if (now && event?.type !== "click") location.href = $("rv-edit").href; } },
  { id: "keys", label: t.review.keys, keys: ["?"], run: () => keys.open() },
  { id: "now", label: t.review.back_to_now, keys: [], run: backToNow },
];
const keys = mountKeys({
  page: "review", actions,
  onDigit: (digit) => {
    const other = now && !looked && now.entry.open.filter((i) => i !== now.item)[digit - 1];
    if (other) { ask(now.entry, other); say(); }
  },
});
// Back from the browser's memory: what was held was let go when the page was left.
window.addEventListener("pageshow", (event) => { if (event.persisted) refilter(filters.filter); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && looked && !document.querySelector("dialog[open]")) backToNow(); });
$("rv-history-box").addEventListener("toggle", (event) => { if (event.target.open && now) historyPanel.show((looked ?? now).entry.input.id); });
mountSwipe($("rv-media"), { allowed: () => Boolean(now) && exhibit.whole, onSwipe: decide });

await exhibit.load();
started = true;
arrived();
await queue.take();
learn();
