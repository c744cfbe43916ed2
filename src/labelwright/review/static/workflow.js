// The workflow of an app in full, and how its thresholds part the scores of a concept.

import { appPath, get } from "/ui/static/api.js";
import { announce, clear, count, fill, h } from "/ui/static/dom.js";
import { nameOf, threshold } from "/ui/static/formats.js";
import { asked, drawGraph, sign, tones } from "/ui/static/graph.js";
import { about, asTable, drawHistogram, legend, wayOf } from "/ui/static/histogram.js";
import { pick } from "/ui/static/picker.js";
import t from "/ui/static/strings.js";
import { nothing } from "/ui/static/tiles.js";
import { failed } from "/ui/static/toast.js";
import { tunable } from "/ui/static/tuning.js";

/** Thresholds that are listed at most: a mapper may have thousands of concepts. */
const MOST = 300;

const host = document.getElementById("workflow");
const scores = document.getElementById("scores");
const body = document.getElementById("scores-body");
const chooser = document.getElementById("scores-pick");
const review = document.getElementById("scores-review");
const address = new URL(location.href);

let concepts = [];

function graph(workflow) {
  const room = h("div", { class: "graph-room", tabindex: "0", role: "group", "aria-label": t.overview.workflow_graph });
  drawGraph(room, workflow);
  return h("section", { class: "card", "aria-label": t.overview.workflow_graph }, room, h("p", { class: "hint below" }, t.overview.workflow_reading));
}

function table({ nodes }) {
  const tone = tones(nodes);
  const columns = ["node", "node_model", "node_after", "node_reached", "node_passed", "node_in", "node_out", "node_wrote"];
  const number = (n) => h("td", { class: "num" }, count(n));
  return h(
    "section",
    { class: "card flush", "aria-labelledby": "nodes-title" },
    h("h2", { id: "nodes-title" }, t.overview.nodes_title),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-labelledby": "nodes-title" },
      h(
        "table",
        { class: "nodes" },
        h("thead", {}, h("tr", {}, columns.map((name, i) => h("th", { scope: "col", class: i > 2 ? "num" : null }, t.overview[name])))),
        h(
          "tbody",
          {},
          nodes.map((node) =>
            h(
              "tr",
              {},
              h("th", { scope: "row", class: `toned ${tone.get(node.id)}` }, node.id),
              h("td", {}, h("a", { href: `${appPath("models")}?model=${encodeURIComponent(node.model_id)}` }, node.model_name || node.model_id), h("div", { class: "soft tiny" }, node.model_type_id, asked(node.thresholds) && ` · ${asked(node.thresholds)}`)),
              h("td", {}, node.inputs.length ? node.inputs.join(", ") : h("span", { class: "soft" }, t.overview.graph_inputs)),
              [node.reached, node.passed, node.concepts_in, node.concepts_out, node.wrote].map(number),
            ),
          ),
        ),
      ),
    ),
  );
}

function thresholds({ nodes }) {
  const limited = nodes.filter((node) => node.thresholds?.concepts?.length);
  if (!limited.length) return null;
  const byConcept = new Map();
  for (const node of limited) {
    for (const concept of node.thresholds.concepts) {
      // The app's own name: a threshold may know the id alone.
      const row = byConcept.get(concept.id) ?? { name: nameOf(concepts.find((one) => one.id === concept.id) ?? concept), values: new Map() };
      row.values.set(node.id, concept.value);
      byConcept.set(concept.id, row);
    }
  }
  const rows = [...byConcept].slice(0, MOST);
  return h(
    "section",
    { class: "card flush", "aria-labelledby": "thresholds-title" },
    h("h2", { id: "thresholds-title" }, t.overview.thresholds_title),
    h(
      "div",
      { class: "scroll tall", tabindex: "0", role: "group", "aria-labelledby": "thresholds-title" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, t.overview.concept),
            limited.map((node) => h("th", { scope: "col", class: "num" }, node.id, h("div", { class: "soft" }, wayOf({ compare: node.thresholds.compare, value: 0 }).to))),
          ),
        ),
        h(
          "tbody",
          {},
          rows.map(([id, row]) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, h("button", { type: "button", class: "link", title: t.overview.scores_show, on: { click: () => choose(id, true) } }, row.name)),
              limited.map((node) => h("td", { class: "num" }, row.values.has(node.id) ? `${sign(node.thresholds.compare)} ${threshold(row.values.get(node.id))}` : "–")),
            ),
          ),
        ),
      ),
    ),
    byConcept.size > rows.length && h("p", { class: "hint" }, fill(t.overview.thresholds_more, { n: count(byConcept.size - rows.length) })),
  );
}

