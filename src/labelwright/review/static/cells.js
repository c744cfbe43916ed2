// The cells of the grid: an item each, as a crop of its image, a piece of its text, or a video's picture.
import { fill, h } from "./dom.js";
import { square } from "./exhibit.js";
import { kindOf, mediaAddress } from "./media_address.js";
import t from "./strings.js";

/** Pixels of a crop's side: sharp in cells of up to 200, and 160 kB each, so that 400 of them take 64 MB. */
const SIDE = 200;
const SIZES = [["small", 320], ["large", 1024]];

/** Load an item's image in the smallest size that shows its region well, and keep the crop alone. */
export async function prepareCell(entry) {
  const kind = kindOf(entry.input);
  if (kind !== "image" && kind !== "video") return;
  const box = entry.item.place.box;
  const share = box ? Math.max(box.right - box.left, box.bottom - box.top) : 1;
  const [size] = SIZES.find(([, side]) => share * side >= 0.8 * SIDE) ?? SIZES.at(-1);
  const source = mediaAddress(entry.input, kind === "video" ? "thumbnail" : size);
  if (!source) return;
  const image = new Image();
  image.src = source;
  await image.decode();
  entry.crop = crop(image, box);
  entry.onCrop?.();
}

function crop(image, box) {
  const { naturalWidth: width, naturalHeight: height } = image;
  if (!box) {
    // The whole image: what it is called may be told from any corner.
    const scale = Math.min(1, (1.6 * SIDE) / Math.max(width, height));
    const canvas = h("canvas", { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)), class: "whole" });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return canvas;
  }
  const canvas = h("canvas", { width: SIDE, height: SIDE });
  const pen = canvas.getContext("2d");
  const from = square(box, width, height);
  const scale = SIDE / from.width;
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, from.x, from.y, from.width, from.height, 0, 0, SIDE, SIDE);
  const left = (box.left * width - from.x) * scale, top = (box.top * height - from.y) * scale;
  const w = (box.right - box.left) * width * scale, ht = (box.bottom - box.top) * height * scale;
  // What is around the box is there to be recognised, not to be judged.
  pen.fillStyle = "rgb(0 0 0 / 32%)";
  pen.fill(new Path2D(`M0 0H${SIDE}V${SIDE}H0ZM${left} ${top}v${ht}h${w}v${-ht}Z`), "evenodd");
  pen.strokeStyle = "rgb(255 255 255 / 85%)";
  pen.lineWidth = 1.5;
  pen.strokeRect(left, top, w, ht);
  return canvas;
}

/** An item's cell; `dressCell` says how it stands. */
export function cell(entry) {
  const element = h("div", { class: "rv-cell", role: "option", tabindex: "-1", "aria-selected": "false" });
  const score = h("span", { class: "rv-cell-score", "aria-hidden": "true" }, typeof entry.item.score === "number" ? entry.item.score.toFixed(2) : "–");
  element.append(content(entry), score);
  if (entry.crop) around(element, entry.crop);
  else {
    entry.onCrop = () => {
      element.firstChild.replaceWith(content(entry));
      around(element, entry.crop);
    };
  }
  return element;
}

/** Say how much of the cell an image that is not square leaves free on each side: what is written on it stands in it. */
function around(element, { width, height }) {
  const free = (side) => `${(50 * (1 - side / Math.max(width, height))).toFixed(2)}%`;
  element.style.setProperty("--free-x", free(width));
  element.style.setProperty("--free-y", free(height));
}

function content(entry) {
  if (entry.crop) return entry.crop;
  const place = entry.item.place;
  if (kindOf(entry.input) === "text") {
    const raw = entry.input.data.text.raw ?? "";
    if (place.kind !== "span") return h("p", { class: "rv-cell-text" }, raw.slice(0, 400));
    const letters = Array.from(raw);
    return h("p", { class: "rv-cell-text" },
      letters.slice(Math.max(0, place.start - 60), place.start).join(""),
      h("mark", {}, place.text), letters.slice(place.end, place.end + 160).join(""));
  }
  return h("p", { class: "rv-cell-text" });
}

const MARKS = { accept: "✓", reject: "✕" };

/** Paint how a cell stands: chosen, marked to be accepted or rejected. */
export function dressCell(element, entry, { selected, mark, current }) {
  element.setAttribute("aria-selected", String(selected));
  element.tabIndex = current ? 0 : -1;
  const said = fill(t.review.cell_said, { name: entry.item.concept.name, score: entry.item.score?.toFixed(2) ?? t.review.score_none });
  element.setAttribute("aria-label", mark ? `${said}, ${t.review[`cell_${mark}`]}` : said);
  if ((element.dataset.mark ?? "") === (mark ?? "")) return;
  element.querySelector(".rv-cell-mark")?.remove();
  if (mark) {
    element.dataset.mark = mark;
    element.append(h("span", { class: "rv-cell-mark", "aria-hidden": "true" }, MARKS[mark]));
  } else delete element.dataset.mark;
}
