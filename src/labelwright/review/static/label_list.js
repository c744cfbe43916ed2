// The list of an input's labels: what waits for a person first.

import { ago, fill, h } from "./dom.js";
import t from "./strings.js";
import { colourOf } from "./colours.js";
import { nameOf, waits } from "./labels.js";
import { scoreText, stateText } from "./render_box.js";
import { icon } from "./stage_tools.js";
import { clock } from "./timeline.js";

const SHOWN = 300;

/**
 * @param {HTMLElement} element
 * @param {object} does what the rows' buttons do: choose(label), accept(label), reject(label), relabel(label),
 *   remove(label); `modelName(version id)` and `excerpt(label)` say more of a label.
 * @returns {{show(labels), mark(spot)}}
 */
export function labelList(element, does) {
  let rows = new Map();
  let marked = null;

  function show(labels) {
    const focus = remember();
    rows = new Map();
    const parts = [];
    const groups = [
      ["group_waiting", labels.filter(waits)],
      ["group_labels", labels.filter((label) => label.state === "success")],
      ["group_no", labels.filter((label) => label.state === "negative" || label.state === "denied")],
    ];
    for (const [words, all] of groups) {
      if (!all.length) continue;
      const title = h("h3", { class: "one-group" }, fill(t.media[words], { n: all.length }));
      parts.push(title, h("ul", { class: "one-rows" }, all.slice(0, SHOWN).map(row)));
      if (all.length > SHOWN) parts.push(h("p", { class: "soft" }, fill(t.media.and_more, { n: all.length - SHOWN })));
    }
    element.replaceChildren(...(parts.length ? parts : [h("p", { class: "soft" }, t.media.no_labels)]));
    mark(marked);
    focus();
  }

  // Who works by keys stays where they were when the list is drawn anew: on the same button, or on the next label's.
  function remember() {
    const at = element.contains(document.activeElement) ? document.activeElement : null;
    if (!at) return () => {};
    const all = [...element.querySelectorAll("li")];
    const index = all.indexOf(at.closest("li"));
    const { id } = at.closest("li").dataset;
    const { does: what } = at.dataset;
    return () => {
      const now = [...element.querySelectorAll("li")];
      const item = now.find((each) => each.dataset.id === id) ?? now[Math.min(index, now.length - 1)];
      (item?.querySelector(`[data-does="${what}"]`) ?? item?.querySelector("button"))?.focus({ preventScroll: true });
    };
  }

  function row(label) {
    const name = nameOf(label.concept) || t.media.no_label;
    const dot = h("span", { class: "player-dot", "aria-hidden": "true" });
    dot.style.setProperty("--tone", colourOf(label.concept?.id ?? ""));
    const { annotation } = label;
    const by = annotation.model_version_id
      ? fill(t.media.by_model, { name: does.modelName(annotation.model_version_id) })
      : fill(t.media.by_person, { name: annotation.user_id });
    const when = annotation.modified_at ? ago(annotation.modified_at) : "";
    const facts = [placeOf(label), by, when].filter(Boolean).join(" · ");
    const main = h(
      "button",
      { type: "button", class: "one-name", data: { does: "choose" }, on: { click: () => does.choose(label) } },
      dot,
      h(
        "span",
        { class: "one-line" },
        h("span", { class: `one-words is-${label.state}` }, name),
        h("span", { class: "one-score" }, scoreText(label.score)),
        h("span", { class: `chip one-state is-${label.state}` }, stateText(label.state)),
      ),
      h("span", { class: "one-facts" }, facts),
    );
    const tools = h("div", { class: "one-buttons" });
    const button = (what, words, drawing, extra = "") =>
      tools.append(
        h(
          "button",
          {
            type: "button",
            class: `tool ${extra}`,
            title: words,
            "aria-label": fill(t.media.what_of, { what: words, name }),
            data: { does: what },
            on: { click: () => does[what](label) },
          },
          icon(drawing),
        ),
      );
    if (waits(label) && label.position !== null) {
      button("accept", t.media.accept, "yes", "is-good");
      button("reject", t.media.reject, "no", "is-bad");
    }
    if (label.kind !== "segment") button("relabel", t.media.relabel, "pen");
    if (label.kind !== "segment") button("remove", t.media.remove, "bin");
    const item = h("li", { class: "one-row", data: { id: label.id } }, main, tools);
    rows.set(label, item);
    return item;
  }

  function placeOf(label) {
    const excerpt = does.excerpt(label);
    if (label.kind === "span") return excerpt ? fill(t.media.in_words, { text: excerpt }) : t.media.place_span;
    const time = label.frame ? clock(Number(label.frame.frame_info?.time) || 0) : "";
    if (label.kind === "segment") {
      const { begin_time: from = 0, end_time: to = 0 } = label.segment.time_info ?? {};
      return fill(t.media.from_to, { from: clock(from), to: clock(to) });
    }
    if (label.kind === "frame") return fill(t.media.place_frame, { time });
    if (label.kind === "region") return label.frame ? fill(t.media.place_box_at, { time }) : t.media.place_box;
    return t.media.place_input;
  }

  /** Show which place is chosen. */
  function mark(spot) {
    marked = spot;
    for (const [label, item] of rows) {
      const yes = spot !== null && label.spot === spot;
      item.classList.toggle("is-chosen", yes);
      item.querySelector(".one-name").setAttribute("aria-pressed", String(yes));
    }
    const first = [...rows].find(([label]) => label.spot === spot)?.[1];
    if (!first) return;
    const room = element.getBoundingClientRect();
    const at = first.getBoundingClientRect();
    if (at.top < room.top) element.scrollTop += at.top - room.top - 8;
    else if (at.bottom > room.bottom) element.scrollTop += at.bottom - room.bottom + 8;
  }

  return { show, mark };
}
