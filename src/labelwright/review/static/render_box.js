// How a box looks and what is said of it: on the stage and over a video.

import { h, svg, fill } from "./dom.js";
import t from "./strings.js";
import { colourOf } from "./colours.js";

/** A share of 0 to 1 as it is shown, such as "43 %". */
export function percent(share) {
  return fill(t.media.percent, { n: Math.round(share * 100) });
}

/** A score as it is shown; "" where nobody gave one. */
export function scoreText(score) {
  return typeof score === "number" ? percent(score) : "";
}

export function stateText(state) {
  return t.media[`state_${state}`] ?? "";
}

/** What a screen reader says of a box: the label, its score, its state, and where it is. */
export function describe({ label, score, state, box }) {
  const about = [label || t.media.no_label, scoreText(score), stateText(state)].filter(Boolean).join(", ");
  if (!box) return about;
  return fill(t.media.box_said, {
    about,
    left: percent(box.left),
    top: percent(box.top),
    width: percent(box.right - box.left),
    height: percent(box.bottom - box.top),
  });
}

/** The colour of what a label stands for. */
export function colourFor(item) {
  return colourOf(item.concept ?? item.label ?? "");
}

/** An element for a box; `dress` says how it looks, `place` where it is. */
export function boxElement(id) {
  const tag = h("span", { class: "box-tag" });
  const element = h("div", { class: "box", tabindex: "0", role: "button" }, tag);
  element.dataset.box = id;
  return element;
}

/** Give a box's element the look of the box as it is now. */
export function dress(element, item, selected) {
  const tag = element.firstChild;
  element.className = `box is-${item.state || "success"}`;
  element.classList.toggle("is-selected", selected);
  element.classList.toggle("is-editable", Boolean(item.editable));
  element.classList.toggle("is-shape", Boolean(shapeKind(item.shape)));
  element.style.setProperty("--tone", colourFor(item));
  element.setAttribute("aria-label", describe(item));
  element.setAttribute("aria-pressed", String(selected));
  tag.replaceChildren(h("span", { class: "box-name" }, item.label || t.media.no_label));
  if (scoreText(item.score)) tag.append(h("span", { class: "box-score" }, scoreText(item.score)));
}

/** Put an element at a place: {x, y, width, height} in pixels of what it lies in. */
export function place(element, rect) {
  element.style.transform = `translate(${rect.x}px, ${rect.y}px)`;
  element.style.width = `${rect.width}px`;
  element.style.height = `${rect.height}px`;
}

/** What a region_info has that a box can't show: "polygon", "mask", "point", "" for none of them. */
export function shapeKind(info) {
  if (info?.polygon?.points?.length) return "polygon";
  if (info?.mask?.image?.base64) return "mask";
  if (info?.point) return "point";
  if (info?.keypoint_locations?.length) return "points";
  return "";
}

/** The drawing of a region that is no box, to lie over the whole image in a viewBox of 0 to 1; null where it is one. */
export function shapeElement(item) {
  const info = item.shape;
  const kind = shapeKind(info);
  const numbers = (p) => `${Number(p.col) || 0} ${Number(p.row) || 0}`;
  if (kind === "polygon") {
    const d = `M${info.polygon.points.map(numbers).join("L")}Z`;
    return svgGroup(item, svg("path", { class: "shape-halo", d }), svg("path", { class: "shape-line", d }));
  }
  if (kind === "point" || kind === "points") {
    // A line of no length with round ends is a dot that stays round, however the image is stretched.
    const d = (kind === "point" ? [info.point] : info.keypoint_locations).map((p) => `M${numbers(p)}l0 0`).join("");
    return svgGroup(item, svg("path", { class: "dot-halo", d }), svg("path", { class: "dot", d }));
  }
  return null;
}

function svgGroup(item, ...parts) {
  const group = svg("g", { class: `shape is-${item.state || "success"}` }, ...parts);
  group.style.setProperty("--tone", colourFor(item));
  return group;
}

/** A layer of colour where a region's mask is; null where the region has none. */
export function maskElement(item) {
  const coded = item.shape?.mask?.image?.base64;
  // What is no base64 must not end up within a url().
  if (!coded || !/^[A-Za-z0-9+/=]+$/.test(coded)) return null;
  const layer = h("div", { class: "mask" });
  layer.style.setProperty("--tone", colourFor(item));
  layer.style.maskImage = `url("data:image/png;base64,${coded}")`;
  return layer;
}
