// Short notices at the page's edge.

import { announce, h } from "/ui/static/dom.js";
import t from "/ui/static/strings.js";

const SECONDS = 6;

/**
 * Show a notice; returns a function that takes it away.
 * kind: "info", "good", "bad"; action: {label, run} for a button; sticky: it stays until it is closed; id: it takes
 * the place of the one with the same id.
 */
export function toast(text, { kind = "info", action, sticky = false, id } = {}) {
  const region = document.getElementById("toasts");
  if (id) region.querySelector(`[data-id="${CSS.escape(id)}"]`)?.remove();
  const gone = () => {
    clearTimeout(timer);
    box.remove();
  };
  const box = h(
    "div",
    { class: `toast ${kind}`, data: { id } },
    h("p", {}, text),
    action && h("button", { type: "button", class: "link", on: { click: () => (gone(), action.run()) } }, action.label),
    h("button", { type: "button", class: "close", "aria-label": t.shell.close, on: { click: gone } }, "×"),
  );
  const wait = () => (sticky ? 0 : setTimeout(gone, SECONDS * 1000));
  let timer = wait();
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("focusin", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => (timer = wait()));
  region.append(box);
  announce(text);
  return gone;
}

/** Show what went wrong, in the server's own words where it said some. */
export function failed(error, options = {}) {
  if (error?.name === "AbortError") return () => {};
  const text = error?.offline ? t.shell.offline : error?.details || error?.description || error?.message || String(error);
  return toast(text, { kind: "bad", ...options });
}
