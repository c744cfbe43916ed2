// How sure the models were of one concept: a bar for each band of scores, and the ways that the thresholds part.

import { count, fill, h, svg } from "/ui/static/dom.js";
import { several, short, threshold } from "/ui/static/formats.js";
import { sign } from "/ui/static/graph.js";
import t from "/ui/static/strings.js";

export const KINDS = ["success", "pending", "negative"];
const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [250, 44, 14, 50, 38];

/** Draw a histogram (as the server gives it) into an element, and again when its width changes. */
export function drawHistogram(host, data) {
  let width = 0;
  const draw = () => {
    const now = widthOf(host);
    if (now === width) return;
    width = now;
    // What else stands in the element stays: who holds a handle must not lose it.
    const made = picture(data, width);
    const old = host.querySelector(":scope > svg.histogram");
    if (old) old.replaceWith(made);
    else host.prepend(made);
    host.redrawn?.();
  };
  host.observer?.disconnect();
  draw();
  host.observer = new ResizeObserver(draw);
  host.observer.observe(host);
}

function widthOf(host) {
  return Math.max(300, Math.round(host.clientWidth));
}

/** Where a score stands in an element with a histogram, in pixels from its left edge. */
export function placeOf(value, host) {
  return LEFT + value * (widthOf(host) - LEFT - RIGHT);
}

/** The score at a place of the window, in pixels from its left edge; it may be below 0 or above 1. */
export function valueAt(clientX, host) {
  return (clientX - host.getBoundingClientRect().left - LEFT) / (widthOf(host) - LEFT - RIGHT);
}

/** What the colours stand for, with how many there are of each. */
export function legend(data) {
  return h(
    "ul",
    { class: "legend" },
    KINDS.map((kind) => h("li", { class: kind }, h("i", { "aria-hidden": "true" }), `${t.overview[`hist_${kind}`]} `, h("b", {}, count(sum(data, kind))))),
  );
}

/** The same as a table, for who can't see the bars. */
export function asTable(data) {
  const rows = data.bins.filter((bin) => KINDS.some((kind) => bin[kind]));
  return h(
    "table",
    { class: "data" },
    h("caption", { class: "unseen" }, fill(t.overview.hist_caption, { concept: data.concept })),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t.overview.hist_band), KINDS.map((kind) => h("th", { scope: "col", class: "num" }, t.overview[`hist_${kind}`])))),
    h(
      "tbody",
      {},
      rows.map((bin) =>
        h("tr", {}, h("th", { scope: "row" }, band(bin)), KINDS.map((kind) => h("td", { class: "num" }, count(bin[kind])))),
      ),
    ),
  );
}

function band(bin) {
  return fill(t.overview.hist_from_to, { from: threshold(bin.from), to: threshold(bin.to) });
}

function sum(data, kind) {
  return data.bins.reduce((all, bin) => all + bin[kind], 0);
}

