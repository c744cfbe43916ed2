// What the input's page asks of the server, and how each change is taken back.

import { beacon, get, post, v2 } from "./api.js";
import { boundingBox, labelsOf } from "./labels.js";

const PAGE = 1000;
// How many positions of an annotation are tried: they have gaps where concepts were decided before.
const POSITIONS = 8;

const segment = encodeURIComponent;
export const newId = () => crypto.getRandomValues(new Uint32Array(4)).reduce((text, n) => text + n.toString(16).padStart(8, "0"), "");

/** The id under which this page's verdicts are known. */
export const tab = newId();

export async function loadInput(id) {
  return (await v2(`inputs/${segment(id)}`)).input;
}

/** All annotations of an input that are listed, the oldest first. */
export async function loadAnnotations(inputId) {
  const found = [];
  for (let page = 1; ; page += 1) {
    const params = { input_ids: inputId, list_all_annotations: true, page, per_page: PAGE };
    const part = (await v2("annotations", { params })).annotations ?? [];
    found.push(...part);
    if (part.length < PAGE) return found.reverse();
  }
}

/** All concepts of the app, {id, name}. */
export async function loadConcepts() {
  const found = [];
  for (let page = 1; page <= 20; page += 1) {
    const part = (await v2("concepts", { params: { page, per_page: PAGE } })).concepts ?? [];
    found.push(...part.map(({ id, name }) => ({ id, name: name || id })));
    if (part.length < PAGE) break;
  }
  return found;
}

/** Model version id to {id, name, version}, of the models that this app's labels come from as far as they are known. */
export async function loadModels() {
  const found = new Map();
  const summary = await get("review/summary").catch(() => null);
  for (const each of summary?.model_versions ?? []) found.set(each.version_id, each.name || each.model_id);
  const listed = await v2("models", { params: { per_page: PAGE } }).catch(() => null);
  for (const model of listed?.models ?? []) {
    if (model.model_version?.id) found.set(model.model_version.id, model.name || model.id);
  }
  return found;
}

const only = (reply) => reply.annotations?.[0];

/** Make an annotation under an id of our own, so that one whose answer was lost is not made twice. */
export async function create(annotation) {
  try {
    return only(await v2("annotations", { body: { annotations: [annotation] } }));
  } catch (error) {
    const there = error.code !== "" && !error.offline && (await read(annotation).catch(() => null));
    if (there) return there;
    throw error;
  }
}

async function read({ id, input_id: input }) {
  return (await v2(`inputs/${segment(input)}/annotations/${segment(id)}`)).annotation;
}

// Annotations of which an answer was lost: what we sent may have been done, under an id that we never learned.
const unanswered = new Set();

async function change({ id }, path, options) {
  try {
    return (await v2(path, options)).status.req_id;
  } catch (error) {
    if (error.offline) unanswered.add(id);
    throw error;
  }
}

/** Delete an annotation; gives what undoes it. */
export async function remove(annotation) {
  const path = `inputs/${segment(annotation.input_id)}/annotations/${segment(annotation.id)}`;
  try {
    return undoing(annotation, await change(annotation, path, { method: "DELETE" }));
  } catch (error) {
    // Gone already: that is what was wanted.
    if (error.http !== 404) throw error;
    return undoing(annotation, "");
  }
}

/** Change an annotation; gives what undoes it. */
async function patch(action, annotation) {
  const body = { action, annotations: [annotation] };
  return undoing(annotation, await change(annotation, "annotations", { method: "PATCH", body }));
}

/** What undoes a change of ours, whose action is the id of the call that made it; "" where another made it. */
function undoing(annotation, action) {
  return async () => {
    try {
      if (action) return await undoAction(action);
    } catch (error) {
      if (error.http !== 404) throw error;
    }
    // The call changed nothing, so that there is nothing to undo; or one before it did, whose answer was lost.
    if (unanswered.has(annotation.id)) action = await lastOf(annotation);
    if (action && unanswered.delete(annotation.id)) await undoAction(action);
    return undefined;
  };
}

/** My last change of an annotation that stands; "" where there is none. */
async function lastOf({ id }) {
  const { entries } = await get("history", { annotation: id, user: "me", n: 20 });
  return entries.find((entry) => !entry.undone_at && entry.annotation_id === id)?.action ?? "";
}

/** The data that names one place of an annotation, with what is said of it. */
function inPlace(label, region) {
  if (!label.region) return label.frame ? { frames: [{ ...label.frame, data: region }] } : region;
  if (!label.frame) return { regions: [region] };
  return { frames: [{ id: label.frame.id, data: { regions: [region] } }] };
}

/** Give a region another box; gives what undoes it. */
export function reshape(label, box) {
  const region = { id: label.region.id, region_info: { bounding_box: boundingBox(box) } };
  return patch("merge", { id: label.annotation.id, input_id: label.annotation.input_id, data: inPlace(label, region) });
}

/** Put another concept in the place of a label's own; the concepts beside it stay. Gives what undoes it. */
export async function rename(label, concept) {
  const { annotation } = label;
  const id = { id: annotation.id, input_id: annotation.input_id };
  const named = { id: concept.id, name: concept.name, value: 1 };
  const data = (concepts) => {
    if (!label.region) return label.frame ? inPlace(label, { concepts }) : { concepts };
    return inPlace(label, { id: label.region.id, data: { concepts } });
  };
  const merged = await patch("merge", { ...id, data: data([named]) });
  if (!label.concept || label.concept.id === concept.id) return merged;
  const removed = await patch("remove", { ...id, data: data([{ id: label.concept.id }]) });
  let half = false;
  return async () => {
    if (!half) await removed();
    half = true;
    await merged();
  };
}

/** Take one concept out of an annotation that stays; gives what undoes it. */
export function takeOut(label) {
  const { annotation, concept } = label;
  const concepts = [{ id: concept.id }];
  const region = label.region ? { id: label.region.id, data: { concepts } } : { concepts };
  return patch("remove", { id: annotation.id, input_id: annotation.input_id, data: inPlace(label, region) });
}

/**
 * Say yes or no to a label that waits, or name another concept.
 * @returns the action, for undoing it; throws where somebody was faster
 */
export async function decide(label, verdict, newConcept) {
  const action = newId();
  for (let at = label.position; at < label.position + POSITIONS; at += 1) {
    const item = `${label.annotation.id}.${at}`;
    const said = { item, concept_id: label.concept.id, verdict, ...(newConcept && { new_concept: newConcept }) };
    const reply = await post("review/verdicts", { tab, action: at === label.position ? action : newId(), verdicts: [said] });
    const result = reply.results?.[0] ?? {};
    if (result.state !== "gone") {
      if (result.error) throw new Error(result.error);
      return { action: reply.action ?? action, result };
    }
    if (result.by) return { gone: true, by: result.by };
  }
  return { gone: true, by: "" };
}

/** Undo an action: verdicts, or a call that patched or deleted annotations. Throws where somebody has changed it since. */
export async function undoAction(action) {
  const { kept } = await post("review/undo", { tab, action });
  if (kept?.length) throw new Error(kept[0].why);
}

/** Hold nothing for this page any longer: what comes back by an undo is held for who asked for it. */
export function letGo() {
  beacon("review/release", { tab });
}

/** The label that stands in the place of another one in a newer state of its annotation; null where it is gone. */
export function nowOf(label, annotation) {
  return annotation ? labelsOf(annotation).find((each) => each.spot === label.spot) ?? null : null;
}
