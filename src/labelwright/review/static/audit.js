// The audit page: one drawn item, one question, and nothing that tells what the model thinks of it.
import { announce, fill, h } from "./dom.js";
import { appPath, beacon, get, me, post, v2, where } from "./api.js";
import { estimatesTable, showAlarms } from "./audit_estimates.js";
import { failed, toast } from "./toast.js";
import { mountExhibit, placeText, prepare } from "./exhibit.js";
import { mountKeys, shownKey } from "./keys.js";
import { mountNet } from "./net.js";
import { pick } from "./picker.js";
import { midnight, mountProgress } from "./progress.js";
import { createQueue, entryOf, randomId } from "./queue.js";
import { mountStrip, saidOf } from "./strip.js";
import t from "./strings.js";

/** Entries that lie ready. */
const AHEAD = 8;
const RATES = [0.01, 0.02, 0.05, 0.1, 0.25, 1];

const $ = (id) => document.getElementById(id);
const tab = randomId();
// What is in question: an entry; `looked`: the record of an earlier answer on show.
let now = null, looked = null, started = false;

// The queue of the review, at the audit's own endpoints.
const audited = (path) => path.replace(/^review\//, "audit/");
const strip = mountStrip($("rv-done"), { onShow: look, onUndo: undo });
const exhibit = mountExhibit($("rv-media"), { onSelect: () => {} });
const net = mountNet($("rv-net"), {
  // No user is called so: verdicts of the review and answers of the audit are kept apart.
  scope: `audit:${me}/${where.user}/${where.app}`, tab, onReply: answered, onRefused: refused, onSent: () => progress.refresh(),
  paths: { verdicts: "audit/answer", undo: "audit/undo" },
});
const queue = createQueue({
  post: async (path, body) => {
    const { mode, ...given } = body;
    const reply = await post(audited(path), given);
    for (const item of reply.items ?? []) dressed(item);
    return reply;
  },
  tab, mode: "single", filters: {}, ahead: AHEAD, prepare,
  beacon: (path, body) => beacon(audited(path), body),
  busy: () => net.outbox.items(),
  onChange: arrived,
});
const progress = mountProgress($("rv-progress"), {
  fetchSummary: () => get("audit/status", { tab, since: midnight() }),
  onSummary: (status) => {
    showAlarms($("audit-alarm"), status);
    results(status);
    if (!started) return;
    if (!now && status.left > 0) queue.retry();
    if (!now) idle();
  },
});

/** What the review's modules want to know of an item. */
function dressed(item) {
  item.concept ??= { id: "", name: t.audit.which };
  item.concept.name ||= item.concept.id;
  item.status = "pending";
  return item;
}

// ---- what is in question ----

function ask(entry) {
  now = entry;
  if (looked) strip.mark((looked = null));
  $("rv").dataset.state = "asking";
  exhibit.show(entry, entry.item);
  question(entry);
  queue.showing([entry]);
}

function question({ item, input }, record) {
  const is = item.question === "is";
  $("au-ask").textContent = is ? t.audit.is_it : "";
  $("rv-concept").textContent = is ? item.concept.name : t.audit.which;
  $("rv-place").textContent = is ? placeText(item, input) : t.audit.which_place;
  $("rv-decided").hidden = !record;
  if (record) $("rv-decided-text").textContent = told(record);
  button("yes").hidden = !is;
  button("no").querySelector("span").textContent = is ? t.audit.no : t.audit.none;
  button("what").querySelector("span").textContent = is ? t.audit.no_but : t.audit.find;
  for (const id of ["yes", "no", "what", "unsure"]) button(id).disabled = Boolean(record);
  choices(is || record ? [] : item.choices);
}

function choices(list) {
  $("au-choices").hidden = !list.length;
  $("au-choices").replaceChildren(...list.slice(0, 9).map((concept, i) => h("li", {}, h("button", {
    type: "button", "aria-keyshortcuts": String(i + 1), on: { click: () => { answer("which", concept); focusMedia(); } },
  }, h("kbd", { "aria-hidden": "true" }, shownKey(String(i + 1))), concept.name))));
}

/** What was said of an item, and what the model had said: known only now. */
function told(record) {
  const verdict = saidOf(record), { score, claimed } = record.told ?? {};
  if (claimed === undefined) return fill(t.audit.you_said_alone, { verdict });
  const name = record.entry.item.choices?.find((c) => c.id === claimed)?.name ?? (record.entry.item.concept.id === claimed ? record.entry.item.concept.name : claimed);
  return fill(typeof score === "number" ? t.audit.you_said : t.audit.you_said_plain, { verdict, name, score: score?.toFixed(3) });
}

const buttons = new Map();
function button(id) {
  if (!buttons.has(id)) buttons.set(id, document.querySelector(`.rv-verdicts [data-action="${id}"]`));
  return buttons.get(id);
}

function advance() {
  const next = queue.next();
  if (next) return ask(next);
  now = null;
  queue.showing([]);
  return idle();
}

function arrived() {
  if (!started || now || looked) return;
  if (!queue.ahead) return void idle();
  advance();
  say();
}

// ---- answers ----

function answer(verdict, concept) {
  if (looked || !now) return;
  const entry = now, { item } = entry, is = item.question === "is";
  if (is ? verdict === "which" : verdict === "yes") return;
  const shown = verdict === "no" && concept ? "relabel" : verdict;
  const record = { action: "", entry, item, verdict: shown, newConcept: concept };
  const wanted = { item: item.item, verdict, ...(concept ? { new_concept: concept.id ? { id: concept.id } : { name: concept.name } } : {}) };
  record.action = net.outbox.add("verdicts", { verdicts: [wanted] }, { record });
  entry.open = [];
  strip.add(record);
  advance();
  // What may come a frame later.
  later(() => {
    strip.paint();
    progress.decided(1);
    progress.paint();
    say();
  });
}

function undo(given) {
  const record = given?.entry ? given : looked ?? strip.records[0];
  if (!record) return undoEarlier();
  strip.remove(record);
  if (!net.outbox.cancel(record.action)) net.outbox.add("undo", { action: record.action }, { record });
  progress.decided(-1);
  bringBack(record.entry);
  later(() => { strip.paint(); progress.paint(); });
  announce(fill(t.review.undone_said, { name: record.item.concept.name }));
  return undefined;
}

function bringBack(entry) {
  if (now && now !== entry) queue.unshift(now);
  queue.remove(entry);
  entry.open = [entry.item];
  ask(entry);
}

async function undoEarlier() {
  try {
    const reply = await post("audit/undo", { tab });
    for (const { why } of reply.kept) toast(fill(t.audit.kept, { why }));
    const [first, ...rest] = reply.undone.map(dressed).map(entryOf);
    if (!first) return void (reply.kept.length || toast(t.review.nothing_to_undo));
    for (const entry of rest) queue.unshift(entry);
    await Promise.race([prepare(first).catch(() => {}), new Promise((go) => setTimeout(go, 1500))]);
    bringBack(first);
    announce(fill(t.review.undone_said, { name: first.item.concept.name }));
    progress.refresh();
  } catch (error) { failed(error); }
}

/** A name for what it is: instead of the one in question, or one of many. */
async function what() {
  if (!now || looked) return;
  const entry = now, is = entry.item.question === "is";
  const chosen = await pick({ concepts: is ? known : entry.item.choices, title: t.audit.what_title, allowNew: is });
  focusMedia();
  if (!chosen || now !== entry) return;
  if (is && chosen.id === entry.item.concept.id) return void toast(t.audit.same_concept);
  answer(is ? "no" : "which", chosen);
}

let known = [];
async function learn() {
  try {
    known = ((await v2("concepts", { params: { page: 1, per_page: 1000 } })).concepts ?? []).map((c) => ({ id: c.id, name: c.name || c.id }));
  } catch { /* Names can be typed. */ }
}

// ---- what the server said ----

function answered({ kind, record }, reply) {
  if (kind === "undo") {
    for (const { why } of reply.kept ?? []) toast(fill(t.audit.kept, { why }));
    if (record && reply.kept?.length && now === record.entry) advance();
    return;
  }
  for (const result of reply.results ?? []) {
    if (record) record.told = result;
    if (result.error) toast(fill(t.audit.refused, { why: result.error }), { kind: "bad" });
    else if (result.state === "gone") toast(result.by ? fill(t.audit.gone_by, { user: result.by }) : t.audit.gone, { kind: "info" });
    else continue;
    if (record) { strip.remove(record); strip.paint(); progress.decided(-1); }
  }
  if (record?.newConcept && !record.newConcept.id) learn();
  if (looked === record) question(record.entry, record);
}

function refused({ kind, record }, error) {
  const why = error.details || error.description || error.message;
  toast(fill(t.audit.refused, { why }), { kind: "bad", sticky: true });
  if (record && kind === "verdicts") { strip.remove(record); strip.paint(); }
}

// ---- looking back ----

function look(record) {
  looked = record;
  strip.mark(record);
  $("rv").dataset.state = "looking";
  exhibit.show(record.entry, record.item);
  question(record.entry, record);
  announce(told(record));
}

function backToNow() {
  if (!looked) return;
  strip.mark((looked = null));
  if (now) { ask(now); say(); } else arrived();
}

// ---- nothing to ask ----

function results(status) {
  if ($("au-results-box").open) $("au-results").replaceChildren(estimatesTable(status));
}

function idle() {
  if (looked) return;
  const status = progress.summary, box = h("div", { class: "rv-idle" });
  const kind = queue.loading || (!queue.ended && !queue.failed) ? "loading" : queue.failed && !queue.ended ? (queue.failed.offline ? "offline" : "failed") : "empty";
  $("rv").dataset.state = kind;
  for (const id of ["yes", "no", "what", "unsure"]) button(id).disabled = true;
  choices([]);
  const again = h("button", { type: "button", class: "button primary", on: { click: () => queue.take() } }, t.review.try_again);
  if (kind === "loading") box.append(h("p", { class: "soft", role: "status" }, t.review.loading));
  else if (kind === "offline") box.append(h("h2", {}, t.review.offline_title), h("p", { class: "soft" }, t.review.offline_text), again);
  else if (kind === "failed") box.append(h("h2", {}, t.review.failed_title), h("p", { class: "soft" }, queue.failed.details || queue.failed.message), again);
  else {
    box.append(h("div", { class: "rv-tick", "aria-hidden": "true" }), h("h2", {}, t.audit.empty_title));
    box.append(h("p", { class: "soft" }, status?.held ? fill(t.audit.empty_held, { n: status.held }) : t.audit.empty_text), drawForm());
    if (status?.estimates.length) box.append(estimatesTable(status));
    box.append(h("div", { class: "rv-idle-row" }, h("a", { class: "button", href: appPath() }, t.review.empty_overview)));
  }
  // Polled every few seconds: what has the focus is left alone where nothing changed.
  const text = box.textContent;
  if (idle.said === text && $("rv-media").querySelector(".rv-idle")) return;
  idle.said = text;
  exhibit.blank(box);
}

function drawForm() {
  const rate = h("select", {}, RATES.map((r) => h("option", { value: String(r), selected: r === 0.02 }, fill(t.audit.draw_percent, { n: 100 * r }))));
  const go = h("button", { type: "button", class: "button primary", on: { click: run } }, t.audit.draw);
  async function run() {
    go.disabled = true;
    try {
      const made = await post("audit/draw", { rate: Number(rate.value) });
      toast(made.drawn ? fill(t.audit.drawn, { n: made.drawn.toLocaleString(), of: made.of.toLocaleString() }) : t.audit.drawn_none, { kind: made.drawn ? "good" : "info" });
      if (made.drawn) { queue.retry(); progress.refresh(); }
    } catch (error) { failed(error); }
    go.disabled = false;
  }
  return h("div", { class: "au-draw" }, h("label", {}, t.audit.draw_rate, rate), go);
}

// ---- small things ----

function later(work) {
  requestAnimationFrame(() => setTimeout(work));
}

function say() {
  if (!now) return;
  const { item, input } = now, left = progress.summary?.left ?? queue.left ?? "";
  announce(item.question === "is" ? fill(t.audit.next_is, { name: item.concept.name, place: placeText(item, input), left }) : fill(t.audit.next_which, { left }));
}

/** After a click on a button the keys belong to the queue again, and Space is no second click. */
function focusMedia() {
  $("rv-media").focus({ preventScroll: true });
}

const pressed = (run) => (event) => {
  run();
  if (event?.type === "click" && event.detail > 0) focusMedia();
};

const actions = [
  { id: "yes", label: t.audit.yes, keys: ["y"], run: pressed(() => answer("yes")) },
  { id: "no", label: t.audit.no, keys: ["n"], run: pressed(() => answer("no")) },
  { id: "what", label: t.audit.no_but, keys: ["c"], run: what },
  { id: "unsure", label: t.audit.unsure, keys: ["s"], run: pressed(() => answer("unsure")) },
  { id: "undo", label: t.review.undo, keys: ["backspace", "ctrl+z"], run: pressed(undo) },
  { id: "zoom", label: t.review.zoom, keys: ["z"], run: () => exhibit.zoom() },
  { id: "keys", label: t.review.keys, keys: ["?"], run: () => keys.open() },
  { id: "now", label: t.review.back_to_now, keys: [], run: backToNow },
];
const keys = mountKeys({
  page: "audit", actions,
  onDigit: (digit) => {
    const chosen = now && !looked && now.item.choices?.[digit - 1];
    if (chosen) answer("which", chosen);
  },
});
// Back from the browser's memory: what was held was let go when the page was left.
window.addEventListener("pageshow", (event) => { if (event.persisted) { now = looked = null; queue.restart(); } });
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && looked && !document.querySelector("dialog[open]")) backToNow(); });
$("au-results-box").addEventListener("toggle", () => progress.summary && results(progress.summary));

learn();
await Promise.all([exhibit.load(), queue.take()]);
started = true;
if (!now) arrived();
