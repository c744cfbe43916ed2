// A range of scores, held by two handles. Native sliders lie one on the other, so that keys and screen readers work.
import { fill, h } from "./dom.js";
import t from "./strings.js";

/**
 * @param onInput ({min, max}) while a handle moves; onChange when it stands, after a rest of 250 ms for keys.
 * @returns {element, set({min, max})}
 */
export function scoreRange({ min = 0, max = 1, onInput, onChange }) {
  const handle = (value, label) => h("input", { type: "range", min: "0", max: "1", step: "0.01", value: String(value), "aria-label": label });
  const low = handle(min, t.review.score_min), high = handle(max, t.review.score_max);
  const said = h("output", { class: "rv-range-said" });
  const track = h("span", { class: "rv-range-track", "aria-hidden": "true" }, h("span", { class: "rv-range-fill" }));
  const element = h("div", { class: "rv-range", role: "group", "aria-label": t.review.score }, h("span", { class: "rv-label" }, t.review.score), h("span", { class: "rv-range-box" }, track, low, high), said);
  let timer = 0, last = "";

  const values = () => ({ min: Number(low.value), max: Number(high.value) });

  function paint() {
    const { min: a, max: b } = values();
    element.style.setProperty("--low", a);
    element.style.setProperty("--high", b);
    said.textContent = `${a.toFixed(2)}–${b.toFixed(2)}`;
    for (const input of [low, high]) input.setAttribute("aria-valuetext", Number(input.value).toFixed(2));
    // Both at the right end: the low one must stay within reach.
    low.classList.toggle("above", a > 0.5);
    element.title = fill(t.review.score_range, { min: a.toFixed(2), max: b.toFixed(2) });
  }
  function settle() {
    clearTimeout(timer);
    const now = JSON.stringify(values());
    if (now !== last) {
      last = now;
      onChange?.(values());
    }
  }
  function moved(event) {
    const { min: a, max: b } = values();
    if (a > b) (event.target === low ? low : high).value = String(event.target === low ? b : a);
    paint();
    onInput?.(values());
    clearTimeout(timer);
    timer = setTimeout(settle, 250);
  }
  for (const input of [low, high]) {
    input.addEventListener("input", moved);
    input.addEventListener("change", settle);
  }
  function set({ min: a = 0, max: b = 1 }) {
    low.value = String(a);
    high.value = String(b);
    last = JSON.stringify(values());
    paint();
  }
  set({ min, max });
  return { element, set };
}
