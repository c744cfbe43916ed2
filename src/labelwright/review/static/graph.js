// A workflow as a drawing: its nodes in layers, what flowed through each, ways as thick as many took them.

import { count, fill, svg } from "/ui/static/dom.js";
import { several, short, threshold } from "/ui/static/formats.js";
import { layered } from "/ui/static/layers.js";
import t from "/ui/static/strings.js";

const START = "\0inputs";
const [WIDTH, HEIGHT, START_HEIGHT] = [184, 88, 66];
const [THIN, THICK] = [1.5, 15];
/** Pixels between two layers. */
const [NARROWEST, WIDEST] = [44, 84];
/** Below this many pixels the graph runs from the top to the bottom. */
const NARROW = 620;
const FONT = '600 14px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", sans-serif';

/** Which side of a threshold a node is on: "labelled" (at least), "waiting" (below), "plain" (neither, or both). */
export function tones(nodes) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const found = new Map();
  const tone = (id) => {
    if (found.has(id)) return found.get(id);
    found.set(id, "plain");
    const node = byId.get(id);
    const compare = node?.thresholds?.compare ?? "";
    const before = new Set((node?.inputs ?? []).map(tone));
    found.set(id, compare.startsWith("GREATER") ? "labelled" : compare.startsWith("LESS") ? "waiting" : before.size === 1 ? [...before][0] : "plain");
    return found.get(id);
  };
  for (const node of nodes) tone(node.id);
  return found;
}

/** What a threshold node asks for, such as "≥ 0.8", "≥ 0.5–0.8"; "" where there are no thresholds. */
export function asked(thresholds) {
  if (!thresholds) return "";
  const values = (thresholds.concepts ?? []).map((concept) => concept.value);
  if (!values.length) return "";
  const [low, high] = [Math.min(...values), Math.max(...values)].map(threshold);
  return `${sign(thresholds.compare)} ${low === high ? low : `${low}–${high}`}`;
}

// An equal score is kept by "greater than" and dropped by "less than".
const SIGNS = { GREATER_THAN: "≥", GREATER_THAN_OR_EQUAL: "≥", LESS_THAN: "<", LESS_THAN_OR_EQUAL: "≤", EQUAL: "=" };

/** How a comparison is written. */
export function sign(compare) {
  return SIGNS[compare] ?? "";
}

/** What flowed through a node, in two short lines. */
export function flowed(node) {
  const lines = [];
  if (!node.reached) return [t.overview.flow_nothing];
  lines.push(fill(t.overview.flow_inputs, { reached: short(node.reached), passed: short(node.passed) }));
  if (node.wrote) lines.push(several(node.wrote, t.overview.flow_wrote_1, t.overview.flow_wrote));
  else if (node.concepts_in || node.concepts_out) {
    lines.push(
      node.concepts_in
        ? fill(t.overview.flow_concepts, { in: short(node.concepts_in), out: short(node.concepts_out) })
        : several(node.concepts_out, t.overview.flow_said_1, t.overview.flow_said),
    );
  }
  return lines;
}

/** Draw a workflow into an element, and again when its room changes. */
export function drawGraph(host, workflow) {
  let drawn = "";
  const draw = () => {
    const narrow = host.clientWidth > 0 && host.clientWidth < NARROW;
    const now = `${narrow} ${narrow ? "" : host.clientWidth}`;
    if (now === drawn) return;
    drawn = now;
    host.replaceChildren(picture(workflow, narrow, host.clientWidth));
    // What doesn't fit is as much to the left as to the right.
    host.scrollLeft = narrow ? (host.scrollWidth - host.clientWidth) / 2 : 0;
  };
  draw();
  new ResizeObserver(draw).observe(host);
}

function picture(workflow, narrow, room) {
  const nodes = workflow.nodes;
  const tone = tones(nodes);
  const known = new Set(nodes.map((node) => node.id));
  const roots = nodes.filter((node) => !node.inputs.some((id) => known.has(id)));
  const start = Math.max(0, ...roots.map((node) => node.reached));
  const wide = narrow ? across(nodes, roots, room) : WIDTH;
  const size = (height) => (narrow ? { main: height, cross: wide } : { main: WIDTH, cross: height });
  const boxed = [
    { id: START, inputs: [], ...size(START_HEIGHT) },
    ...nodes.map((node) => ({ id: node.id, inputs: roots.includes(node) ? [START] : node.inputs, ...size(HEIGHT) })),
  ];
  const gap = { main: narrow ? 46 : WIDEST, cross: narrow ? 14 : 26, way: 26 };
  let laid = layered(boxed, gap);
  if (!narrow && room && laid.main + 4 > room && laid.layers > 1) {
    // Closer together, before somebody has to scroll for the rest.
    gap.main = Math.max(NARROWEST, Math.floor(gap.main - (laid.main + 4 - room) / (laid.layers - 1)));
    laid = layered(boxed, gap);
  }
  const point = ({ main, cross }) => (narrow ? [cross, main] : [main, cross]);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const most = Math.max(1, start, ...nodes.map((node) => node.reached));
  const flow = (from, to) => (from === START ? byId.get(to).reached : Math.min(byId.get(from).passed, byId.get(to).reached));
  const edges = laid.edges.map((edge) => {
    const n = flow(edge.from, edge.to);
    return { ...edge, n, thick: n ? THIN + (THICK - THIN) * (n / most) : THIN };
  });
  apart(edges);
  const ways = edges.map(({ from, to, points, n, thick }) => {
    const kind = from !== START && tone.get(from) !== "plain" ? tone.get(from) : tone.get(to);
    return way(points.map(point), n, thick, kind, narrow);
  });
  const boxes = nodes.map((node) => box(node, point(laid.nodes.get(node.id)), tone.get(node.id), wide));
  const [width, height] = point({ main: laid.main, cross: laid.cross });
  return svg(
    "svg",
    {
      class: "flow-graph",
      viewBox: `-2 -2 ${width + 4} ${height + 4}`,
      width: width + 4,
      height: height + 4,
      role: "img",
      "aria-label": told(workflow, start),
    },
    ways.map((made) => made.line),
    first(start, point(laid.nodes.get(START)), wide),
    boxes,
    ways.map((made) => made.number),
  );
}

