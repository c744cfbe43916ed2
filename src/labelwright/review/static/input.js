// The page of one input: what it is, what is said of it, and a person's say in that.

import { get, me } from "./api.js";
import { announce, fill, h } from "./dom.js";
import t from "./strings.js";
import { failed, toast } from "./toast.js";
import { queueOfEdits } from "./edits.js";
import { mountHistory } from "./history.js";
import {
  create,
  decide,
  letGo,
  loadAnnotations,
  loadConcepts,
  loadInput,
  loadModels,
  newId,
  remove,
  rename,
  reshape,
  takeOut,
  undoAction,
} from "./input_calls.js";
import { aboutInput, stateChip } from "./input_about.js";
import { labelList } from "./label_list.js";
import { boundingBox, boxesOf, framesOf, idFor, labelsOf, nameOf, segmentsOf, spansOf, waits } from "./labels.js";
import { kindOf, mediaAddress } from "./media_address.js";
import { pick } from "./picker.js";
import { mountPlayer } from "./player.js";
import { mountSpans } from "./spans.js";
import { mountStage } from "./stage.js";
import { codeUnits } from "./text_ranges.js";

const WORKING = new Set([30001, 30003]); // waits, is worked on: labels may come any moment
const LOOK_AGAIN = 1500;

const at = (id) => document.getElementById(id);
const inputId = at("main").dataset.input;

let input = null;
let annotations = new Map(); // id → as REST has it, with what is on its way done already
let labels = [];
let concepts = [];
let models = new Map();
let viewer = null;
let text = null; // {raw, units} of a text
let chosen = null; // the spot that is chosen
const recent = [];

const list = labelList(at("one-labels"), {
  choose: (label) => choose(label.spot),
  accept: (label) => verdict(label, "accept"),
  reject: (label) => verdict(label, "reject"),
  relabel: (label) => relabel(label),
  remove: (label) => removeLabel(label),
  modelName: (version) => models.get(version) ?? version.slice(0, 8),
  excerpt: (label) => excerpt(label),
});
const history = mountHistory(at("one-history"), {
  get: (params) => get("history", params),
  undo: async (entry) => {
    try {
      await undoAction(entry.action);
    } catch (error) {
      failed(error);
    }
    await reload().catch(failed);
  },
  me,
});
const edits = queueOfEdits({ onState: showState, onSettled: settled });

// ---- loading ----

async function start() {
  try {
    [input, concepts, models] = await Promise.all([loadInput(inputId), loadConcepts(), loadModels()]);
    take(await loadAnnotations(inputId));
  } catch (error) {
    at("one-labels").replaceChildren();
    wrong(fill(t.media.not_loaded, { why: error.details || error.description || error.message }), [
      [t.media.again, () => location.reload()],
    ]);
    return;
  }
  await showInput();
  render();
  history.show(inputId);
  const wanted = new URLSearchParams(location.search).get("annotation");
  const first = labels.find((label) => label.annotation.id === wanted);
  if (first) choose(first.spot);
  watchWork();
}

// While the models are at it, their labels appear as they come.
async function watchWork() {
  if (!WORKING.has(input.status?.code)) return;
  await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  try {
    const before = mediaAddress(input, "orig");
    input = await loadInput(inputId);
    if (before !== mediaAddress(input, "orig")) await showInput();
    else about();
    await reload();
  } catch {
    // The next look may go better.
  }
  watchWork();
}

function take(found) {
  annotations = new Map(found.map((annotation) => [annotation.id, annotation]));
}

async function reload() {
  const found = await loadAnnotations(inputId);
  if (edits.busy()) return;
  take(found);
  render();
  history.refresh();
}

function about() {
  stateChip(at("one-state"), input);
  aboutInput(at("one-about"), input);
}

async function showInput() {
  about();
  const kind = kindOf(input);
  const view = at("one-view");
  viewer?.destroy();
  viewer = null;
  view.className = `one-view card is-${kind || "none"}`;
  if (kind === "image") viewer = mountStage(view, { input, onSelect, onChange });
  else if (kind === "video" || kind === "audio") viewer = mountPlayer(view, { input, onSelect });
  else if (kind === "text") {
    const raw = await textOf(input);
    text = { raw, units: codeUnits(raw) };
    viewer = mountSpans(view, { text: raw, onSelect, onChange: onSpanChange });
  } else view.replaceChildren(h("p", { class: "blank" }, t.media.no_media));
}

async function textOf(of) {
  if (of.data.text.raw) return of.data.text.raw;
  const address = mediaAddress(of, "orig");
  if (!address) return "";
  try {
    const reply = await fetch(address, { credentials: "same-origin" });
    if (!reply.ok) throw new Error(String(reply.status));
    return await reply.text();
  } catch (error) {
    wrong(fill(t.media.not_loaded, { why: error.message }), []);
    return "";
  }
}

