// How an app stands, at a glance.

import { appPath, get } from "/ui/static/api.js";
import { ago, clear, count, fill, h } from "/ui/static/dom.js";
import { nameOf, several, share } from "/ui/static/formats.js";
import { drawGraph } from "/ui/static/graph.js";
import t from "/ui/static/strings.js";
import { nothing, tile } from "/ui/static/tiles.js";
import { failed } from "/ui/static/toast.js";

const host = document.getElementById("overview");
const CONCEPTS = 12;
const NEWEST = 12;
/** Milliseconds between two looks: while inputs are worked on, and otherwise. */
const [SOON, LATER] = [3000, 30000];

const parts = {
  figures: h("section", { class: "figures", "aria-label": t.overview.figures }),
  workflow: h("section", { class: "card", "aria-labelledby": "workflow-title" }),
  concepts: h("section", { class: "card", "aria-labelledby": "concepts-title" }),
  newest: h("section", { class: "card", "aria-labelledby": "newest-title" }),
};
const shown = {};

/** Draw a part anew where what it shows has changed, and nobody is using it. */
function renew(name, data, draw) {
  const text = JSON.stringify(data);
  if (shown[name] === text || parts[name].contains(document.activeElement)) return;
  shown[name] = text;
  clear(parts[name], draw(data));
}

function figures({ inputs, annotations, coverage, labelled, waiting }) {
  return [hero(waiting, annotations), inputsCard(inputs), sharesCard(coverage, labelled), labelsCard(annotations)];
}

function hero(waiting, annotations) {
  return h(
    "div",
    { class: "card hero" },
    h("h2", {}, t.overview.waiting_title),
    h("p", { class: ["figure", waiting ? "waiting" : "labelled", "toned"] }, count(waiting)),
    h("p", { class: "soft" }, waiting ? several(waiting, t.overview.waiting_text_1, t.overview.waiting_text) : t.overview.waiting_none),
    h(
      "div",
      { class: "row" },
      h("a", { class: ["button", waiting && "primary", "big"], href: appPath("review") }, t.overview.review),
      waiting > 0 && h("a", { class: "button", href: appPath("review/grid") }, t.overview.review_grid),
      annotations.flagged > 0 &&
        h("a", { class: "tiny", href: `${appPath("review")}?status=flagged` }, several(annotations.flagged, t.overview.flagged_1, t.overview.flagged)),
    ),
  );
}

function inputsCard(inputs) {
  const kinds = [
    ["done", "labelled"],
    ["in_progress", "busy"],
    ["pending", "idle"],
    ["failed", "failed"],
  ];
  return h(
    "div",
    { class: "card" },
    h("h2", {}, t.overview.inputs_title),
    h("p", { class: "figure" }, h("a", { href: appPath("inputs") }, count(inputs.total))),
    stacked(kinds.map(([key, tone]) => ({ n: inputs[key], tone })), inputs.total),
    h(
      "ul",
      { class: "keys" },
      kinds
        .filter(([key]) => inputs[key] || key === "done")
        .map(([key, tone]) =>
          h("li", { class: tone }, h("i", { "aria-hidden": "true" }), h("a", { href: `${appPath("inputs")}?status=${key}` }, t.overview[`status_${key}`]), h("b", {}, count(inputs[key]))),
        ),
    ),
  );
}

function sharesCard(coverage, labelled) {
  const row = (value, title, text) =>
    h("div", { class: "share" }, h("p", { class: "figure" }, share(value)), h("p", {}, h("b", {}, title)), h("div", { class: "meter", "aria-hidden": "true" }, h("span", { style: { width: `${100 * value}%` } })), h("p", { class: "hint" }, text));
  return h("div", { class: "card shares" }, h("h2", {}, t.overview.coverage_title), h("div", { class: "pair" }, row(coverage, t.overview.coverage, t.overview.coverage_text), row(labelled, t.overview.labelled, t.overview.labelled_text)));
}

function labelsCard(annotations) {
  const kinds = [
    ["by_model", "model"],
    ["confirmed", "confirmed"],
    ["by_people", "people"],
  ];
  const total = kinds.reduce((n, [key]) => n + annotations[key], 0);
  return h(
    "div",
    { class: "card" },
    h("h2", {}, t.overview.labels_title),
    h("p", { class: "figure" }, count(total)),
    stacked(kinds.map(([key, tone]) => ({ n: annotations[key], tone })), total),
    h(
      "ul",
      { class: "keys" },
      kinds.map(([key, tone]) => h("li", { class: tone }, h("i", { "aria-hidden": "true" }), h("span", {}, t.overview[key]), h("b", {}, count(annotations[key])))),
    ),
  );
}

