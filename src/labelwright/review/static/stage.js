// The stage: an image with its boxes, to be looked at closely, and to be drawn on.

import { h, svg, fill } from "./dom.js";
import t from "./strings.js";
import {
  HANDLES,
  area,
  clamp,
  fitted,
  grown,
  moved,
  onto,
  resized,
  same,
  settled,
  tidy,
  toImage,
  toScreen,
  zoomed,
} from "./geometry.js";
import { watch } from "./gestures.js";
import { kindOf } from "./media_address.js";
import { picture } from "./picture.js";
import { boxElement, describe, dress, maskElement, percent, place, shapeElement } from "./render_box.js";
import { tools } from "./stage_tools.js";

const MARGIN = 12;
const LEAST_DRAWN = 4; // screen pixels: less is a slip of the hand
const REST = 700; // milliseconds without a key after which moving by keys counts as done
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Put a stage into an element that has a size of its own.
 * @param {HTMLElement} element
 * @param {object} options
 *   input: an Input as REST has it; with `element`, a decoded HTMLImageElement, it is painted synchronously.
 *   boxes: [{id, box: {top, left, bottom, right} in 0..1, label, score, state, editable, concept?, shape?}];
 *     state is "pending", "flagged", "success", "negative" or "denied"; `concept` (an id) gives the colour, else the
 *     label does; `shape` is the region_info of a polygon, mask or point, which is shown and never edited.
 *   onSelect(id or null).
 *   onChange({type: "add" | "change" | "remove" | "relabel", id, box, before}): what the person did, shown already;
 *     null where nothing may be changed. A box that was added has an id of the stage's own until the next setBoxes.
 * @returns {{setItem, setBoxes, select, selected, zoom, fit, zoomTo, flush, destroy}}
 */