// ---- showing ----

let openedAt = false;

function render() {
  labels = [...annotations.values()].flatMap(labelsOf);
  const kind = kindOf(input);
  if (viewer && kind === "image") viewer.setBoxes(boxesOf(labels));
  else if (viewer && kind === "text") {
    const spans = spansOf(labels, text.raw, text.units);
    if (openedAt) viewer.setSpans(spans);
    else viewer.setText(text.raw, spans);
  } else if (viewer) viewer.setItem(input, framesOf(labels), segmentsOf(labels));
  if (viewer && !openedAt && kind !== "image" && kind !== "text") viewer.nextOpen();
  openedAt = true;
  if (chosen !== null && !labels.some((label) => label.spot === chosen)) chosen = null;
  if (chosen !== null) viewer?.select(chosen, { quiet: true });
  list.show(labels);
  list.mark(chosen);
}

function choose(spot) {
  chosen = spot;
  viewer?.select(spot, { quiet: true });
  list.mark(spot);
}

function onSelect(spot) {
  chosen = spot;
  list.mark(spot);
}

function excerpt(label) {
  if (label.kind !== "span") return "";
  const { span, token } = label.region.region_info;
  const raw = (span ?? token).raw_text;
  if (raw || !text) return (raw ?? "").slice(0, 60);
  const { char_start: from = 0, char_end: to = 0 } = span ?? token;
  return text.raw.slice(text.units.unit(from), text.units.unit(Math.min(to, from + 60)));
}

function showState({ waiting, offline, failed: refused, undoable }) {
  const saved = at("one-saved");
  saved.classList.toggle("is-waiting", offline);
  if (offline) saved.textContent = fill(t.media.offline, { n: waiting });
  else if (waiting) saved.textContent = t.media.saving;
  else saved.textContent = refused.length ? "" : t.media.saved;
  at("one-undo").disabled = !undoable && !waiting;
  if (!refused.length) {
    at("one-wrong").hidden = true;
    return;
  }
  const words = refused.map(({ words: what, why }) => fill(t.media.failed, { what, why })).join("\n");
  wrong(words, [
    [t.media.again, () => edits.retry()],
    [t.media.discard, () => edits.discard()],
  ]);
}

function wrong(words, buttons) {
  const place = at("one-wrong");
  place.hidden = false;
  place.replaceChildren(
    h("p", {}, words),
    h("div", { class: "one-tools" }, buttons.map(([name, run]) => h("button", { type: "button", class: "button", on: { click: run } }, name))),
  );
}

function settled() {
  // What the server made of it is the truth; what is shown was our guess.
  reload().catch(failed);
}

// ---- changes ----

/** Put an annotation in its place at once, and let the page show it. */
function guess(annotation) {
  annotations.set(annotation.id, annotation);
  render();
}

const copy = (thing) => structuredClone(thing);

function wanted() {
  const known = new Set(recent.map((each) => each.id));
  return [...recent, ...concepts.filter((each) => !known.has(each.id))];
}

async function askConcept(title) {
  const found = await pick({ concepts: wanted(), title, allowNew: true });
  if (!found) return null;
  const concept = { id: found.id ?? idFor(found.name), name: found.name };
  if (!found.id && !concepts.some((each) => each.id === concept.id)) concepts.push(concept);
  recent.splice(0, recent.length, ...[concept, ...recent.filter((each) => each.id !== concept.id)].slice(0, 8));
  return { ...concept, fresh: !found.id };
}

/** Make an annotation of some data, now and on the server. */
function make(data, concept) {
  const annotation = { id: newId(), input_id: inputId, data, status: { code: 24150 }, user_id: me };
  guess(annotation);
  const [label] = labelsOf(annotation);
  choose(label.spot);
  announce(fill(t.media.added, { name: nameOf(concept) }));
  edits.add(fill(t.media.edit_add, { name: nameOf(concept) }), async () => {
    await create(annotation);
    return () => remove(annotation);
  });
}

const said = (concept) => [{ id: concept.id, name: concept.name, value: 1 }];

async function onChange({ type, id, box }) {
  const label = labels.find((each) => each.spot === id);
  if (type === "add") {
    const concept = await askConcept(t.media.pick_box);
    if (!concept) render();
    else make({ regions: [{ id: newId(), region_info: { bounding_box: boundingBox(box) }, data: { concepts: said(concept) } }] }, concept);
  } else if (!label) render();
  else if (type === "change") reshaped(label, box);
  else if (type === "remove") removeSpot(label);
  else relabel(label);
}