/** How wide nodes are that stand side by side in little room. */
function across(nodes, roots, room) {
  const laid = layered(nodes.map((node) => ({ ...node, main: 1, cross: 1 })), { main: 1, cross: 0, way: 1 });
  const most = Math.max(roots.length, Math.round(laid.cross), 1);
  return Math.max(126, Math.min(WIDTH - 24, Math.floor((room - 4 - 14 * (most - 1)) / most)));
}

/** Let the ways that leave a node, and those that come to one, lie beside each other, in the order of where they go. */
function apart(edges) {
  for (const [end, at, near] of [["from", 0, 1], ["to", -1, -2]]) {
    for (const some of Map.groupBy(edges, (edge) => edge[end]).values()) {
      if (some.length < 2) continue;
      // Heads are wider than their ways.
      const wide = (edge) => (at ? edge.thick * 1.24 + 9 : edge.thick + 2);
      some.sort((a, b) => a.points.at(near).cross - b.points.at(near).cross);
      let start = -some.reduce((sum, edge) => sum + wide(edge), 0) / 2;
      for (const edge of some) {
        edge.points.at(at).cross += start + wide(edge) / 2;
        start += wide(edge);
      }
    }
  }
}

/** The graph in one sentence; the table beside it has the rest. */
function told(workflow, start) {
  const steps = workflow.nodes.map((node) => fill(t.overview.graph_node, { node: node.id, reached: count(node.reached), passed: count(node.passed) }));
  return fill(t.overview.graph_told, { workflow: workflow.id, n: count(start), steps: steps.join("; ") });
}

function way(points, n, thick, kind, narrow) {
  const axis = narrow ? 1 : 0;
  const head = 5 + thick * 0.45;
  const end = [...points.at(-1)];
  const tip = [...end];
  end[axis] -= head;
  const bent = [...points.slice(0, -1), end];
  let d = `M${bent[0]}`;
  for (let i = 1; i < bent.length; i += 1) {
    const [a, b] = [bent[i - 1], bent[i]];
    const half = (b[axis] - a[axis]) / 2;
    const [one, two] = [[...a], [...b]];
    one[axis] += half;
    two[axis] -= half;
    d += `C${one} ${two} ${b}`;
  }
  const side = 3.5 + thick * 0.62;
  const corner = (by) => (narrow ? [end[0] + by, end[1]] : [end[0], end[1] + by]);
  const middle = points.length === 2 ? between(points[0], end) : between(points[Math.floor(points.length / 2) - 1], points[Math.floor(points.length / 2)]);
  return {
    line: svg(
      "g",
      { class: `way ${kind}${n ? "" : " none"}` },
      svg("path", { class: "line", d, "stroke-width": thick.toFixed(2) }),
      svg("path", { class: "head", d: `M${corner(-side)}L${tip}L${corner(side)}Z` }),
    ),
    number: svg("text", { class: "way-number", x: middle[0], y: middle[1] + (narrow ? 4 : thick > 9 ? 4 : -thick / 2 - 5), "text-anchor": "middle" }, short(n)),
  };
}

function between(a, b) {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
}

function first(n, [x, y], width) {
  return svg(
    "g",
    { class: "node start", transform: `translate(${x} ${y})` },
    svg("rect", { width, height: START_HEIGHT, rx: START_HEIGHT / 2 }),
    svg("text", { class: "big", x: width / 2, y: 32, "text-anchor": "middle" }, short(n)),
    svg("text", { class: "soft", x: width / 2, y: 50, "text-anchor": "middle" }, n === 1 ? t.overview.graph_input : t.overview.graph_inputs),
  );
}

function box(node, [x, y], tone, width) {
  const room = width - 28;
  const [one, two] = flowed(node);
  const limit = asked(node.thresholds);
  const kind = [limit, node.model_type_id].filter(Boolean).join(" · ");
  return svg(
    "g",
    { class: `node ${tone}${node.reached ? "" : " idle"}`, transform: `translate(${x} ${y})` },
    svg("title", {}, [node.id, node.model_name || node.model_id, node.model_type_id].join("\n")),
    svg("rect", { width, height: HEIGHT, rx: 10 }),
    svg("path", { class: "edge-mark", d: `M1 12v${HEIGHT - 24}` }),
    svg("text", { class: "name", x: 15, y: 24 }, fitted(node.id, room, 1)),
    svg("text", { class: "soft", x: 15, y: 41 }, fitted(kind, room, 0.76)),
    svg("text", { class: "number", x: 15, y: 61 }, fitted(one ?? "", room, 0.79)),
    svg("text", { class: node.wrote ? "number strong" : "number", x: 15, y: 77 }, fitted(two ?? "", room, 0.79)),
  );
}

let ruler = null;

/** A text cut to a width in pixels. Scale: its size to that of the names. */
function fitted(text, room, scale) {
  ruler ??= document.createElement("canvas").getContext("2d");
  ruler.font = FONT;
  const fits = (part) => ruler.measureText(part).width * scale <= room;
  if (fits(text)) return text;
  const letters = [...text];
  let [low, high] = [0, letters.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(`${letters.slice(0, middle).join("")}…`)) low = middle;
    else high = middle - 1;
  }
  return `${letters.slice(0, low).join("")}…`;
}
