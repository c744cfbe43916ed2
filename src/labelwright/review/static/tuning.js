// Moving a concept's threshold along its histogram: what it would label and how much of it wrongly, and putting it to work.

import { appPath, get, post } from "/ui/static/api.js";
import { announce, clear, count, fill, h } from "/ui/static/dom.js";
import { share, threshold } from "/ui/static/formats.js";
import { drawHistogram, placeOf, valueAt } from "/ui/static/histogram.js";
import t from "/ui/static/strings.js";
import { failed, toast } from "/ui/static/toast.js";

const [STEP, LEAP] = [0.005, 0.05];
const MOVES = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -LEAP, PageUp: LEAP };

/**
 * Let the threshold of a concept be moved on the histogram in `room`; the figures and buttons go into `host`.
 * `changed` is called when other thresholds are in force.
 */
export async function tunable({ host, room, data, concept, signal, changed }) {
  if (!data.thresholds.length) return;
  const forecast = await get("thresholds/forecast", { concept }, { signal });
  if (forecast.problem) {
    clear(host, h("p", { class: "hint" }, forecast.problem));
    return;
  }
  const steps = forecast.points.length - 1;
  const before = data.thresholds.map((limit) => limit.value);
  const above = data.thresholds.find((limit) => limit.compare?.startsWith("GREATER")) ?? data.thresholds[0];
  const first = above.value;
  let value = first;

  const figures = {
    value: h("b", { class: "num", data: { figure: "value" } }),
    coverage: h("b", { class: "num", data: { figure: "coverage" } }),
    expected: h("b", { class: "num", data: { figure: "expected" } }),
    verified: h("b", { class: "num", data: { figure: "verified" } }),
    note: h("span", { class: "hint" }),
  };
  const handle = h("div", {
    class: "threshold-handle",
    role: "slider",
    tabindex: "0",
    "aria-label": fill(t.tuning.handle, { concept: data.concept }),
    "aria-valuemin": "0",
    "aria-valuemax": "1",
    "aria-orientation": "horizontal",
    on: { keydown, pointerdown, pointermove, pointerup: released, pointercancel: released },
  });
  const apply = h("button", { type: "button", class: "primary", on: { click: applied } }, t.tuning.apply);
  const back = h("button", { type: "button", class: "plain", on: { click: () => move(first) } }, t.tuning.back);

  function move(to) {
    value = to === first ? first : Math.round(Math.min(1, Math.max(0, to)) / STEP) * STEP;
    data.thresholds.forEach((limit, i) => (limit.value = value === first ? before[i] : value));
    drawHistogram(room, data);
    show();
  }

  function show() {
    // What lies below a threshold between two steps is what lies below the next one, near enough.
    const at = value > 1 ? null : forecast.points[Math.min(steps, Math.ceil(value * steps - 1e-6))];
    const expected = at?.expected == null ? t.tuning.none : share(at.expected);
    figures.value.textContent = value > 1 ? t.tuning.never : threshold(value);
    figures.coverage.textContent = share(at?.coverage ?? 0);
    figures.expected.textContent = expected;
    figures.verified.textContent = at?.verified ? share(at.wrong / at.verified) : t.tuning.none;
    figures.note.textContent = at?.verified ? fill(t.tuning.verified_hint, { wrong: at.wrong, n: at.verified, bound: share(at.bound) }) : t.tuning.verified_none;
    const text = fill(t.tuning.told, { value: figures.value.textContent, coverage: share(at?.coverage ?? 0), expected });
    handle.setAttribute("aria-valuenow", String(Math.min(1, Number(value.toFixed(3)))));
    handle.setAttribute("aria-valuetext", text);
    place();
    apply.disabled = back.disabled = value === first;
  }

  function place() {
    handle.style.left = `${placeOf(Math.min(1, value), room)}px`;
  }

  function keydown(event) {
    const by = MOVES[event.key];
    const to = by !== undefined ? Math.min(1, value) + by : { Home: 0, End: 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(to);
  }

  function pointerdown(event) {
    if (event.button) return;
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    handle.classList.add("held");
  }

  function pointermove(event) {
    if (handle.hasPointerCapture(event.pointerId)) move(valueAt(event.clientX, room));
  }

  function released() {
    handle.classList.remove("held");
  }

  async function applied() {
    apply.disabled = true;
    try {
      const made = await post("thresholds/apply", { thresholds: [{ concept, value }] });
      inForce(made.tuning, fill(t.tuning.applied, { concept: data.concept, value: threshold(value) }));
    } catch (error) {
      apply.disabled = false;
      failed(error, { id: "tuning" });
    }
  }

  function inForce(tuning, text) {
    const run = async () => {
      try {
        await post("thresholds/undo", { tuning });
        toast(t.tuning.undone, { kind: "good", id: "tuning" });
        changed();
      } catch (error) {
        failed(error, { id: "tuning" });
      }
    };
    toast(text, { kind: "good", id: "tuning", sticky: true, action: { label: t.tuning.undo, run } });
    changed();
  }

  const figure = (name, title, hint) => h("div", {}, h("dt", {}, title), h("dd", {}, figures[name], hint && h("span", { class: "hint" }, hint)));
  room.classList.add("tunable");
  room.redrawn = () => {
    if (!handle.isConnected) room.append(handle);
    place();
  };
  clear(
    host,
    h("h3", {}, t.tuning.title),
    h("p", { class: "hint" }, t.tuning.hint),
    h(
      "dl",
      { class: "figures-row" },
      figure("value", t.tuning.value),
      figure("coverage", t.tuning.coverage, t.tuning.coverage_hint),
      figure("expected", t.tuning.expected, t.tuning.expected_hint),
      h("div", {}, h("dt", {}, t.tuning.verified), h("dd", {}, figures.verified, figures.note)),
    ),
    h("div", { class: "row" }, apply, back),
    guaranteed(inForce),
  );
  room.append(handle);
  show();
}

function guaranteed(inForce) {
  const number = (name, value, bounds = { min: "0.01", max: "99.99", step: "any" }) => h("input", { type: "number", name, value, required: true, ...bounds });
  const [error, confidence] = [number("error", "1"), number("confidence", "95")];
  const each = h("input", { type: "checkbox", name: "per_concept" });
  const button = h("button", { type: "submit", class: "plain" }, t.tuning.choose);
  const answer = h("p", { class: "hint", role: "status" });
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    clear(answer);
    try {
      const target = { error: Number(error.value) / 100, confidence: Number(confidence.value) / 100, joint: !each.checked };
      const made = await post("thresholds/apply", { guarantee: true, ...target });
      if (made.made) inForce(made.tuning, fill(t.tuning.chosen, { coverage: share(made.coverage) }));
      else answer.textContent = `${t.tuning.not_yet} ${more(made.limits)}`;
    } catch (problem) {
      failed(problem, { id: "tuning" });
    }
    button.disabled = false;
  };
  const wanted = number("n", "400", { min: "1", max: "100000", step: "1" });
  const drawing = h("button", { type: "submit", class: "plain" }, t.tuning.draw);
  const draw = async (event) => {
    event.preventDefault();
    drawing.disabled = true;
    clear(answer);
    try {
      const made = await post("thresholds/draw", { n: Number(wanted.value) });
      clear(answer, fill(t.tuning.drawn, { n: count(made.items), pool: count(made.pool) }), " ", h("a", { href: appPath("audit") }, t.tuning.drawn_go));
    } catch (problem) {
      failed(problem, { id: "tuning" });
    }
    drawing.disabled = false;
  };
  return h(
    "details",
    { class: "guarantee" },
    h("summary", {}, t.tuning.guarantee),
    h("p", { class: "hint" }, t.tuning.guarantee_hint),
    h("form", { class: "row", on: { submit: draw } }, h("label", {}, t.tuning.draw_n, wanted), drawing),
    h("form", { class: "row", on: { submit } }, h("label", {}, t.tuning.error, error), h("label", {}, t.tuning.confidence, confidence), h("label", { class: "check" }, each, t.tuning.per_concept), button),
    answer,
  );
}

function more(limits) {
  const wanted = limits.map((limit) => limit.more).filter((n) => n > 0);
  const text = wanted.length ? fill(t.tuning.more, { n: Math.min(...wanted) }) : t.tuning.more_never;
  announce(text);
  return text;
}