/** Parts of a whole, side by side. */
function stacked(pieces, total) {
  return h(
    "div",
    { class: "stacked", "aria-hidden": "true" },
    pieces.filter(({ n }) => n > 0).map(({ n, tone }) => h("span", { class: tone, style: { flexGrow: n / Math.max(1, total) } })),
  );
}

function workflow(data) {
  const head = h("div", { class: "head" }, h("h2", { id: "workflow-title" }, t.overview.workflow_title), data && h("a", { class: "tiny", href: appPath("workflow") }, t.overview.workflow_more));
  if (!data) return [head, nothing(t.overview.workflow_none)];
  if (!data.nodes.length) return [head, nothing(fill(t.overview.workflow_empty, { name: data.id }))];
  const graph = h("div", { class: "graph-room", tabindex: "0", role: "group", "aria-label": t.overview.workflow_title });
  drawGraph(graph, data);
  return [head, graph];
}

function concepts({ list, total }) {
  const most = Math.max(1, ...list.map(all));
  return [
    h("div", { class: "head" }, h("h2", { id: "concepts-title" }, t.overview.concepts_title), h("a", { class: "tiny", href: appPath("concepts") }, fill(t.overview.concepts_all, { n: count(total) }))),
    list.length ? conceptTable(list.slice(0, CONCEPTS), most) : nothing(t.overview.concepts_none),
  ];
}

function all(concept) {
  return concept.success + concept.negative + concept.pending;
}

function conceptTable(list, most) {
  const number = (n, tone) => h("td", { class: ["num", tone, n && "toned"] }, count(n));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-labelledby": "concepts-title" },
    h(
      "table",
      { class: "concepts" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t.overview.concept), h("th", { scope: "col", class: "bars" }, h("span", { class: "unseen" }, t.overview.concept_bar)), ["success", "pending", "negative"].map((key) => h("th", { scope: "col", class: "num" }, t.overview[`hist_${key}`])))),
      h(
        "tbody",
        {},
        list.map((concept) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, h("a", { class: "two-lines", title: nameOf(concept), href: `${appPath("concepts")}?concept=${encodeURIComponent(concept.id)}` }, nameOf(concept))),
            h("td", { class: "bars" }, bars(concept, most)),
            number(concept.success, "labelled"),
            h("td", { class: ["num", "waiting", concept.pending && "toned"] }, concept.pending ? h("a", { href: `${appPath("review/grid")}?concept=${encodeURIComponent(concept.id)}`, "aria-label": fill(t.overview.review_n_of, { n: count(concept.pending), concept: nameOf(concept) }) }, count(concept.pending)) : "0"),
            number(concept.negative, "nothing"),
          ),
        ),
      ),
    ),
  );
}

function bars(concept, most) {
  const wide = (100 * all(concept)) / most;
  return h("div", { class: "stacked thin", "aria-hidden": "true", style: { width: `${Math.max(wide, all(concept) ? 1.5 : 0)}%` } }, ["success", "pending", "negative"].filter((key) => concept[key]).map((key) => h("span", { class: key, style: { flexGrow: concept[key] } })));
}

function newest(inputs) {
  return [
    h("div", { class: "head" }, h("h2", { id: "newest-title" }, t.overview.newest_title), h("a", { class: "tiny", href: appPath("inputs") }, t.overview.newest_all)),
    inputs.length ? h("ul", { class: "newest" }, inputs.map((input) => h("li", {}, tile(input, { small: true })))) : nothing(t.overview.newest_none, h("a", { class: "button primary", href: appPath("add") }, t.overview.add_inputs)),
  ];
}

async function look() {
  let wait = LATER;
  try {
    const [data, page] = await Promise.all([get("overview"), get("inputs", { n: NEWEST })]);
    if (host.getAttribute("aria-busy") === "true") {
      host.removeAttribute("aria-busy");
      clear(host, parts.figures, parts.workflow, h("div", { class: "halves even" }, parts.concepts, parts.newest));
    }
    const { inputs, annotations, coverage, labelled } = data;
    // A concept that waits is what a person decides on; annotations may hold several, or be looked at in part.
    const waiting = annotations.pending;
    renew("figures", { inputs, annotations, coverage, labelled, waiting }, figures);
    renew("workflow", data.workflow, workflow);
    renew("concepts", { list: data.concepts, total: data.concepts_total ?? data.concepts.length }, concepts);
    renew("newest", page.inputs, newest);
    const counted = data.counted_at && Date.now() - new Date(data.counted_at) > 10_000;
    document.getElementById("counted").textContent = data.sampled ? t.overview.sampled : counted ? fill(t.overview.counted, { ago: ago(data.counted_at) }) : "";
    if (inputs.pending || inputs.in_progress) wait = SOON;
  } catch (error) {
    if (host.getAttribute("aria-busy") === "true") clear(host, nothing(error.message));
    failed(error, { id: "overview" });
  }
  setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", look, { once: true }) : look()), wait);
}

look();
