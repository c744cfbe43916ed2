// The last ten decisions: shown, looked at again, undone.
import { clear, fill, h } from "./dom.js";
import { thumbnail } from "./exhibit.js";
import t from "./strings.js";

const MOST = 10;

/** What was decided, in words. */
export function saidOf(record) {
  return fill(t.review[`done_${record.verdict}`], { name: record.newConcept?.name ?? "" });
}

/**
 * @param onShow (record); onUndo (record).
 * @returns {records, add(record), remove(record), mark(record or null), paint()}
 */
export function mountStrip(element, { onShow, onUndo }) {
  const list = h("ol", { class: "rv-done-list" });
  const empty = h("p", { class: "rv-done-empty" }, t.review.done_empty);
  clear(element);
  element.append(list, empty);
  const records = [], drawn = new Map();
  let marked = null;

  function draw(record) {
    const name = record.item.concept.name, verdict = saidOf(record);
    return h("li", { class: `rv-done ${record.verdict}` },
      h("button", { type: "button", class: "rv-done-show", "aria-label": fill(t.review.done_show, { name, verdict }), title: `${name}: ${verdict}`, on: { click: () => onShow(record) } },
        thumbnail(record.entry, record.item, 40),
        h("span", { class: "rv-done-name" }, name),
        h("span", { class: "rv-done-what" }, verdict)),
      h("button", { type: "button", class: "rv-done-undo", "aria-label": fill(t.review.done_undo, { name, verdict }), title: t.review.undo, on: { click: () => onUndo(record) } }, "↶"));
  }
  function paint() {
    for (const [record, row] of drawn) if (!records.includes(record)) { row.remove(); drawn.delete(record); }
    records.forEach((record, i) => {
      if (!drawn.has(record)) drawn.set(record, draw(record));
      const row = drawn.get(record);
      if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
      row.classList.toggle("marked", record === marked);
      row.firstChild.setAttribute("aria-pressed", String(record === marked));
    });
    empty.hidden = records.length > 0;
  }
  return {
    records, paint,
    /** Newest first; `paint` shows it, when there is time. */
    add(record) {
      records.unshift(record);
      // An eleventh lives on in the history alone.
      records.splice(MOST);
    },
    remove(record) {
      const i = records.indexOf(record);
      if (i >= 0) records.splice(i, 1);
    },
    mark(record) {
      marked = record;
      if (record) drawn.get(record)?.scrollIntoView({ block: "nearest", inline: "nearest" });
      paint();
    },
  };
}
