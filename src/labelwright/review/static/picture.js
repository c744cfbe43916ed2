// The image of the stage: what comes at once, and sharper when it is looked at closely.

import { h } from "./dom.js";
import { mediaAddress } from "./media_address.js";

// The longer side of the size "large": an image as long as that may be a smaller one of a larger original.
const LARGE = 1024;

/** Whether an image can be painted in this very frame. */
function decoded(image) {
  return image.complete && image.naturalWidth > 0;
}

/**
 * Shows one input's image after another in `layer`.
 * @param {object} to onReady({width, height}): the image and its size are known; onFailed(): it can't be shown;
 *   onSharper(width, height): the pixels that the original has
 */
export function picture(layer, { onReady, onFailed, onSharper }) {
  let shown = null;
  let input = null;
  let size = null;
  let sharpened = false;

  function put(image) {
    image.classList.add("stage-picture");
    image.draggable = false;
    if (shown?.isConnected) shown.replaceWith(image);
    else layer.prepend(image);
    shown = image;
  }

  /** Show an input's image; synchronously where `input.element` is decoded already. */
  function show(next) {
    input = next;
    size = null;
    sharpened = false;
    const given = next?.element instanceof HTMLImageElement ? next.element : null;
    const source = mediaAddress(next, "large");
    if (!given && !source) {
      clear();
      onFailed();
      return;
    }
    const image = given ?? h("img", { alt: "", decoding: "async" });
    if (given) given.alt = "";
    else image.src = source;
    put(image);
    if (decoded(image)) {
      ready(image);
      return;
    }
    const asked = next;
    // Of an image that came too late, when another one is looked at already, nothing is to be heard.
    image.addEventListener("load", () => asked === input && ready(image), { once: true });
    image.addEventListener("error", () => asked === input && original(asked), { once: true });
  }

  // The smaller size may not be there where the image is too large for the server; the original is.
  function original(asked) {
    const image = h("img", { alt: "", src: mediaAddress(asked, "orig") });
    image.addEventListener("load", () => asked === input && (put(image), ready(image)), { once: true });
    image.addEventListener("error", () => asked === input && onFailed(), { once: true });
    sharpened = true;
  }

  function ready(image) {
    size = { width: image.naturalWidth, height: image.naturalHeight };
    lay();
    onReady(size);
  }

  // The layout stays that of the image that came first, however many pixels a sharper one has.
  function lay() {
    shown.style.width = `${size.width}px`;
    shown.style.height = `${size.height}px`;
  }

  /** Put the original in the place of a smaller size, once it is decoded. */
  async function sharpen() {
    if (sharpened || !size || Math.max(size.width, size.height) !== LARGE) return;
    sharpened = true;
    const asked = input;
    const image = h("img", { alt: "" });
    image.src = mediaAddress(input, "orig");
    try {
      await image.decode();
    } catch {
      return; // A format that browsers do not show, such as TIFF: what is there has to do.
    }
    if (asked !== input || !image.naturalWidth) return;
    put(image);
    lay();
    image.style.transform = layer.dataset.at ?? "";
    onSharper(image.naturalWidth, image.naturalHeight);
  }

  /** Put the image where the view says. */
  function look(view) {
    if (!shown) return;
    const at = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    layer.dataset.at = at;
    shown.style.transform = at;
    const shownPixels = view.scale * (size ? size.width : 1);
    shown.classList.toggle("is-coarse", shownPixels > 4 * shown.naturalWidth);
  }

  function clear() {
    shown?.remove();
    shown = null;
    input = null;
  }

  return { show, sharpen, look, clear };
}
