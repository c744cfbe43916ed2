// The media of an input with its items: an image on the stage, a text with its spans, a video with its frames.
import { clear, fill, h } from "./dom.js";
import { kindOf, mediaAddress } from "./media_address.js";
import t from "./strings.js";

/** Load and decode what an entry shows, so that `show` waits for nothing. */
export async function prepare(entry) {
  const kind = kindOf(entry.input);
  if (kind === "image") {
    const source = mediaAddress(entry.input, "large");
    if (!source) return;
    const image = new Image();
    // Painted in the frame in which it is attached, and not when a decoder comes to it.
    image.decoding = "sync";
    image.src = source;
    await image.decode();
    entry.element = image;
  } else if (kind === "text") {
    const raw = entry.input.data.text.raw;
    const source = mediaAddress(entry.input, "orig");
    if (raw || !source) entry.text = raw ?? "";
    else entry.text = await (await fetch(source, { credentials: "same-origin" })).text();
  }
}

const stateOf = (item, verdicts) => verdicts?.get(item.item) ?? item.status;

/** Regions with the items that stand in them; the one in question first. */
function boxesOf(entry, current, verdicts) {
  const boxes = new Map();
  for (const item of [current, ...entry.all.filter((i) => i !== current)]) {
    if (item.place.kind !== "region") continue;
    const id = item.place.region_id || item.item;
    const had = boxes.get(id);
    if (had) had.items.push(item);
    else boxes.set(id, { id, box: item.place.box, shape: item.place.shape, label: item.concept.name, concept: item.concept.id, score: item.score, state: stateOf(item, verdicts), editable: false, items: [item] });
  }
  return [...boxes.values()];
}

function spansOf(entry, current, verdicts) {
  return entry.all.filter((i) => i.place.kind === "span").map((i) => ({
    id: i.item, start: i.place.start, end: i.place.end, label: i.concept.name, concept: i.concept.id, score: i.score, state: stateOf(i, verdicts), selected: i === current,
  }));
}

function framesOf(entry, current, verdicts) {
  return entry.all.filter((i) => i.place.kind === "frame").map((i) => ({
    id: i.item, index: i.place.index, time_ms: i.place.time_ms, selected: i === current,
    boxes: [{ id: i.item, box: i.place.box, label: i.concept.name, concept: i.concept.id, score: i.score, state: stateOf(i, verdicts) }],
  }));
}

/**
 * @param onSelect (item): somebody chose it in the media.
 * @returns {show(entry, item, verdicts), blank(node), zoom()}; verdicts: item → state, of those decided.
 */
