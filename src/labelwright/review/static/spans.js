// A text with its spans: marked, named, and made by selecting.

import { h, fill } from "./dom.js";
import t from "./strings.js";
import { colourFor, scoreText, stateText } from "./render_box.js";
import { around, codeUnits, pieces, wordAt } from "./text_ranges.js";

/**
 * Put a text into an element that scrolls.
 * @param {HTMLElement} element
 * @param {object} options
 *   text: the whole text.
 *   spans: [{id, start, end, label, score, state, editable?, concept?}]; start and end count code points, the end is
 *     the first one behind.
 *   onSelect(id or null).
 *   onChange({type: "add" | "remove" | "relabel", id, start, end, text}): what the person wants; an "add" has no id.
 *     null where nothing may be changed.
 * @returns {{setText, setSpans, select, selected, destroy}}
 */
export function mountSpans(element, options = {}) {
  const onSelect = options.onSelect ?? (() => {});
  const onChange = options.onChange ?? null;
  let text = "";
  let units = codeUnits("");
  let spans = [];
  let selected = null;

  const body = h("div", {
    class: "spans-text",
    tabindex: "0",
    role: "group",
    "aria-label": t.media.text,
    "aria-description": onChange ? t.media.text_help : t.media.text_help_read,
  });
  const ask = h("button", { type: "button", class: "spans-ask", hidden: "" }, t.media.label_selection);
  const live = h("div", { class: "unseen", "aria-live": "polite" });
  const root = h("div", { class: "spans" }, body, ask, live);
  element.replaceChildren(root);

  function setText(next, list = []) {
    text = next ?? "";
    units = codeUnits(text);
    selected = null;
    setSpans(list);
    root.scrollTop = 0;
    const pending = spans.find((span) => span.state === "pending" || span.state === "flagged");
    if (pending) reveal(pending.id);
  }

  function setSpans(list) {
    spans = list
      .map((span) => ({ ...span, ...around(span, units.length) }))
      .sort((a, b) => a.start - b.start || b.end - a.end);
    if (selected !== null && !spans.some((span) => span.id === selected)) selected = null;
    const focused = document.activeElement?.dataset?.span;
    draw();
    if (focused && root.contains(body)) chipOf(focused)?.focus({ preventScroll: true });
  }

  function draw() {
    const parts = [];
    for (const piece of pieces(spans, units.length)) {
      const words = text.slice(units.unit(piece.start), units.unit(piece.end));
      const part = h("span", { class: "piece" }, words);
      part.dataset.start = piece.start;
      if (piece.spans.length) {
        const top = piece.spans.reduce((a, b) => (b.end - b.start < a.end - a.start ? b : a));
        part.dataset.spans = piece.spans.map((span) => span.id).join("\n");
        part.dataset.top = top.id;
        part.className = `piece is-marked is-${top.state || "success"}`;
        part.classList.toggle("is-double", piece.spans.length > 1);
        part.style.setProperty("--tone", colourFor(top));
      }
      parts.push(part, ...spans.filter((span) => span.end === piece.end && span.end > span.start).map(chip));
    }
    body.replaceChildren(...parts);
    showSelected();
  }

  function chip(span) {
    const score = scoreText(span.score);
    const about = [span.label || t.media.no_label, score, stateText(span.state)].filter(Boolean).join(", ");
    const said = text.slice(units.unit(span.start), units.unit(span.end));
    // Its words come from attributes, by the style sheet: so they are no part of the text that is selected.
    const made = h("button", {
      type: "button",
      class: `span-chip is-${span.state || "success"}`,
      "aria-label": fill(t.media.span_said, { about, text: said.slice(0, 80) }),
    });
    made.dataset.span = span.id;
    made.dataset.label = score ? `${span.label || t.media.no_label} ${score}` : span.label || t.media.no_label;
    made.style.setProperty("--tone", colourFor(span));
    return made;
  }

  const chipOf = (id) => [...body.querySelectorAll(".span-chip")].find((each) => each.dataset.span === id);

  function showSelected() {
    for (const part of body.children) {
      const ids = part.dataset.span !== undefined ? [part.dataset.span] : (part.dataset.spans ?? "").split("\n");
      part.classList.toggle("is-selected", selected !== null && ids.includes(selected));
      if (part.dataset.span !== undefined) part.setAttribute("aria-pressed", String(part.dataset.span === selected));
    }
  }

  function select(id, { quiet = false, focus = false } = {}) {
    const next = spans.some((span) => span.id === id) ? id : null;
    const other = next !== selected;
    selected = next;
    showSelected();
    if (next !== null) reveal(next);
    if (focus && next !== null) chipOf(next)?.focus({ preventScroll: true });
    if (other && !quiet) onSelect(next);
  }

  function reveal(id) {
    const target = chipOf(id);
    if (!target) return;
    const room = root.getBoundingClientRect();
    const at = target.getBoundingClientRect();
    if (at.top < room.top + 24 || at.bottom > room.bottom - 24) {
      root.scrollTop += at.top - room.top - root.clientHeight / 2;
    }
  }

  function tell(type, id) {
    const span = spans.find((each) => each.id === id);
    if (!onChange || !span || span.editable === false) return;
    onChange({ type, id, start: span.start, end: span.end, text: span.text ?? "" });
  }

  // ---- selecting text ----

  /** Where in the text (code points) a place of the document is; null outside of it. */
  function offsetOf(node, offset) {
    const part = (node.nodeType === Node.TEXT_NODE ? node.parentElement : node)?.closest?.(".piece");
    if (part && body.contains(part)) {
      const before = node.nodeType === Node.TEXT_NODE ? node.data.slice(0, offset) : offset ? part.textContent : "";
      return Number(part.dataset.start) + [...before].length;
    }
    if (node === body) {
      const next = [...body.children].slice(offset).find((each) => each.dataset.start !== undefined);
      return next ? Number(next.dataset.start) : units.length;
    }
    return null;
  }

  function selection() {
    const chosen = document.getSelection();
    if (!chosen || chosen.isCollapsed || !chosen.rangeCount) return null;
    const range = chosen.getRangeAt(0);
    const from = offsetOf(range.startContainer, range.startOffset);
    const to = offsetOf(range.endContainer, range.endOffset);
    if (from === null || to === null || to <= from) return null;
    return { ...trimmed(from, to), range };
  }

  // Spaces at the ends come with a careless hand, and are never meant.
  function trimmed(from, to) {
    const words = [...text.slice(units.unit(from), units.unit(to))];
    let start = 0;
    let end = words.length;
    while (start < end && /\s/u.test(words[start])) start += 1;
    while (end > start && /\s/u.test(words[end - 1])) end -= 1;
    return { start: from + start, end: from + end };
  }

  function offer() {
    const chosen = onChange && selection();
    ask.hidden = !chosen || chosen.end <= chosen.start;
    if (ask.hidden) return;
    const at = chosen.range.getBoundingClientRect();
    const room = root.getBoundingClientRect();
    const width = 150;
    ask.style.left = `${Math.max(8, Math.min(at.left - room.left, root.clientWidth - width))}px`;
    ask.style.top = `${at.bottom - room.top + root.scrollTop + 6}px`;
  }

  function labelSelection() {
    const chosen = selection();
    if (!onChange || !chosen || chosen.end <= chosen.start) return false;
    ask.hidden = true;
    const words = text.slice(units.unit(chosen.start), units.unit(chosen.end));
    document.getSelection().removeAllRanges();
    onChange({ type: "add", start: chosen.start, end: chosen.end, text: words });
    return true;
  }

  /** Select words by keys: the next or the one before, or, with shift, one more. */
  function byWord(step, more) {
    const chosen = selection();
    let from = chosen?.start ?? (step > 0 ? 0 : units.length);
    let to = chosen?.end ?? from;
    const word = wordAt(text, units, step > 0 ? to : from, step);
    if (!word) return;
    from = more && chosen ? Math.min(from, word.start) : word.start;
    to = more && chosen ? Math.max(to, word.end) : word.end;
    const range = document.createRange();
    range.setStart(...placeOf(from, false));
    range.setEnd(...placeOf(to, true));
    const now = document.getSelection();
    now.removeAllRanges();
    now.addRange(range);
    const words = text.slice(units.unit(from), units.unit(to));
    live.textContent = words;
    offer();
  }

  function placeOf(offset, atEnd) {
    const all = [...body.querySelectorAll(".piece")];
    const part = all.findLast((each) => {
      const start = Number(each.dataset.start);
      return atEnd ? start < offset : start <= offset;
    });
    const inside = units.unit(offset) - units.unit(Number(part.dataset.start));
    return [part.firstChild, inside];
  }

  const onSelectionChange = () => {
    // While the button's own pointer is down the selection must not take it away.
    if (root.isConnected) offer();
  };
  document.addEventListener("selectionchange", onSelectionChange);
  ask.addEventListener("pointerdown", (event) => event.preventDefault());
  ask.addEventListener("mousedown", (event) => event.preventDefault());
  ask.addEventListener("click", labelSelection);

  body.addEventListener("click", (event) => {
    if (selection()) return;
    const id = event.target.closest("[data-span]")?.dataset.span ?? event.target.closest("[data-top]")?.dataset.top;
    select(id ?? null, { focus: id !== undefined });
  });
  body.addEventListener("dblclick", (event) => {
    const id = event.target.closest("[data-span]")?.dataset.span;
    if (id !== undefined) tell("relabel", id);
  });
  body.addEventListener("focusin", (event) => {
    const id = event.target.dataset?.span;
    if (id !== undefined && id !== selected) select(id);
  });
  body.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const id = event.target.dataset?.span;
    let used = true;
    if (onChange && id !== undefined && event.key === "Enter") tell("relabel", id);
    else if (onChange && id !== undefined && (event.key === "Delete" || event.key === "Backspace")) tell("remove", id);
    else if (event.key === "Escape" && (selection() || selected !== null)) {
      document.getSelection().removeAllRanges();
      select(null);
    } else if (onChange && id === undefined && event.key === "ArrowRight") byWord(1, event.shiftKey);
    else if (onChange && id === undefined && event.key === "ArrowLeft") byWord(-1, event.shiftKey);
    else if (id === undefined && event.key === "Enter") used = labelSelection();
    else used = false;
    if (!used) return;
    event.preventDefault();
    event.stopPropagation();
  });

  setText(options.text ?? "", options.spans ?? []);
  return {
    setText,
    setSpans,
    select,
    selected: () => selected,
    destroy() {
      document.removeEventListener("selectionchange", onSelectionChange);
      root.remove();
    },
  };
}
