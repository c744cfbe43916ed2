// Who changed an input's annotations, when, and what they were before; with the undo of one's own.
import { clear, fill, h } from "./dom.js";
import t from "./strings.js";

/** ANNOTATION_SUCCESS, ANNOTATION_PENDING, ANNOTATION_AWAITING_REVIEW. */
const STATES = { 24150: "success", 24151: "pending", 24157: "flagged" };

/** A time as people say it; the full one stands in its title. */
export function shownTime(iso, now = Date.now()) {
  const at = new Date(iso);
  const minutes = Math.floor((now - at) / 60_000);
  if (Number.isNaN(minutes)) return "";
  if (minutes < 1) return t.review.just_now;
  if (minutes < 60) return fill(t.review.minutes_ago, { n: minutes });
  if (minutes < 24 * 60) return fill(t.review.hours_ago, { n: Math.floor(minutes / 60) });
  return at.toLocaleDateString(undefined, { day: "numeric", month: "short", year: at.getFullYear() === new Date(now).getFullYear() ? undefined : "numeric" });
}

function stateOf(before) {
  if (!before) return t.review.history_new;
  const name = STATES[before.status] === "success" && before.value === 0 ? "negative" : STATES[before.status];
  const parts = [name ? t.review[`state_${name}`] : fill(t.review.state_other, { code: before.status ?? "?" })];
  if (typeof before.score === "number") parts.push(before.score.toFixed(2));
  const names = (before.concepts ?? []).map((c) => c.name || c.id).filter(Boolean);
  if (names.length > 1) parts.push(names.join(", "));
  return parts.join(" · ");
}

/**
 * @param get (params) → Promise of a page of the history.
 * @param undo (entry) → Promise; given for entries of `me` alone.
 * @returns {show(inputId), refresh()}
 */
export function mountHistory(element, { get, undo, me }) {
  let input = "", turn = 0;

  async function show(id, before) {
    const mine = ++turn;
    input = id;
    let page;
    try {
      page = await get(before ? { input: id, n: 20, before } : { input: id, n: 20 });
    } catch (error) {
      if (mine === turn) {
        clear(element);
        element.append(h("p", { class: "soft" }, fill(t.review.history_failed, { why: error.details || error.description || error.message })));
      }
      return;
    }
    if (mine !== turn) return;
    if (!before) clear(element);
    element.querySelector(".rv-more")?.remove();
    const list = element.querySelector("ol") ?? element.appendChild(h("ol", { class: "rv-history" }));
    for (const entry of page.entries) list.append(row(entry));
    if (!list.children.length) list.replaceWith(h("p", { class: "soft" }, t.review.history_empty));
    if (page.next) element.append(h("button", { type: "button", class: "button quiet rv-more", on: { click: () => show(id, page.next) } }, t.review.history_more));
  }

  function row(entry) {
    const name = entry.concept?.name || entry.concept?.id || t.review.an_annotation;
    const what = fill(t.review[`kind_${entry.kind}`] ?? t.review.kind_other, { name, kind: entry.kind });
    const mark = h("span", { class: `rv-dot ${entry.kind}`, "aria-hidden": "true" });
    const line = h("li", { class: entry.undone_at ? "undone" : "" },
      mark,
      h("div", {},
        h("p", {}, h("b", {}, entry.user_id), " ", what),
        h("p", { class: "soft" },
          h("time", { datetime: entry.at, title: new Date(entry.at).toLocaleString() }, shownTime(entry.at)),
          " · ", fill(t.review.history_before, { state: stateOf(entry.before) }),
          entry.undone_at ? ` · ${fill(t.review.history_undone, { user: entry.undone_by || entry.user_id })}` : "")));
    if (!entry.undone_at && entry.user_id === me && entry.action) {
      line.append(h("button", {
        type: "button", class: "button quiet small", "aria-label": fill(t.review.history_undo_said, { what }),
        on: { click: async (event) => { event.target.disabled = true; await undo(entry); await show(input); } },
      }, t.review.history_undo));
    }
    return line;
  }

  return { show, refresh: () => (input ? show(input) : undefined), clear() { turn++; input = ""; clear(element); } };
}