export function mountExhibit(element, { onSelect }) {
  const room = { image: h("div", { class: "rv-room" }), other: h("div", { class: "rv-room rv-room-other", hidden: true }), blank: h("div", { class: "rv-room rv-room-blank", hidden: true }) };
  clear(element);
  element.append(room.image, room.other, room.blank);
  let stage = null, tools = null, shown = null, boxes = [], mounted = null, turn = 0;

  const only = (name) => { for (const [key, box] of Object.entries(room)) box.hidden = key !== name; };
  const chosen = (id) => {
    if (id === null) return;
    const item = boxes.find((b) => b.id === id)?.items.find((i) => shown?.open.includes(i)) ?? shown?.open.find((i) => i.item === id);
    if (item) onSelect(item);
  };

  async function load() {
    tools ??= Object.assign({}, ...(await Promise.all([import("./stage.js"), import("./spans.js"), import("./player.js")])));
    return tools;
  }

  /** Show an item of an entry. Of an image that is prepared, in this very frame. */
  function show(entry, item, verdicts) {
    const kind = kindOf(entry.input);
    const stays = shown === entry;
    shown = entry;
    if (kind === "image") {
      unmount();
      only("image");
      boxes = boxesOf(entry, item, verdicts);
      stage ??= tools.mountStage(room.image, { onSelect: chosen });
      if (stays) stage.setBoxes(boxes);
      else stage.setItem(entry.element ? { ...entry.input, element: entry.element } : entry.input, boxes);
      const mine = boxes.find((b) => b.items.includes(item));
      stage.select(mine?.id ?? null, { quiet: true });
      return;
    }
    boxes = [];
    only("other");
    other(entry, item, kind, verdicts, stays);
  }

  /** Texts and videos. Where the text and its view are there already, it is painted in this frame, too. */
  async function other(entry, item, kind, verdicts, stays) {
    const mine = ++turn;
    if (kind === "text") {
      if (entry.text === undefined) await entry.prepared;
      if (mine !== turn) return;
      const spans = spansOf(entry, item, verdicts), text = entry.text ?? entry.input.data.text.raw ?? "";
      if (mounted?.setText && stays) mounted.setSpans(spans);
      else if (mounted?.setText) mounted.setText(text, spans);
      else {
        unmount(false);
        mounted = tools.mountSpans(room.other, { text, spans, onSelect: chosen });
      }
      mounted.select(item.item, { quiet: true });
    } else if (kind === "video" || kind === "audio") {
      const frames = framesOf(entry, item, verdicts);
      if (mounted?.setItem) mounted.setItem(entry.input, frames);
      else {
        unmount(false);
        mounted = tools.mountPlayer(room.other, { input: entry.input, frames, onSelect: chosen });
      }
      mounted.select(item.item, { quiet: true });
    } else {
      unmount();
      clear(room.other);
      room.other.append(h("p", { class: "rv-nothing" }, t.review.no_media));
    }
    if (item.place.kind === "frame") mounted?.seek?.(item.place.time_ms);
    element.dispatchEvent(new Event("shown"));
  }

  function unmount(next = true) {
    if (next) turn++;
    mounted?.destroy?.();
    mounted = null;
  }

  return {
    load, show,
    /** Say something in the place of the media. */
    blank(...nodes) {
      shown = null;
      unmount();
      only("blank");
      clear(room.blank);
      room.blank.append(...nodes);
    },
    zoom() {
      const id = stage?.selected();
      if (id !== null && id !== undefined) stage.zoomTo(id);
    },
    fit: () => stage?.fit(),
    /** Whether the whole image is seen, so that a finger that moves means something else than panning. */
    get whole() {
      const image = room.image.hidden ? null : room.image.querySelector(".stage-picture");
      if (!image) return true;
      const [a, b] = [image.getBoundingClientRect(), element.getBoundingClientRect()];
      return a.width <= b.width + 1 && a.height <= b.height + 1;
    },
  };
}

/** Where an item stands, in words. */
export function placeText(item, input) {
  const place = item.place;
  if (place.kind === "span") return fill(t.review.in_span, { text: place.text.length > 60 ? `${place.text.slice(0, 59)}…` : place.text });
  if (place.kind === "frame") return fill(t.review.in_frame, { time: clock(place.time_ms) });
  if (place.kind === "region") return t.review.in_region;
  return t.review[`in_${kindOf(input)}`] ?? "";
}

function clock(ms) {
  const seconds = ms / 1000;
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}

/** A small picture of an item: its region of a decoded image, drawn; a letter where there is no image. */
export function thumbnail(entry, item, side = 48) {
  const image = entry.element;
  if (!image?.naturalWidth) return h("span", { class: "rv-thumb rv-thumb-letter", "aria-hidden": "true" }, (item.concept.name || "?").slice(0, 1).toUpperCase());
  const canvas = h("canvas", { class: "rv-thumb", width: side * 2, height: side * 2, "aria-hidden": "true" });
  const { x, y, width, height } = square(item.place.box, image.naturalWidth, image.naturalHeight);
  canvas.getContext("2d")?.drawImage(image, x, y, width, height, 0, 0, side * 2, side * 2);
  return canvas;
}

/** The square of an image that shows a box with some of what is around it; the middle of the image where there is none. */
export function square(box, width, height, margin = 0.2) {
  const b = box ?? { left: 0, top: 0, right: 1, bottom: 1 };
  const w = (b.right - b.left) * width, ht = (b.bottom - b.top) * height;
  const side = box ? Math.min(Math.max(w, ht) * (1 + 2 * margin), Math.max(width, height)) : Math.min(width, height);
  const fit = (middle, all) => (side >= all ? (all - side) / 2 : Math.min(Math.max(0, middle - side / 2), all - side));
  return { x: fit(((b.left + b.right) / 2) * width, width), y: fit(((b.top + b.bottom) / 2) * height, height), width: side, height: side };
}
