// The report: the evaluation that lies in the page itself, drawn as on the page of the server.

import { append, clear, fill, h } from "/ui/static/dom.js";
import { evaluationView } from "/ui/static/evaluation_view.js";
import t from "/ui/static/strings.js";

const data = JSON.parse(document.getElementById("data").textContent);

function picture(item) {
  const image = data.images[item.input];
  const name = h("code", {}, item.input);
  return image ? [h("span", { class: "shot" }, h("img", { src: image, alt: "" })), name] : name;
}

clear(document.getElementById("head"), h("h1", {}, fill(t.evaluation.report_title, { model: data.model })), h("p", { class: "hint" }, fill(t.evaluation.report_lead, data)));
append(clear(document.getElementById("evaluation")), evaluationView(data.result, (item) => picture(item)));
