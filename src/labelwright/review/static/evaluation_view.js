// What an evaluation shows: figures, a table of the concepts, plots of one of them, confusion, mistakes.

import { clear, count, fill, h } from "/ui/static/dom.js";
import { curvePlot, matrixPlot, reliabilityPlot } from "/ui/static/plots.js";
import t from "/ui/static/strings.js";

/** Curves of other concepts that stand behind the one that is chosen, and mistakes that are shown at once. */
const [BEHIND, MISTAKES] = [30, 24];

const FIGURES = ["accuracy", "macro_f1", "macro_roc_auc", "calibration_error"];
const COLUMNS = ["f1", "precision", "recall", "roc_auc", "average_precision", "calibration_error"];

/**
 * The whole of a result, as elements. `mistake(item)` gives what stands for an input: a link, a picture, its id.
 */
export function evaluationView(result, mistake) {
  const room = h("div", { class: "stack plots-room" });
  const choice = h(
    "select",
    { id: "concept", on: { change: () => draw(Number(choice.value)) } },
    result.concepts.map((concept, i) => h("option", { value: String(i) }, concept.name)),
  );
  function draw(number) {
    clear(room, plotsOf(result, number));
  }
  const first = worst(result.concepts);
  choice.value = String(first);
  draw(first);
  return [
    figures(result),
    h("section", { class: "card", "aria-labelledby": "concepts-title" }, h("h2", { id: "concepts-title" }, t.evaluation.concepts), conceptTable(result.concepts)),
    h(
      "section",
      { class: "card", "aria-labelledby": "plots-title" },
      h("div", { class: "head" }, h("h2", { id: "plots-title" }, t.evaluation.plots), h("span", { class: "row" }, h("label", { for: "concept" }, t.evaluation.concept), choice)),
      room,
    ),
    h("section", { class: "card", "aria-labelledby": "confusion-title" }, h("h2", { id: "confusion-title" }, t.evaluation.confusion), confusion(result)),
    h("section", { class: "card", "aria-labelledby": "mistakes-title" }, h("h2", { id: "mistakes-title" }, t.evaluation.mistakes), mistakes(result, mistake)),
  ];
}

// Where there is most to see: the lowest F1 of those that have one.
function worst(concepts) {
  let found = 0;
  concepts.forEach((concept, i) => {
    if (concept.f1 !== null && (concepts[found].f1 === null || concept.f1 < concepts[found].f1)) found = i;
  });
  return found;
}

/** A figure of 0..1 with three places; a dash where it could not be told. */
export function figure(value) {
  return typeof value === "number" ? value.toFixed(3) : t.evaluation.none;
}

function figures(result) {
  const { summary, about = {} } = result;
  const notes = [
    fill(summary.inputs === 1 ? t.evaluation.inputs_1 : t.evaluation.inputs_n, { n: count(summary.inputs) }),
    t.evaluation[`way_${about.way ?? "running"}`],
    about.left_out > 0 && fill(t.evaluation.left_out, { n: count(about.left_out) }),
    about.failed > 0 && fill(t.evaluation.failed_n, { n: count(about.failed) }),
    about.of > summary.inputs + (about.failed ?? 0) && fill(t.evaluation.drawn, { n: count(about.of) }),
    result.exclusive ? t.evaluation.exclusive : t.evaluation.side_by_side,
  ];
  return h(
    "section",
    { "aria-label": t.evaluation.figures },
    h(
      "dl",
      { class: "measures" },
      FIGURES.map((name) => h("div", { class: "card" }, h("dt", {}, t.evaluation[`figure_${name}`]), h("dd", { class: "figure" }, figure(summary[name])), h("dd", { class: "hint" }, t.evaluation[`told_${name}`]))),
    ),
    h("p", { class: "hint below" }, notes.filter(Boolean).join(" ")),
  );
}

function conceptTable(concepts) {
  return h(
    "div",
    { class: "scroll tall", tabindex: "0", role: "group", "aria-label": t.evaluation.concepts },
    h(
      "table",
      { class: "by-concept" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t.evaluation.concept), COLUMNS.map((name) => h("th", { scope: "col", class: "num" }, t.evaluation[`figure_${name}`])), h("th", { scope: "col", class: "num" }, t.evaluation.labels))),
      h(
        "tbody",
        {},
        concepts.map((concept) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, concept.name),
            COLUMNS.map((name) => h("td", { class: "num" }, figure(concept[name]))),
            h("td", { class: "num" }, fill(t.evaluation.labels_n, { yes: count(concept.positives), no: count(concept.negatives) })),
          ),
        ),
      ),
    ),
  );
}

