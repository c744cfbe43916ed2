// What audits say of the automatic labels: a table, and a banner where a promise no longer holds.
import { fill, h } from "./dom.js";
import t from "./strings.js";

/** A share of 0..1 in percent, with as many digits as tell small ones apart: 0.25 %, 2.5 %, 25 %, 100 %. */
export function percent(value) {
  const n = 100 * value;
  return fill(t.audit.percent, { n: String(n >= 10 ? Math.round(n) : Number(n.toPrecision(2))) });
}

const nameOf = (e) => (e.concept ? e.concept.name || e.concept.id : t.audit.all_concepts);

/** The estimates of `audit/status` as a table. */
export function estimatesTable(status) {
  if (!status.estimates.length) return h("p", { class: "soft" }, t.audit.nothing_drawn);
  const head = ["concept", "answered", "wrong", "error", "target", "state"];
  return h("div", { class: "au-table", tabindex: "0", role: "group", "aria-label": t.audit.results },
    h("table", {},
      h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, t.audit[`column_${name}`])))),
      h("tbody", {}, status.estimates.map((e) => h("tr", { class: e.alarm ? "alarm" : null },
        h("th", { scope: "row", title: `${t.audit.column_model}: ${e.model.name || e.model.id} ${e.model.version_id}` }, nameOf(e)),
        h("td", {}, fill(t.audit.of_drawn, { answered: e.answered, drawn: e.drawn })),
        h("td", {}, e.wrong),
        h("td", {}, e.error === null ? t.audit.error_none : fill(t.audit.error_of, { error: percent(e.error), low: percent(e.low), high: percent(e.high) })),
        h("td", {}, e.target ? fill(t.audit.at_most, { error: percent(e.target.error) }) : t.audit.error_none),
        h("td", { title: e.reason }, t.audit[`state_${e.state || "none"}`]))))));
}

/** Show in `room` which promises no longer hold; nothing where all do. */
export function showAlarms(room, status, href) {
  const broken = status.estimates.filter((e) => e.alarm);
  const text = JSON.stringify(broken);
  if (room.dataset.shown === text) return;
  room.dataset.shown = text;
  if (!broken.length) return void room.replaceChildren();
  const what = broken.map((e) => fill(t.audit.alarm_one, { name: nameOf(e), error: percent(e.error), target: percent(e.target.error) })).join("; ");
  room.replaceChildren(h("div", { class: "au-alarm", role: "alert" },
    h("p", {}, h("b", {}, fill(t.audit.alarm, { what }))),
    h("p", {}, t.audit.alarm_do, " ", href && h("a", { href }, t.audit.alarm_link))));
}
