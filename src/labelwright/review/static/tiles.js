// One input as a tile: what it looks like, what was said of it, and where that stands.

import { appPath } from "/ui/static/api.js";
import { h, svg } from "/ui/static/dom.js";
import { nameOf, score } from "/ui/static/formats.js";
import { kindOf, mediaAddress } from "/ui/static/media_address.js";
import t from "/ui/static/strings.js";

const SHOWN = 3;
const LETTERS = 220;
const [DONE, PENDING, BUSY] = [30000, 30001, 30003];

const ICONS = {
  video: "M4 6h10v8H4zM14 9l4-2.5v7L14 11z",
  audio: "M4 8v4M7 5v10M10 7.5v5M13 3.5v13M16 8v4",
  text: "M4 5h12M4 8.5h12M4 12h8",
  image: "M3 4.5h14v11H3zM6 12l3-3.5 2.5 2.5 2-1.5L16 13",
  "": "M5 3h7l3 3v11H5z",
};

/** A small drawing of what kind of thing an input is. */
export function icon(kind, size = 20) {
  return svg(
    "svg",
    { viewBox: "0 0 20 20", width: size, height: size, class: "kind-icon", "aria-hidden": "true" },
    svg("path", { d: ICONS[kind] ?? ICONS[""], fill: "none", stroke: "currentColor", "stroke-width": 1.5, "stroke-linecap": "round", "stroke-linejoin": "round" }),
  );
}

/** Where the page of an input is. */
export function inputPath(id) {
  return appPath(`inputs/${encodeURIComponent(id)}`);
}

/** What a label means for the eye: "labelled", "waiting", "flagged" or "negative". */
export function stateOf(label) {
  if (label.status === "pending") return "waiting";
  if (label.status === "flagged") return "flagged";
  return label.value > 0 ? "labelled" : "negative";
}

/** A label with its score, as a chip. */
export function labelChip(label) {
  const state = stateOf(label);
  const number = score(label.score ?? (state === "waiting" ? label.value : null));
  return h(
    "span",
    { class: `mark ${state}`, title: said(label) },
    h("span", { class: "mark-name" }, nameOf({ id: label.concept, name: label.name })),
    number && h("span", { class: "mark-score" }, number),
  );
}

function said(label) {
  const name = nameOf({ id: label.concept, name: label.name });
  const parts = [name, score(label.score), t.overview[`state_${stateOf(label)}`], t.overview[`origin_${label.origin}`]];
  return parts.filter(Boolean).join(", ");
}

/** Where an input stands: "", "pending", "busy" or "failed". */
function standing(input) {
  const code = Number(input.status?.code ?? DONE);
  return code === DONE ? "" : code === PENDING ? "pending" : code === BUSY ? "busy" : "failed";
}

/** An input as a link to its page. `small`: without its labels' names. */
export function tile(input, { small = false } = {}) {
  const kind = kindOf(input);
  const labels = strongest(input.labels ?? []);
  const state = standing(input);
  const status = state && t.overview[`input_${state}`];
  const about = [input.id, kind && t.overview[`kind_${kind}`], status, ...labels.slice(0, 8).map(said)].filter(Boolean).join("; ");
  return h(
    "a",
    { class: ["tile", small && "small"], href: inputPath(input.id), "aria-label": about },
    h("span", { class: `shot ${kind || "none"}` }, shot(input, kind), status && h("span", { class: `standing ${state}`, title: input.status?.description }, status)),
    !small && labels.length > 0 && h("span", { class: "marks" }, labels.slice(0, SHOWN).map(labelChip), labels.length > SHOWN && h("span", { class: "mark more" }, `+${labels.length - SHOWN}`)),
    !small && labels.length === 0 && h("span", { class: "marks none" }, t.overview.no_labels),
    !small && h("span", { class: "tile-id" }, icon(kind, 14), h("span", {}, input.id)),
  );
}

// What a person is to look at comes first, then what is said, and last what is denied; one chip for each concept.
function strongest(labels) {
  const rank = { flagged: 0, waiting: 1, labelled: 2, negative: 3 };
  const best = new Map();
  for (const label of labels) {
    const known = best.get(label.concept);
    if (!known || rank[stateOf(label)] < rank[stateOf(known)] || (stateOf(label) === stateOf(known) && (label.score ?? 0) > (known.score ?? 0))) {
      best.set(label.concept, label);
    }
  }
  return [...best.values()].sort((a, b) => rank[stateOf(a)] - rank[stateOf(b)] || (b.score ?? b.value) - (a.score ?? a.value));
}

function shot(input, kind) {
  if (kind === "text") {
    const raw = input.data.text.raw ?? "";
    return h("span", { class: "excerpt" }, raw ? [...raw].slice(0, LETTERS).join("") : t.overview.text_elsewhere);
  }
  if (kind === "audio") return h("span", { class: "sound" }, wave(input.id));
  const address = mediaAddress(input, kind === "video" ? "thumbnail" : "small");
  const blank = () => h("span", { class: "blank-shot" }, icon(kind, 34));
  if (!address) return blank();
  if (kind === "video" && !input.data.video.hosted?.sizes?.includes("thumbnail")) return blank();
  const image = h("img", { src: address, alt: "", decoding: "async", draggable: "false" });
  image.addEventListener("error", () => image.replaceWith(blank()), { once: true });
  return [image, kind === "video" && h("span", { class: "film" }, icon("video", 18))];
}

// Not the sound's own shape, which nobody has read: a sign for "sound" that differs from one to the next.
function wave(id) {
  let seed = 7;
  for (const letter of id) seed = (seed * 31 + letter.codePointAt(0)) % 2147483647;
  const bars = Array.from({ length: 28 }, (_, i) => {
    seed = (seed * 48271) % 2147483647;
    const height = 10 + (seed % 46) * Math.sin(((i + 1) / 29) * Math.PI);
    return svg("rect", { x: i * 5, y: 32 - height / 2, width: 2.6, height, rx: 1.3 });
  });
  return svg("svg", { viewBox: "0 0 138 64", class: "wave", "aria-hidden": "true" }, bars);
}

/** What stands where nothing is to be shown. */
export function nothing(text, ...more) {
  return h("div", { class: "blank" }, h("p", {}, text), more);
}

