// The outbox, and what the page says of it.
import { clear, fill, h } from "./dom.js";
import { post } from "./api.js";
import { createOutbox } from "./outbox.js";
import { toast } from "./toast.js";
import t from "./strings.js";

const PATHS = { verdicts: "review/verdicts", undo: "review/undo" };
/** Milliseconds that a verdict may be on its way before the page mentions it: fewer would flicker at every key. */
const PATIENCE = 400;

/**
 * @param onReply, onRefused as of the outbox; onSent () after verdicts that had waited were sent; paths: the endpoints
 *   that take verdicts and undo them, the review's where none are given.
 * @returns {outbox}
 */
export function mountNet(element, { scope, tab, onReply, onRefused, onSent, paths = PATHS }) {
  let waited = 0, timer = 0, shown = "";

  function say(kind, ...content) {
    const key = kind + content.map((c) => c?.textContent ?? c).join("");
    if (shown === key) return;
    shown = key;
    element.dataset.state = kind;
    clear(element);
    element.append(h("span", { class: "rv-net-dot", "aria-hidden": "true" }), ...content);
  }
  const count = (n, one, many) => h("span", {}, n === 1 ? one : fill(many, { n: n.toLocaleString() }));

  function state({ waiting, offline, signedOut }) {
    clearTimeout(timer);
    if (signedOut) {
      waited = Math.max(waited, waiting);
      return say("out", count(waiting, t.review.net_signed_out_one, t.review.net_signed_out), h("a", { href: `/login?next=${encodeURIComponent(location.pathname + location.search)}` }, t.review.net_sign_in));
    }
    if (offline && waiting) {
      waited = Math.max(waited, waiting);
      return say("waiting", count(waiting, t.review.net_waiting_one, t.review.net_waiting));
    }
    if (waiting) {
      timer = setTimeout(() => say("sending", h("span", {}, t.review.net_sending)), PATIENCE);
      return undefined;
    }
    say("saved", h("span", {}, t.review.net_saved));
    if (waited) {
      toast(waited === 1 ? t.review.net_sent_one : fill(t.review.net_sent, { n: waited }), { kind: "good", id: "net" });
      waited = 0;
      onSent?.();
    }
    return undefined;
  }

  const outbox = createOutbox({ scope, tab, send: (kind, body) => post(paths[kind], body), onState: state, onReply, onRefused });
  waited = Math.max(waited, outbox.adopted);
  return { outbox };
}