function picture(data, width) {
  const most = Math.max(1, ...data.bins.map((bin) => KINDS.reduce((n, kind) => n + bin[kind], 0)));
  const [top, step] = scale(most);
  const x = (value) => LEFT + value * (width - LEFT - RIGHT);
  const y = (n) => HEIGHT - BOTTOM - (n / top) * (HEIGHT - TOP - BOTTOM);
  const lines = [];
  for (let n = 0; n <= top; n += step) {
    lines.push(
      svg("line", { class: n ? "rule" : "rule base", x1: LEFT, x2: width - RIGHT, y1: y(n), y2: y(n) }),
      svg("text", { class: "tick", x: LEFT - 8, y: y(n) + 4, "text-anchor": "end" }, short(n)),
    );
  }
  const marks = (width < 460 ? [0, 0.25, 0.5, 0.75, 1] : [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]).map((value) =>
    svg("text", { class: "tick", x: x(value), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, threshold(value)),
  );
  return svg(
    "svg",
    { class: "histogram", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": told(data) },
    grounds(data, x),
    lines,
    data.bins.map((bin) => bar(bin, x, y)),
    marks,
    svg("text", { class: "tick axis", x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, t.overview.hist_axis),
    limits(data, x, width),
  );
}

function told(data) {
  const numbers = KINDS.map((kind) => `${t.overview[`hist_${kind}`]} ${count(sum(data, kind))}`);
  const ways = data.thresholds.map((limit) => wayOf(limit).full);
  return fill(t.overview.hist_told, { concept: data.concept, numbers: numbers.join(", "), ways: ways.join(", ") || t.overview.hist_no_threshold });
}

/** What a threshold does with a score, in words: where to; that with the value; and with the node. */
export function wayOf({ compare, value, node_id: node }) {
  const labelled = compare?.startsWith("GREATER");
  const to = labelled ? t.overview.way_labelled : t.overview.way_person;
  const which = value > 1 ? (labelled ? t.tuning.never : t.tuning.always) : `${sign(compare)} ${threshold(value)}`;
  const brief = `${which} → ${to}`;
  return { to, brief, full: node ? fill(t.overview.way_of_node, { way: brief, node }) : brief };
}

// Each way's ground is tinted, so that what lies on both or on none of them can be seen.
function grounds(data, x) {
  return data.thresholds.map(({ compare, value }) => {
    const at = clamp(value);
    const labelled = compare?.startsWith("GREATER");
    const [from, to] = labelled ? [at, 1] : [0, at];
    return svg("rect", { class: `ground ${labelled ? "labelled" : "waiting"}`, x: x(from), y: TOP, width: Math.max(0, x(to) - x(from)), height: HEIGHT - TOP - BOTTOM });
  });
}

function bar(bin, x, y) {
  const [from, to] = [x(bin.from), x(bin.to)];
  const gap = Math.min(1.5, (to - from) / 5);
  let below = 0;
  const parts = KINDS.filter((kind) => bin[kind]).map((kind) => {
    const [bottom, top] = [y(below), y(below + bin[kind])];
    below += bin[kind];
    // What is there at all can be seen.
    const height = Math.max(bottom - top, 1.5);
    return svg("rect", { class: `bar ${kind}`, x: from + gap / 2, y: bottom - height, width: Math.max(1, to - from - gap), height });
  });
  const said = KINDS.filter((kind) => bin[kind]).map((kind) => `${t.overview[`hist_${kind}`]}: ${count(bin[kind])}`);
  return svg("g", { class: "band" }, parts, below > 0 && svg("title", {}, [band(bin), ...said].join("\n")));
}

// At most two names stand above the lines, each on its own side and in its own row, so that they never overlap.
function limits(data, x, width) {
  return data.thresholds.map((limit, i) => {
    const at = x(clamp(limit.value));
    const labelled = limit.compare?.startsWith("GREATER");
    const row = 15 + 16 * (data.thresholds.findIndex((other) => other.compare === limit.compare && other.value === limit.value) === i && labelled ? 0 : 1);
    const { brief, full } = wayOf(limit);
    // A name that would not fit on its own side of the line stands on the other.
    const [leftwards, rightwards] = [at, width - at];
    const needed = brief.length * 7 + 14;
    const right = labelled ? rightwards >= needed || rightwards >= leftwards : leftwards < needed && rightwards > leftwards;
    return svg(
      "g",
      { class: `limit ${labelled ? "labelled" : "waiting"}` },
      svg("title", {}, full),
      svg("line", { x1: at, x2: at, y1: row - 11, y2: HEIGHT - BOTTOM }),
      svg("text", { x: at + (right ? 7 : -7), y: row, "text-anchor": right ? "start" : "end" }, brief),
    );
  });
}

function clamp(value) {
  return Math.min(1, Math.max(0, value));
}

/** A round top of the axis and the step of its rules. */
function scale(most) {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough));
  return [Math.ceil(most / step) * step, step];
}

/** How many labels it is about, and whether only some of them were looked at. */
export function about(data) {
  const text = several(data.n, t.overview.hist_n_1, t.overview.hist_n);
  return data.sampled ? `${text} · ${t.overview.hist_sampled}` : text;
}
