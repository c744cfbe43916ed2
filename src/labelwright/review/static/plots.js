// Plots of an evaluation, as SVG: curves, reliability, a matrix. What they say is handed in; the report has them too.

import { fill, h, svg } from "/ui/static/dom.js";

/** Pixels: four stand side by side on a page of 1,280. */
const SIDE = 276;
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 10, 12, 40];
const TICKS = [0, 0.25, 0.5, 0.75, 1];
/** Concepts that a matrix shows, and up to which its cells have numbers. */
const [MOST_CELLS, NUMBERED] = [40, 12];
const CELL = 34;
const LETTERS = 16;

const across = (value) => LEFT + value * (SIDE - LEFT - RIGHT);
const up = (value) => SIDE - BOTTOM - value * (SIDE - TOP - BOTTOM);

function frame(words, ...inside) {
  const ticks = TICKS.map((value) => [
    svg("line", { class: "rule", x1: across(0), x2: across(1), y1: up(value), y2: up(value) }),
    svg("line", { class: "rule", x1: across(value), x2: across(value), y1: up(0), y2: up(1) }),
    svg("text", { class: "tick", x: across(0) - 6, y: up(value) + 4, "text-anchor": "end" }, String(value)),
    svg("text", { class: "tick", x: across(value), y: up(0) + 15, "text-anchor": "middle" }, String(value)),
  ]);
  return h(
    "figure",
    { class: "plot" },
    h("figcaption", {}, words.title),
    svg(
      "svg",
      { viewBox: `0 0 ${SIDE} ${SIDE}`, width: SIDE, height: SIDE, role: "img", "aria-label": words.told },
      ticks,
      inside,
      svg("text", { class: "tick axis", x: (across(0) + across(1)) / 2, y: SIDE - 6, "text-anchor": "middle" }, words.x),
      svg("text", { class: "tick axis", x: 12, y: (up(0) + up(1)) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(up(0) + up(1)) / 2})` }, words.y),
    ),
    words.note && h("p", { class: "hint" }, words.note),
  );
}

/** A curve {x, y, thresholds} in front of others; `diagonal`: what chance would give. `words`: title, x, y, told, point. */
export function curvePlot(curve, others, words, { diagonal = false } = {}) {
  return frame(
    words,
    diagonal && svg("line", { class: "chance", x1: across(0), y1: up(0), x2: across(1), y2: up(1) }),
    others.map((other) => line(other, "other")),
    curve && [
      line(curve, "curve"),
      curve.x.map((x, i) =>
        svg("circle", { class: "point", cx: across(x), cy: up(curve.y[i]), r: 3.5 }, svg("title", {}, fill(words.point, { x: three(x), y: three(curve.y[i]), threshold: three(curve.thresholds[i]) }))),
      ),
    ],
  );
}

function line(curve, kind) {
  const points = curve.x.map((x, i) => `${across(x).toFixed(1)},${up(curve.y[i]).toFixed(1)}`);
  return svg("polyline", { class: kind, points: points.join(" ") });
}

/** What scores promise (across) and what came true (up), with a dot as large as many lie there. */
export function reliabilityPlot(bins, words) {
  const most = Math.max(1, ...bins.map((bin) => bin.n));
  const there = bins.filter((bin) => bin.n > 0);
  return frame(
    words,
    svg("line", { class: "chance", x1: across(0), y1: up(0), x2: across(1), y2: up(1) }),
    there.map((bin) => svg("line", { class: "gap", x1: across(bin.score), x2: across(bin.score), y1: up(bin.score), y2: up(bin.share) })),
    there.map((bin) =>
      svg(
        "circle",
        { class: "dot", cx: across(bin.score), cy: up(bin.share), r: 3 + 7 * Math.sqrt(bin.n / most) },
        svg("title", {}, fill(words.point, { from: bin.from, to: bin.to, n: bin.n, score: three(bin.score), share: three(bin.share) })),
      ),
    ),
  );
}

/** Which of many concepts a matrix shows: those that are confused most, in their order. */
export function shownOf(count, cells) {
  if (count <= MOST_CELLS) return [...Array(count).keys()];
  const wrong = new Array(count).fill(0);
  for (const [row, column, n] of cells) {
    if (row !== column) {
      wrong[row] += n;
      wrong[column] += n;
    }
  }
  const order = [...wrong.keys()].sort((a, b) => wrong[b] - wrong[a] || a - b);
  return order.slice(0, MOST_CELLS).sort((a, b) => a - b);
}

/** A matrix of counts: a row for what is there, a column for what was said; shaded by the row's share. */
export function matrixPlot(names, cells, totals, words) {
  const shown = shownOf(names.length, cells);
  const place = new Map(shown.map((concept, i) => [concept, i]));
  const label = Math.min(130, 12 + 7 * Math.max(...shown.map((i) => Math.min(names[i].length, LETTERS))));
  const cell = shown.length > 20 ? 20 : CELL;
  const [width, height] = [label + 18 + shown.length * cell + 8, label + 18 + shown.length * cell + 8];
  const [left, top] = [label + 18, label + 18];
  const drawn = cells
    .filter(([row, column]) => place.has(row) && place.has(column))
    .map(([row, column, n]) => {
      const [x, y] = [left + place.get(column) * cell, top + place.get(row) * cell];
      const share = totals[row] ? Math.min(1, n / totals[row]) : 0;
      return svg(
        "g",
        { class: ["cell", row === column ? "right" : "wrong", share > 0.55 && "deep"] },
        svg("rect", { class: "shade", x, y, width: cell - 1, height: cell - 1, "fill-opacity": (0.08 + 0.92 * share).toFixed(3) }),
        shown.length <= NUMBERED && svg("text", { x: x + cell / 2, y: y + cell / 2 + 4, "text-anchor": "middle" }, n > 999 ? `${Math.round(n / 100) / 10}K` : String(n)),
        svg("title", {}, fill(words.cell, { n, actual: names[row], said: names[column], of: totals[row] })),
      );
    });
  return h(
    "figure",
    { class: "plot wide" },
    h("figcaption", {}, words.title),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": words.title },
      svg(
        "svg",
        { class: "matrix", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": words.told },
        svg("rect", { class: "ground", x: left, y: top, width: shown.length * cell, height: shown.length * cell }),
        shown.map((concept, i) => [
          svg("text", { class: "tick", x: left - 6, y: top + i * cell + cell / 2 + 4, "text-anchor": "end" }, cut(names[concept]), svg("title", {}, names[concept])),
          svg("text", { class: "tick", x: left + i * cell + cell / 2 + 4, y: top - 6, transform: `rotate(-90 ${left + i * cell + cell / 2 + 4} ${top - 6})` }, cut(names[concept]), svg("title", {}, names[concept])),
        ]),
        drawn,
        svg("text", { class: "tick axis", x: left + (shown.length * cell) / 2, y: 12, "text-anchor": "middle" }, words.x),
        svg("text", { class: "tick axis", x: 12, y: top + (shown.length * cell) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${top + (shown.length * cell) / 2})` }, words.y),
      ),
    ),
    shown.length < names.length && h("p", { class: "hint" }, fill(words.some, { n: shown.length, all: names.length })),
  );
}

function cut(name) {
  return name.length > LETTERS ? `${name.slice(0, LETTERS - 1)}…` : name;
}

function three(value) {
  return (value ?? 0).toFixed(3);
}