export function mountStage(element, options = {}) {
  const onSelect = options.onSelect ?? (() => {});
  const onChange = options.onChange ?? null;
  let input = null;
  let size = null;
  let pixels = null;
  let room = { width: element.clientWidth || 1, height: element.clientHeight || 1 };
  let view = { scale: 1, x: 0, y: 0 };
  let atFit = true;
  let selected = null;
  let dragged = null;
  let tool = onChange ? "draw" : "pan";
  let hidden = false;
  let spaceHeld = false;
  let drawn = 0;
  let nudge = null;
  let lastTap = { id: null, at: 0 };
  let parts = new Map(); // id → {item, element}

  const helpId = `stage-help-${Math.random().toString(36).slice(2)}`;
  const shapes = svg("svg", { class: "stage-shapes", viewBox: "0 0 1 1", preserveAspectRatio: "none" });
  shapes.setAttribute("aria-hidden", "true");
  const masks = h("div", { class: "stage-masks", "aria-hidden": "true" });
  const layer = h("div", { class: "stage-boxes" });
  const rubber = h("div", { class: "stage-rubber", hidden: "", "aria-hidden": "true" });
  const handles = h("div", { class: "stage-handles", "aria-hidden": "true", hidden: "" });
  for (const name of HANDLES) handles.append(h("div", { class: `handle handle-${name}`, "data-handle": name }));
  const ground = h(
    "div",
    { class: "stage-ground", tabindex: "0", role: "group", "aria-label": t.media.stage, "aria-describedby": helpId },
    masks,
    shapes,
    layer,
    handles,
    rubber,
  );
  const note = h("p", { class: "stage-note", hidden: "" });
  const live = h("div", { class: "unseen", "aria-live": "polite" });
  const help = h("p", { class: "unseen", id: helpId }, onChange ? t.media.stage_help : t.media.stage_help_read);
  const bar = tools({
    keys: Boolean(onChange),
    tool: choose,
    add: addInMiddle,
    zoom: (factor) => zoom(factor),
    fit,
    hide,
  });
  const root = h("div", { class: "stage" }, ground, note, bar.element, help, live);
  element.replaceChildren(root);

  const image = picture(ground, {
    onReady: (found) => {
      size = found;
      const info = input?.data?.image?.image_info;
      pixels = { width: info?.width || size.width, height: info?.height || size.height };
      note.hidden = true;
      fit();
    },
    onFailed: () => {
      note.textContent = kindOf(input) === "image" ? t.media.no_picture : t.media.not_an_image;
      note.hidden = false;
    },
    onSharper: (width, height) => {
      pixels = { width, height };
    },
  });

  const resizes = new ResizeObserver(() => {
    const next = { width: element.clientWidth || 1, height: element.clientHeight || 1 };
    if (next.width === room.width && next.height === room.height) return;
    room = next;
    if (atFit) fit();
    else look(view);
  });
  resizes.observe(element);

  // ---- what is shown ----

  function setItem(next, boxes = []) {
    flush();
    cancelDrag();
    const stays = next?.id && next.id === input?.id && !next.element && size;
    input = next;
    if (!stays) {
      size = null;
      pixels = null;
      select(null, { quiet: true });
      parts.clear();
      layer.replaceChildren();
      image.show(next);
    }
    setBoxes(boxes);
  }

  function setBoxes(boxes) {
    flush();
    const before = parts;
    parts = new Map();
    for (const given of boxes) {
      const had = before.get(given.id);
      const item = { ...given, box: tidy(given.box ?? { top: 0, left: 0, bottom: 1, right: 1 }) };
      if (item.shape && !item.shape.bounding_box) item.editable = false;
      parts.set(item.id, { item, element: had?.element ?? boxElement(item.id) });
    }
    const focused = layer.contains(document.activeElement) ? document.activeElement : null;
    if (selected !== null && !parts.has(selected)) select(null);
    const order = [...parts.values()].map((part) => part.element);
    for (const gone of [...layer.children]) if (!order.includes(gone)) gone.remove();
    order.forEach((box, at) => layer.children[at] !== box && layer.insertBefore(box, layer.children[at] ?? null));
    if (focused && focused.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
    shapes.replaceChildren(...[...parts.values()].map((part) => shapeElement(part.item)).filter(Boolean));
    masks.replaceChildren(...[...parts.values()].map((part) => maskElement(part.item)).filter(Boolean));
    for (const part of parts.values()) dress(part.element, part.item, part.item.id === selected);
    layBoxes();
  }

  function layBoxes() {
    if (!size) {
      layer.hidden = true;
      handles.hidden = true;
      return;
    }
    layer.hidden = false;
    for (const { item, element: box } of parts.values()) {
      const at = toScreen(view, size, item.box);
      place(box, at);
      // The smaller one lies on top, so that what stands within another can be reached.
      box.style.zIndex = String(Math.round(1e6 * (1 - area(item.box))));
      box.classList.toggle("is-high", at.y < 22);
    }
    const all = toScreen(view, size, { top: 0, left: 0, bottom: 1, right: 1 });
    place(shapes, all);
    place(masks, all);
    layHandles();
  }

  function layHandles() {
    const item = parts.get(selected)?.item;
    handles.hidden = !(size && item?.editable && onChange);
    if (handles.hidden) return;
    const at = toScreen(view, size, item.box);
    place(handles, at);
    // On a small box the handles step outwards, so that there is something of it left to take hold of.
    handles.classList.toggle("is-small", Math.min(at.width, at.height) < 56);
    handles.classList.toggle("is-narrow", at.width < 56);
    handles.classList.toggle("is-low", at.height < 56);
  }

  function look(next, { fitting = false } = {}) {
    view = fitting ? next : settled(next, size ?? room, room, MARGIN);
    atFit = fitting;
    image.look(view);
    layBoxes();
    saying();
  }

  function saying() {
    const share = size && pixels ? percent((view.scale * size.width) / pixels.width) : "";
    bar.say({ tool, share, hidden, drawable: Boolean(onChange) });
    ground.classList.toggle("is-drawing", tool === "draw" && !spaceHeld);
    ground.classList.toggle("is-panning", tool === "pan" || spaceHeld);
  }

  const leastScale = () => Math.min(fitted(size, room, MARGIN).scale, 1);
  const mostScale = () => Math.max(16 * (pixels?.width ?? 1) / size.width, 8 * fitted(size, room, MARGIN).scale);

  function fit() {
    if (size) look(fitted(size, room, MARGIN), { fitting: true });
  }

  function zoom(factor, point = { x: room.width / 2, y: room.height / 2 }) {
    if (!size) return;
    look(zoomed(view, factor, point, leastScale(), mostScale()));
    if (view.scale * (window.devicePixelRatio || 1) > 1.1) image.sharpen();
  }

  function zoomTo(id) {
    const item = parts.get(id)?.item;
    if (!item || !size) return;
    look(onto(item.box, size, room, 0.5, leastScale(), mostScale()));
    image.sharpen();
  }

  // ---- choosing ----

  function select(id, { quiet = false, focus = false } = {}) {
    const next = id !== null && parts.has(id) ? id : null;
    if (next !== selected) {
      flush();
      for (const [which, yes] of [[selected, false], [next, true]]) {
        const part = parts.get(which);
        if (part) dress(part.element, part.item, yes);
      }
      selected = next;
      layHandles();
      if (next !== null) {
        reveal(next);
        if (parts.get(next).item.editable) image.sharpen();
      }
      if (!quiet) onSelect(next);
    }
    if (focus && next !== null) parts.get(next).element.focus({ preventScroll: true });
  }

  function reveal(id) {
    if (!size) return;
    const at = toScreen(view, size, parts.get(id).item.box);
    const out = at.x > room.width - 8 || at.y > room.height - 8 || at.x + at.width < 8 || at.y + at.height < 8;
    if (!out) return;
    const dx = room.width / 2 - (at.x + at.width / 2);
    const dy = room.height / 2 - (at.y + at.height / 2);
    look({ ...view, x: view.x + dx, y: view.y + dy });
  }

  function hide() {
    hidden = !hidden;
    ground.classList.toggle("is-bare", hidden);
    saying();
  }

  function choose(name) {
    tool = name;
    saying();
  }

  // ---- changing ----

  function change(item, box) {
    item.box = box;
    const part = parts.get(item.id);
    part.element.setAttribute("aria-label", describe(item));
    layBoxes();
  }

  function tell(type, item, before = null) {
    onChange?.({ type, id: item.id, box: { ...item.box }, before });
  }

  function done(item, before) {
    if (same(item.box, before)) return;
    live.textContent = describe(item);
    tell("change", item, before);
  }

  /** Tell at once of what was moved by keys and would be told when they rest. */
  function flush() {
    if (!nudge) return;
    clearTimeout(nudge.timer);
    const { item, before } = nudge;
    nudge = null;
    done(item, before);
  }

  function byKeys(item, box) {
    if (nudge?.item !== item) flush();
    nudge ??= { item, before: { ...item.box } };
    clearTimeout(nudge.timer);
    nudge.timer = setTimeout(flush, REST);
    change(item, box);
  }

  function add(box) {
    const item = { id: `drawn-${(drawn += 1)}`, box, label: t.media.new_box, score: null, state: "draft", editable: true };
    parts.set(item.id, { item, element: boxElement(item.id) });
    layer.append(parts.get(item.id).element);
    dress(parts.get(item.id).element, item, false);
    layBoxes();
    select(item.id, { focus: true });
    tell("add", item);
  }

  function addInMiddle() {
    if (!onChange || !size) return;
    const middle = toImage(view, size, { x: room.width / 2, y: room.height / 2 });
    const x = clamp(middle.x, 0.15, 0.85);
    const y = clamp(middle.y, 0.15, 0.85);
    add(tidy({ top: y - 0.15, left: x - 0.15, bottom: y + 0.15, right: x + 0.15 }));
  }

  function remove(id) {
    const part = parts.get(id);
    if (!onChange || !part?.item.editable) return;
    flush();
    const ids = [...parts.keys()];
    const next = ids[ids.indexOf(id) + 1] ?? ids[ids.indexOf(id) - 1] ?? null;
    parts.delete(id);
    if (next !== null) select(next, { focus: true });
    else {
      select(null);
      ground.focus({ preventScroll: true });
    }
    part.element.remove();
    layBoxes();
    live.textContent = fill(t.media.removed, { name: part.item.label });
    tell("remove", part.item, part.item.box);
  }

  function relabel(id) {
    const item = parts.get(id)?.item;
    if (!onChange || !item?.editable) return;
    flush();
    tell("relabel", item);
  }

  // ---- pointers ----

  const cancelDrag = watch(ground, {
    begin(point, event) {
      flush();
      if (!size || (event.pointerType === "mouse" && event.button > 1)) return null;
      const handle = event.target.closest?.("[data-handle]")?.dataset.handle;
      const id = event.target.closest?.("[data-box]")?.dataset.box ?? null;
      const item = parts.get(id)?.item;
      const tap = (up) => tapped(id, up);
      if (event.button === 1 || spaceHeld) return { ...panning(), tap };
      if (handle && selected !== null) return shaping(parts.get(selected).item, handle);
      if (item && id === selected && item.editable && onChange && !event.shiftKey) return { ...shaping(item, null), tap };
      const on = toImage(view, size, point);
      const inside = on.x >= 0 && on.x <= 1 && on.y >= 0 && on.y <= 1;
      if (tool === "draw" && onChange && inside && !hidden) return { ...drawing(), tap };
      return { ...panning(), tap };
    },
    pinch(factor, middle, dx, dy) {
      if (!size) return;
      const by = zoomed(view, factor, middle, leastScale(), mostScale());
      look({ ...by, x: by.x + dx, y: by.y + dy });
      if (view.scale > 1.1) image.sharpen();
    },
  });

  function tapped(id, event) {
    const twice = id !== null && lastTap.id === id && event.timeStamp - lastTap.at < 400;
    lastTap = { id, at: event.timeStamp };
    if (id === null) {
      select(null);
      ground.focus({ preventScroll: true });
    } else {
      select(id, { focus: true });
      if (twice) relabel(id);
    }
  }

  function panning() {
    let last = null;
    return {
      move(point, from) {
        const since = last ?? from;
        last = point;
        look({ ...view, x: view.x + point.x - since.x, y: view.y + point.y - since.y });
      },
    };
  }

  // Moves the box, or a handle of it.
  function shaping(item, handle) {
    const before = { ...item.box };
    dragged = item.id;
    return {
      move(point, from) {
        const dx = (point.x - from.x) / (view.scale * size.width);
        const dy = (point.y - from.y) / (view.scale * size.height);
        change(item, handle ? resized(before, handle, dx, dy, onePixel()) : moved(before, dx, dy));
      },
      end() {
        dragged = null;
        if (parts.has(item.id)) parts.get(item.id).element.focus({ preventScroll: true });
        done(item, before);
      },
      cancel() {
        dragged = null;
        if (parts.has(item.id)) change(item, before);
      },
    };
  }

  const onePixel = () => ({ width: 1 / pixels.width, height: 1 / pixels.height });

  function drawing() {
    let box = null;
    const over = () => {
      rubber.hidden = true;
    };
    return {
      move(point, from) {
        const a = toImage(view, size, from);
        const b = toImage(view, size, point);
        box = tidy({ top: a.y, left: a.x, bottom: b.y, right: b.x });
        rubber.hidden = false;
        place(rubber, toScreen(view, size, box));
        rubber.dataset.size = fill(t.media.size, {
          width: Math.round((box.right - box.left) * pixels.width),
          height: Math.round((box.bottom - box.top) * pixels.height),
        });
      },
      end() {
        over();
        const at = box && toScreen(view, size, box);
        if (at && Math.min(at.width, at.height) >= LEAST_DRAWN) add(grown(box, onePixel()));
      },
      cancel: over,
    };
  }

  // The browser would give the focus to what is pressed, also where a drag begins that has nothing to do with it.
  ground.addEventListener("mousedown", (event) => event.preventDefault());
  ground.addEventListener(
    "wheel",
    (event) => {
      if (!size) return;
      event.preventDefault();
      const edge = ground.getBoundingClientRect();
      const lines = event.deltaMode === 1 ? 16 : 1;
      // A pinch on a touch pad comes as a wheel with ctrl, in much smaller steps.
      const factor = Math.exp(-clamp(event.deltaY * lines, -240, 240) * (event.ctrlKey ? 0.01 : 0.0016));
      zoom(factor, { x: event.clientX - edge.left, y: event.clientY - edge.top });
    },
    { passive: false },
  );
  layer.addEventListener("focusin", (event) => {
    const id = event.target.dataset?.box;
    if (id && id !== selected) select(id);
  });

  // ---- keys ----

  ground.addEventListener("keydown", (event) => {
    if (onKey(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  });
  ground.addEventListener("keyup", (event) => event.key === " " && holdSpace(false));
  ground.addEventListener("focusout", () => {
    flush();
    holdSpace(false);
  });

  function holdSpace(yes) {
    if (spaceHeld === yes) return;
    spaceHeld = yes;
    saying();
  }

  /** What a key does here; whether it did something. */
  function onKey(event) {
    if (event.ctrlKey || event.metaKey) return false;
    const item = parts.get(event.target.dataset?.box)?.item;
    const arrow = ARROWS[event.key];
    if (arrow) return byArrow(item, arrow, event);
    if (event.altKey) return false;
    switch (event.key) {
      case "+":
      case "=":
        zoom(1.4);
        return true;
      case "-":
        zoom(1 / 1.4);
        return true;
      case "0":
        fit();
        return true;
      case " ":
        // Where nothing is drawn every drag moves the image, and the page may have other plans for the key.
        if (!onChange) return false;
        holdSpace(true);
        return true;
      case "Escape":
        if (dragged !== null || !rubber.hidden) return cancelDrag();
        if (selected === null) return false;
        select(null);
        ground.focus({ preventScroll: true });
        return true;
      case "Delete":
      case "Backspace":
        if (!item?.editable || !onChange) return false;
        remove(item.id);
        return true;
      case "Enter":
        if (!item?.editable || !onChange) return false;
        relabel(item.id);
        return true;
      case "d":
      case "v":
        if (!onChange) return false;
        choose(event.key === "d" ? "draw" : "pan");
        return true;
      case "h":
        if (!onChange) return false;
        hide();
        return true;
      case "n":
        if (!onChange) return false;
        addInMiddle();
        return true;
      case "z":
        if (!item || !onChange) return false;
        zoomTo(item.id);
        return true;
      default:
        return false;
    }
  }

  function byArrow(item, [x, y], event) {
    if (!size) return false;
    if (!item) {
      if (event.altKey || atFit) return false;
      look({ ...view, x: view.x - x * 40, y: view.y - y * 40 });
      return true;
    }
    if (!item.editable || !onChange) return false;
    const step = event.shiftKey ? 10 : 1;
    const dx = (x * step) / pixels.width;
    const dy = (y * step) / pixels.height;
    if (event.altKey) {
      const right = Math.max(item.box.right + dx, item.box.left + 1 / pixels.width);
      const bottom = Math.max(item.box.bottom + dy, item.box.top + 1 / pixels.height);
      byKeys(item, tidy({ ...item.box, right, bottom }));
    } else byKeys(item, moved(item.box, dx, dy));
    return true;
  }

  function destroy() {
    flush();
    resizes.disconnect();
    root.remove();
  }

  saying();
  if (options.input) setItem(options.input, options.boxes ?? []);
  return {
    setItem,
    setBoxes,
    select,
    selected: () => selected,
    zoom,
    fit,
    zoomTo,
    flush,
    destroy,
  };
}