let asking = null;

async function choose(id, scroll = false) {
  const concept = concepts.find((one) => one.id === id) ?? { id };
  asking?.abort();
  asking = new AbortController();
  scores.hidden = false;
  clear(chooser, h("span", { class: "cut" }, nameOf(concept)), h("span", { class: "caret", "aria-hidden": "true" }));
  review.hidden = !concept.pending;
  review.href = `${appPath("review/grid")}?concept=${encodeURIComponent(id)}`;
  address.searchParams.set("concept", id);
  history.replaceState(null, "", address);
  if (scroll) scores.scrollIntoView({ block: "nearest" });
  try {
    const data = await get("histogram", { concept: id, bins: 40 }, { signal: asking.signal });
    data.concept = nameOf(concept);
    if (!data.n) {
      clear(body, nothing(t.overview.hist_empty));
    } else {
      const room = h("div", { class: "histogram-room" });
      const tuning = h("div", { class: "tuning" });
      clear(body, legend(data), room, h("p", { class: "hint" }, about(data)), tuning, h("details", {}, h("summary", {}, t.overview.hist_table), h("div", { class: "scroll tall", tabindex: "0", role: "group", "aria-label": t.overview.hist_table }, asTable(data))));
      drawHistogram(room, data);
      await tunable({ host: tuning, room, data, concept: id, signal: asking.signal, changed: start });
    }
    announce(fill(t.overview.scores_of, { concept: nameOf(concept) }));
  } catch (error) {
    failed(error, { id: "histogram" });
  }
}

chooser.addEventListener("click", async () => {
  const list = concepts.map((one) => ({ id: one.id, name: one.name, note: count(one.success + one.pending + one.negative) }));
  const chosen = await pick({ concepts: list, title: t.overview.scores_pick });
  if (chosen?.id) choose(chosen.id);
});

async function start() {
  try {
    const data = await get("overview");
    concepts = data.concepts;
    const { workflow } = data;
    host.removeAttribute("aria-busy");
    if (!workflow) clear(host, h("section", { class: "card" }, nothing(t.overview.workflow_none)));
    else if (!workflow.nodes.length) clear(host, h("section", { class: "card" }, nothing(fill(t.overview.workflow_empty, { name: workflow.id }))));
    else {
      document.getElementById("version").textContent = fill(t.overview.workflow_version, { workflow: workflow.id, version: workflow.version_id.slice(0, 8) });
      clear(host, graph(workflow), h("div", { class: "halves wide-first" }, table(workflow), thresholds(workflow)));
    }
    const wanted = address.searchParams.get("concept");
    const limits = new Set((workflow?.nodes ?? []).flatMap((node) => node.thresholds?.concepts ?? []).map((concept) => concept.id));
    // The one that its address names, else the first that thresholds part and that there is anything of.
    const first = concepts.find((one) => limits.has(one.id)) ?? concepts[0];
    if (wanted || first) choose(wanted || first.id);
  } catch (error) {
    host.removeAttribute("aria-busy");
    clear(host, nothing(error.message));
    failed(error, { id: "workflow" });
  }
}

start();