function reshaped(label, box) {
  const changed = copy(label.annotation);
  const region = regionIn(changed, label);
  region.region_info.bounding_box = boundingBox(box);
  guess(changed);
  edits.add(fill(t.media.edit_box, { name: nameOf(label.concept) }), () => reshape(label, box));
}

function regionIn(annotation, label) {
  const frame = annotation.data.frames?.find((each) => each.id === label.frame?.id);
  return (frame ? frame.data : annotation.data).regions.find((each) => each.id === label.region.id);
}

/** Remove a place with all that is said of it. */
function removeSpot(label) {
  const { annotation } = label;
  const places = new Set(labelsOf(annotation).map((each) => each.spot));
  if (places.size > 1) {
    labels.filter((each) => each.spot === label.spot && each.concept).forEach(removeLabel);
    return;
  }
  annotations.delete(annotation.id);
  render();
  edits.add(fill(t.media.edit_remove, { name: nameOf(label.concept) }), () => remove(annotation));
}

/** Remove one concept; the annotation too, where that was all it said. */
function removeLabel(label) {
  const { annotation } = label;
  if (labelsOf(annotation).length === 1 && !annotation.input_level) {
    removeSpot(label);
    return;
  }
  const changed = copy(annotation);
  const place = label.region ? regionIn(changed, label).data : changed.data;
  if (place.concepts) place.concepts = place.concepts.filter((each) => each.id !== label.concept?.id);
  guess(changed);
  edits.add(fill(t.media.edit_remove, { name: nameOf(label.concept) }), () => takeOut(label));
}

async function relabel(label) {
  const concept = await askConcept(fill(t.media.pick_other, { name: nameOf(label.concept) }));
  if (!concept || concept.id === label.concept?.id) {
    viewer?.select(chosen, { quiet: true });
    return;
  }
  if (waits(label) && label.position !== null) {
    verdict(label, "relabel", concept);
    return;
  }
  const changed = copy(label.annotation);
  const place = label.region ? (regionIn(changed, label).data ??= {}) : changed.data;
  place.concepts = [...said(concept), ...(place.concepts ?? []).filter((each) => each.id !== label.concept?.id)];
  guess(changed);
  edits.add(fill(t.media.edit_relabel, { name: nameOf(concept) }), () => rename(label, concept));
}

function verdict(label, what, concept = null) {
  const words = { accept: t.media.edit_accept, reject: t.media.edit_reject, relabel: t.media.edit_relabel }[what];
  if (what !== "relabel" && labelsOf(label.annotation).length === 1) {
    const changed = copy(label.annotation);
    changed.status = { code: 24150 };
    const place = label.region ? regionIn(changed, label).data : (changed.data.frames?.[0]?.data ?? changed.data);
    for (const each of place.concepts) each.value = what === "accept" ? 1 : 0;
    guess(changed);
  }
  const given = concept && (concept.fresh ? { name: concept.name } : { id: concept.id });
  edits.add(fill(words, { name: nameOf(concept ?? label.concept) }), async () => {
    const done = await decide(label, what, given);
    if (!done.gone) return () => undoAction(done.action);
    toast(done.by ? fill(t.media.gone_by, { name: done.by }) : t.media.gone);
    return null;
  });
}

function onSpanChange({ type, id, start, end, text: words }) {
  const label = labels.find((each) => each.spot === id);
  if (type === "add") makeSpan(start, end, words);
  else if (type === "remove" && label) removeSpot(label);
  else if (type === "relabel" && label) relabel(label);
}

async function makeSpan(start, end, words) {
  const concept = await askConcept(fill(t.media.pick_span, { text: words.slice(0, 40) }));
  if (!concept) return;
  const span = { char_start: start, char_end: end, raw_text: words };
  make({ regions: [{ id: newId(), region_info: { span }, data: { concepts: said(concept) } }] }, concept);
}

at("one-add").addEventListener("click", async () => {
  const concept = await askConcept(t.media.pick_input);
  if (concept) make({ concepts: said(concept) }, concept);
});

// ---- undo, keys, leaving ----

function undo() {
  viewer?.flush?.();
  if (edits.undo()) announce(t.media.undone);
}

at("one-undo").addEventListener("click", undo);
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input:not([type=range]), textarea, select, dialog");
  if (typing || event.altKey || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "z") return;
  event.preventDefault();
  undo();
});
window.addEventListener("beforeunload", (event) => {
  viewer?.flush?.();
  if (edits.unsaved()) event.preventDefault();
});
window.addEventListener("pagehide", letGo);

start();
