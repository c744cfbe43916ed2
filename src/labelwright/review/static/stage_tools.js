// The tools at the edge of the stage, and their drawings.

import { h, svg } from "./dom.js";
import t from "./strings.js";

const DRAWINGS = {
  draw: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M12 9v6M9 12h6",
  pan: "M12 3v18M3 12h18M12 3l-3 3M12 3l3 3M12 21l-3-3M12 21l3-3M3 12l3-3M3 12l3 3M21 12l-3-3M21 12l-3 3",
  add: "M12 5v14M5 12h14",
  out: "M5 12h14",
  in: "M12 5v14M5 12h14",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",
  yes: "M4.5 12.5l5 5 10-11",
  no: "M6 6l12 12M18 6L6 18",
  pen: "M4 20l1-4.5L16.5 4 20 7.5 8.5 19zM14 6.5l3.5 3.5",
  bin: "M5 7h14M10 7V4.5h4V7M7 7l1 12.5h8L17 7",
  play: "M7 4.5v15l12-7.5z",
  pause: "M8 5v14M16 5v14",
  back: "M15 5l-7 7 7 7",
  forward: "M9 5l7 7-7 7",
  first: "M18 5l-7 7 7 7M6 5v14",
  last: "M6 5l7 7-7 7M18 5v14",
};

/** A drawing by its name, for a button that says in words what it does. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: DRAWINGS[name] }));
}

/** A button with a drawing; `key` is the key that does the same. */
export function toolButton(name, words, onClick, key = "") {
  const title = key ? `${words} (${key})` : words;
  const button = h("button", { type: "button", class: "tool", title, "aria-label": words, on: { click: onClick } });
  if (key) button.setAttribute("aria-keyshortcuts", key);
  button.append(icon(name));
  return button;
}

/**
 * The stage's toolbar.
 * @param {object} does what the buttons do: tool(name), add(), zoom(factor), fit(), hide(); `keys`: whether letters do it too
 * @returns {{element: HTMLElement, say: function}} say({tool, zoom, hidden, drawable}) shows how things stand
 */
export function tools(does) {
  const draw = toolButton("draw", t.media.tool_draw, () => does.tool("draw"), "d");
  const pan = toolButton("pan", t.media.tool_pan, () => does.tool("pan"), "v");
  const add = toolButton("add", t.media.tool_add, () => does.add(), "n");
  const hide = toolButton("eye", t.media.tool_hide, () => does.hide(), does.keys ? "h" : "");
  const zoom = h("output", { class: "stage-zoom", "aria-label": t.media.zoom_now });
  const drawing = h("div", { class: "tool-group" }, draw, pan, add);
  const element = h(
    "div",
    { class: "stage-tools", role: "toolbar", "aria-label": t.media.tools },
    drawing,
    h("div", { class: "tool-group" }, hide),
    h(
      "div",
      { class: "tool-group" },
      toolButton("out", t.media.zoom_out, () => does.zoom(1 / 1.4), "-"),
      zoom,
      toolButton("in", t.media.zoom_in, () => does.zoom(1.4), "+"),
      toolButton("fit", t.media.zoom_fit, () => does.fit(), "0"),
    ),
  );
  function say({ tool, share, hidden, drawable }) {
    drawing.hidden = !drawable;
    draw.setAttribute("aria-pressed", String(tool === "draw"));
    pan.setAttribute("aria-pressed", String(tool === "pan"));
    hide.setAttribute("aria-pressed", String(hidden));
    zoom.textContent = share;
  }
  return { element, say };
}
