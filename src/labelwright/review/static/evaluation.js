// The page of a model's evaluations: which version, which evaluation, asking for one, and what came out.

import { get, hosted, v2, where } from "/ui/static/api.js";
import { announce, clear, fill, h } from "/ui/static/dom.js";
import { evaluationView } from "/ui/static/evaluation_view.js";
import { moment } from "/ui/static/formats.js";
import t from "/ui/static/strings.js";
import { inputPath } from "/ui/static/tiles.js";
import { failed } from "/ui/static/toast.js";

/** Milliseconds between two looks at an evaluation that is under way. */
const LOOK = 1000;
const [EVALUATED, EVALUATING, QUEUED] = [21300, 21301, 21303];

const room = document.getElementById("evaluation");
const choices = document.getElementById("choices");
const model = room.dataset.model;
const chosen = new URLSearchParams(location.search);
let waiting = 0;

async function load() {
  clearTimeout(waiting);
  try {
    show(await get("evaluation", { model, version: chosen.get("version"), evaluation: chosen.get("evaluation") }));
  } catch (error) {
    clear(room, h("p", { class: "wrong" }, error.message));
    if (error.offline) failed(error);
  }
  room.removeAttribute("aria-busy");
}

function pick(version, evaluation = "") {
  for (const [name, value] of Object.entries({ version, evaluation })) {
    if (value) chosen.set(name, value);
    else chosen.delete(name);
  }
  history.replaceState(null, "", `?${chosen}`);
  load();
}

function show(reply) {
  bar(reply);
  const { evaluation } = reply;
  const code = evaluation?.status.code;
  if (evaluation?.result) clear(room, evaluationView(evaluation.result, (item) => shot(item, reply.inputs[item.input])));
  else clear(room, h("div", { class: "card blank", id: "told" }, told(reply)));
  if (code === QUEUED || code === EVALUATING) waiting = setTimeout(load, LOOK);
  else if (waiting) {
    waiting = 0;
    announce(code === EVALUATED ? t.evaluation.done : told(reply));
  }
}

function told({ version, evaluation }) {
  if (!version) return t.evaluation.no_version;
  if (!evaluation) return t.evaluation.never;
  const { code, description, details, percent } = evaluation.status;
  if (code === QUEUED) return t.evaluation.queued;
  if (code === EVALUATING) return fill(t.evaluation.running, { percent });
  return fill(t.evaluation.ended, { why: details || description });
}

function bar({ version, versions, evaluation, evaluations }) {
  if (!version) {
    clear(choices);
    return;
  }
  const some = versions.map((one) => h("option", { value: one.id }, fill(t.evaluation.version_of, { id: one.id.slice(0, 8), when: moment(one.created_at) })));
  const made = evaluations.map((one) => h("option", { value: one.id }, fill(t.evaluation.evaluation_of, { when: moment(one.created_at), state: one.status.description })));
  const versionChoice = h("select", { id: "version", on: { change: () => pick(versionChoice.value) } }, some);
  versionChoice.value = version;
  const evaluationChoice = h("select", { id: "which", on: { change: () => pick(version, evaluationChoice.value) } }, made);
  if (evaluation) evaluationChoice.value = evaluation.id;
  const start = h("button", { class: "primary button", type: "button", id: "evaluate", title: t.evaluation.evaluate_hint, on: { click: () => ask(version, start) } }, t.evaluation.evaluate);
  const before = document.activeElement?.id;
  clear(
    choices,
    h("label", { for: "version" }, t.evaluation.version),
    versionChoice,
    made.length > 0 && [h("label", { for: "which" }, t.evaluation.evaluation), evaluationChoice],
    start,
  );
  // What had the focus was drawn anew.
  if (["version", "which", "evaluate"].includes(before)) document.getElementById(before)?.focus();
}

async function ask(version, button) {
  button.disabled = true;
  try {
    const path = `models/${encodeURIComponent(model)}/versions/${encodeURIComponent(version)}/evaluations`;
    const { eval_metrics: [made] } = await v2(path, { body: { eval_metrics: [{}] } });
    pick(version, made.id);
  } catch (error) {
    button.disabled = false;
    failed(error);
  }
}

function shot(item, input) {
  const address = hosted(input?.data?.image, "small");
  const text = input?.data?.text?.raw;
  return h(
    "a",
    { class: "shot", href: inputPath(item.input), "aria-label": item.input },
    address ? h("img", { src: address, alt: "", loading: "lazy" }) : h("span", {}, (text || item.input).slice(0, 160)),
  );
}

if (where.app) await load();