function plotsOf(result, number) {
  const concept = result.concepts[number];
  const others = (kind) => result.concepts.filter((other, i) => i !== number && other[kind]).slice(0, BEHIND).map((other) => other[kind]);
  const area = { concept: concept.name, ap: figure(concept.average_precision), auc: figure(concept.roc_auc), ece: figure(concept.calibration_error) };
  return h(
    "div",
    { class: "plots" },
    curvePlot(concept.precision_recall, others("precision_recall"), {
      title: fill(t.evaluation.pr_title, area),
      x: t.evaluation.recall,
      y: t.evaluation.precision,
      told: fill(t.evaluation.pr_told, area),
      point: t.evaluation.pr_point,
      note: !concept.precision_recall && t.evaluation.no_positives,
    }),
    curvePlot(
      concept.roc,
      others("roc"),
      {
        title: fill(t.evaluation.roc_title, area),
        x: t.evaluation.false_alarms,
        y: t.evaluation.recall,
        told: fill(t.evaluation.roc_told, area),
        point: t.evaluation.roc_point,
        note: !concept.roc && t.evaluation.no_both,
      },
      { diagonal: true },
    ),
    reliabilityPlot(concept.bins, {
      title: fill(t.evaluation.reliability_title, area),
      x: t.evaluation.score,
      y: t.evaluation.came_true,
      told: fill(t.evaluation.reliability_told, area),
      point: t.evaluation.reliability_point,
    }),
    reliabilityPlot(result.bins, {
      title: fill(t.evaluation.reliability_all, { ece: figure(result.summary.calibration_error) }),
      x: t.evaluation.score,
      y: t.evaluation.came_true,
      told: fill(t.evaluation.reliability_all, { ece: figure(result.summary.calibration_error) }),
      point: t.evaluation.reliability_point,
    }),
  );
}

function confusion(result) {
  const names = result.concepts.map((concept) => concept.name);
  const totals = result.concepts.map((concept) => concept.positives);
  const wrong = result.confusion.filter(([row, column]) => row !== column).sort((a, b) => b[2] - a[2]);
  const said = wrong.slice(0, 5).map(([row, column, n]) => fill(t.evaluation.confused, { actual: names[row], said: names[column], n: count(n) }));
  return h(
    "div",
    { class: "plots" },
    matrixPlot(names, result.confusion, totals, {
      title: t.evaluation.confusion_title,
      x: t.evaluation.said,
      y: t.evaluation.actual,
      told: fill(t.evaluation.confusion_told, { n: count(names.length), worst: said.join("; ") || t.evaluation.nothing_confused }),
      cell: t.evaluation.confusion_cell,
      some: t.evaluation.matrix_some,
    }),
    names.length > 1 &&
      !result.exclusive &&
      matrixPlot(names, result.cooccurrence, totals, {
        title: t.evaluation.together_title,
        x: t.evaluation.together_with,
        y: t.evaluation.concept,
        told: t.evaluation.together_title,
        cell: t.evaluation.together_cell,
        some: t.evaluation.matrix_some,
      }),
  );
}

function mistakes(result, mistake) {
  if (!result.mistakes.length) return h("p", { class: "hint" }, t.evaluation.no_mistakes);
  const names = result.concepts.map((concept) => concept.name);
  const list = h("ul", { class: "mistakes" });
  const more = h("button", { class: "plain", type: "button", on: { click: () => show(result.mistakes.length) } }, t.evaluation.show_all);
  function show(n) {
    clear(
      list,
      result.mistakes.slice(0, n).map((item) => h("li", { class: "mistake" }, mistake(item), h("p", {}, sentence(item, names)))),
    );
    more.hidden = n >= result.mistakes.length;
  }
  show(MISTAKES);
  return [h("p", { class: "hint" }, t.evaluation.mistakes_lead), list, more];
}

function sentence(item, names) {
  const values = { said: names[item.said], missed: names[item.missed], score: figure(item.score) };
  if (item.said === null) return fill(t.evaluation.mistake_missed, values);
  return fill(item.missed === null ? t.evaluation.mistake_said : t.evaluation.mistake_both, values);
}
