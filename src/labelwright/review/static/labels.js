// An input's annotations as REST has them, taken apart into what a person sees: one label for each concept and place.

import { around as aroundPoints } from "./geometry.js";
import { meant } from "./text_ranges.js";

const SUCCESS = 24150;
const STATES = { 24150: "success", 24151: "pending", 24157: "flagged", 24158: "denied", 24159: "flagged" };

/** What an annotation's concept counts as: "pending", "flagged", "success", "negative" or "denied". */
export function stateOf(annotation, concept) {
  const code = annotation.status?.code ?? SUCCESS;
  if (code === SUCCESS && concept && !(concept.value > 0)) return "negative";
  return STATES[code] ?? "pending";
}

/** Whether a person has something to say of it yet. */
export function waits(label) {
  return label.state === "pending" || label.state === "flagged";
}

/** The score that a model gave; null where nobody did, or where what is left is a person's yes or no. */
function scoreOf(annotation, concept) {
  const code = annotation.status?.code ?? SUCCESS;
  const told = annotation.model_version_id || code !== SUCCESS;
  if (!concept || !told || typeof concept.value !== "number") return null;
  return code === SUCCESS && (concept.value === 0 || concept.value === 1) ? null : concept.value;
}

/** A box as the pages have it, of a bounding_box of the API. */
export function boxOf({ top_row = 0, left_col = 0, bottom_row = 0, right_col = 0 }) {
  return { top: top_row, left: left_col, bottom: bottom_row, right: right_col };
}

/** And back. */
export function boundingBox({ top, left, bottom, right }) {
  return { top_row: top, left_col: left, bottom_row: bottom, right_col: right };
}

/** The box around whatever a region_info says; null where it is no place of an image. A mask's is the whole image. */
export function boxAround(info) {
  if (info?.bounding_box) return boxOf(info.bounding_box);
  if (info?.polygon?.points?.length) return aroundPoints(info.polygon.points);
  if (info?.point) return aroundPoints([info.point]);
  if (info?.keypoint_locations?.length) return aroundPoints(info.keypoint_locations);
  return info?.mask ? { top: 0, left: 0, bottom: 1, right: 1 } : null;
}

/** All places of an annotation in which concepts may stand, in the order in which the server counts them. */
function placesOf(data) {
  const places = [{ kind: "input", data }];
  const regions = (list, frame) => (list ?? []).map((region) => ({ kind: "region", data: region.data ?? {}, region, frame }));
  places.push(...regions(data.regions, null));
  for (const frame of data.frames ?? []) {
    places.push({ kind: "frame", data: frame.data ?? {}, frame });
    places.push(...regions(frame.data?.regions, frame));
  }
  return places;
}

/**
 * The labels of an annotation: [{id, spot, annotation, position, concept, state, score, kind, region, frame, segment}].
 * `spot` names the place: labels of one region share it. `kind` is "input", "region", "span", "frame" or "segment".
 * `position` is the concept's number in the annotation; null for what has none: a region without a concept, a segment.
 */
export function labelsOf(annotation) {
  const data = annotation.data ?? {};
  const made = [];
  let position = 0;
  placesOf(data).forEach((place, slot) => {
    const spot = `${annotation.id}/${slot}`;
    const kind = place.region?.region_info?.span || place.region?.region_info?.token ? "span" : place.kind;
    const about = { spot, annotation, kind, region: place.region ?? null, frame: place.frame ?? null, segment: null };
    const concepts = place.data.concepts ?? [];
    for (const concept of concepts) {
      made.push({ id: `${annotation.id}.${position}`, position, concept, ...about, ...saidOf(annotation, concept) });
      position += 1;
    }
    if (place.region && !concepts.length) {
      made.push({ id: spot, position: null, concept: null, ...about, ...saidOf(annotation, null) });
    }
  });
  for (const [index, segment] of (data.time_segments ?? []).entries()) {
    for (const concept of segment.data?.concepts?.length ? segment.data.concepts : [null]) {
      const id = `${annotation.id}/t${index}${concept ? `/${concept.id}` : ""}`;
      const about = { spot: id, annotation, kind: "segment", region: null, frame: null, segment };
      made.push({ id, position: null, concept, ...about, ...saidOf(annotation, concept) });
    }
  }
  return made;
}

const saidOf = (annotation, concept) => ({ state: stateOf(annotation, concept), score: scoreOf(annotation, concept) });

/** What a concept is called. */
export function nameOf(concept) {
  return concept?.name || concept?.id || "";
}

// Of several labels in one place the one that waits counts, and all are named.
function together(labels) {
  const first = labels.find(waits) ?? labels[0];
  return {
    id: first.spot,
    label: labels.map((label) => nameOf(label.concept)).filter(Boolean).join(", "),
    concept: first.concept?.id ?? "",
    score: first.score,
    state: first.state,
  };
}

function bySpot(labels) {
  const spots = new Map();
  for (const label of labels) {
    if (spots.has(label.spot)) spots.get(label.spot).push(label);
    else spots.set(label.spot, [label]);
  }
  return [...spots.values()];
}

/** The regions of an image's labels as the stage wants them. */
export function boxesOf(labels, editable = true) {
  return bySpot(labels.filter((label) => label.kind === "region" && !label.frame))
    .map((group) => boxOfGroup(group, editable))
    .filter(Boolean);
}

function boxOfGroup(group, editable) {
  const info = group[0].region.region_info;
  const box = boxAround(info);
  return box && { ...together(group), box, shape: info.bounding_box ? null : info, editable: editable && Boolean(info.bounding_box) };
}

/** The spans of a text's labels as `mountSpans` wants them. */
export function spansOf(labels, text, units) {
  return bySpot(labels.filter((label) => label.kind === "span" && !label.frame)).map((group) => {
    const { span, token } = group[0].region.region_info;
    return { ...together(group), ...meant(span ?? token, text, units), editable: true };
  });
}

/** The frames of a video's labels as `mountPlayer` wants them. */
export function framesOf(labels) {
  return bySpot(labels.filter((label) => label.frame)).map((group) => {
    const { frame, region } = group[0];
    const info = frame.frame_info ?? {};
    const at = { time_ms: Number(info.time) || 0, index: info.index ?? 0, number: info.number ?? 0 };
    const item = region ? boxOfGroup(group, false) : together(group);
    return { ...at, boxes: item ? [item] : [] };
  });
}

/** The stretches of time of a video's or an audio's labels as `mountPlayer` wants them. Times come in milliseconds. */
export function segmentsOf(labels) {
  return labels
    .filter((label) => label.segment)
    .map((label) => {
      const { begin_time: start = 0, end_time: end = 0 } = label.segment.time_info ?? {};
      return { ...together([label]), start_ms: start, end_ms: Math.max(start, end) };
    });
}

/** The id for a concept that a person gives a name: readable, and legal in any address. */
export function idFor(name) {
  const made = name.normalize("NFKC").trim().toLowerCase().replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^-+|-+$/g, "");
  return made.slice(0, 64) || `concept-${Math.random().toString(36).slice(2, 10)}`;
}
