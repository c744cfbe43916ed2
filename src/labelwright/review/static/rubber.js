// A rectangle drawn over the grid with the mouse: what it touches is chosen.
import { h } from "./dom.js";

/** Pixels that a press may stray and still be a click; and how near to the edge the sheet begins to scroll. */
const SLACK = 5, EDGE = 36;

/**
 * @param sheet what scrolls; `inner` what lies in it, positioned.
 * @param cells () → elements.
 * @param onPick (elements, event) while it is drawn; onDone () at its end.
 */
export function mountRubber(sheet, inner, { cells, onPick, onDone }) {
  let from = null, box = null, places = [], last = null, timer = 0;
  const at = (event) => {
    const edge = inner.getBoundingClientRect();
    return { x: event.clientX - edge.left, y: event.clientY - edge.top };
  };

  sheet.addEventListener("pointerdown", (event) => {
    // A finger scrolls; it chooses by tapping.
    if (event.button !== 0 || event.pointerType === "touch") return;
    from = { ...at(event), id: event.pointerId };
  });
  window.addEventListener("pointermove", (event) => {
    if (event.pointerId !== from?.id) return;
    const to = at(event);
    if (!box) {
      if (Math.hypot(to.x - from.x, to.y - from.y) < SLACK) return;
      const edge = inner.getBoundingClientRect();
      places = cells().map((element) => {
        const r = element.getBoundingClientRect();
        return { element, left: r.left - edge.left, top: r.top - edge.top, right: r.right - edge.left, bottom: r.bottom - edge.top };
      });
      box = h("div", { class: "rv-rubber", "aria-hidden": "true" });
      inner.append(box);
      timer = setInterval(scroll, 16);
    }
    last = event;
    draw(to);
  });

  function draw(to) {
    const r = { left: Math.min(from.x, to.x), top: Math.min(from.y, to.y), right: Math.max(from.x, to.x), bottom: Math.max(from.y, to.y) };
    Object.assign(box.style, { left: `${r.left}px`, top: `${r.top}px`, width: `${r.right - r.left}px`, height: `${r.bottom - r.top}px` });
    onPick(places.filter((p) => p.left < r.right && p.right > r.left && p.top < r.bottom && p.bottom > r.top).map((p) => p.element), last);
  }
  function scroll() {
    const edge = sheet.getBoundingClientRect();
    const by = last.clientY < edge.top + EDGE ? -12 : last.clientY > edge.bottom - EDGE ? 12 : 0;
    if (!by) return;
    sheet.scrollTop += by;
    draw(at(last));
  }
  function end(event) {
    if (event.pointerId !== from?.id) return;
    from = null;
    if (!box) return;
    clearInterval(timer);
    box.remove();
    box = null;
    onDone();
    // The click that follows is the end of the drag.
    const swallow = (click) => click.stopPropagation();
    window.addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => window.removeEventListener("click", swallow, { capture: true }), 50);
  }
  window.addEventListener("pointerup", end);
  window.addEventListener("pointercancel", end);
}
