// A finger's swipe as a verdict: right, left, up.
import { h } from "./dom.js";
import t from "./strings.js";

/** Pixels that a finger must go, and milliseconds that it may take. */
const FAR = 72, SLOW = 900;

/**
 * @param allowed () → whether a swipe means a verdict now (not while the image is zoomed in).
 * @param onSwipe ("accept" | "reject" | "skip").
 */
export function mountSwipe(element, { allowed, onSwipe }) {
  const badge = h("div", { class: "rv-swipe", "aria-hidden": "true", hidden: true });
  element.append(badge);
  let from = null;

  const meant = (dx, dy) => {
    if (Math.abs(dx) > 1.6 * Math.abs(dy)) return dx > 0 ? "accept" : "reject";
    return -dy > 1.6 * Math.abs(dx) ? "skip" : "";
  };
  function rest() {
    from = null;
    badge.hidden = true;
  }
  // In the capturing phase: the stage takes the pointer for itself.
  element.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    // A second finger makes it a pinch.
    if (from || !event.isPrimary || !allowed()) return rest();
    from = { x: event.clientX, y: event.clientY, at: event.timeStamp, id: event.pointerId };
  }, true);
  element.addEventListener("pointermove", (event) => {
    if (event.pointerId !== from?.id) return;
    const dx = event.clientX - from.x, dy = event.clientY - from.y;
    const what = Math.hypot(dx, dy) > 24 ? meant(dx, dy) : "";
    badge.hidden = !what;
    if (!what) return;
    badge.textContent = t.review[`swipe_${what}`];
    badge.dataset.what = what;
    badge.style.opacity = String(Math.min(1, Math.hypot(dx, dy) / FAR));
  }, true);
  element.addEventListener("pointerup", (event) => {
    if (event.pointerId !== from?.id) return;
    const dx = event.clientX - from.x, dy = event.clientY - from.y;
    const what = Math.hypot(dx, dy) >= FAR && event.timeStamp - from.at < SLOW ? meant(dx, dy) : "";
    rest();
    if (what) onSwipe(what);
  }, true);
  element.addEventListener("pointercancel", (event) => { if (event.pointerId === from?.id) rest(); }, true);
}
