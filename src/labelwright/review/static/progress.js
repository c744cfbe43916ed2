// How far it is: one's own and everybody's verdicts, what is left, the rate and the time that it will take.
import { clear, fill, h } from "./dom.js";
import t from "./strings.js";

/** Seconds over which the rate is measured; a pause of more than IDLE counts as no work. */
const WINDOW = 300, IDLE = 45;
const POLL = 5000;

/** When today began here, in seconds since 1970. */
export function midnight() {
  return Math.floor(new Date().setHours(0, 0, 0, 0) / 1000);
}

/** Verdicts a minute, of the times (milliseconds) of the last ones; null where there are too few to say. */
export function rateOf(times, now = Date.now()) {
  const recent = times.filter((at) => now - at < WINDOW * 1000);
  if (recent.length < 4) return null;
  let worked = 0;
  for (let i = 1; i < recent.length; i++) worked += Math.min(IDLE * 1000, recent[i] - recent[i - 1]);
  return worked > 0 ? ((recent.length - 1) / worked) * 60_000 : null;
}

export function timeLeft(left, rate) {
  if (!rate || left === null || left === undefined) return t.review.time_none;
  const minutes = left / rate;
  if (minutes < 1) return t.review.time_seconds;
  if (minutes < 60) return fill(t.review.time_minutes, { n: Math.round(minutes) });
  if (minutes < 60 * 24) return fill(t.review.time_hours, { h: Math.floor(minutes / 60), m: Math.round(minutes % 60) });
  return fill(t.review.time_days, { n: (minutes / 60 / 24).toFixed(1) });
}

/**
 * @param fetchSummary () → Promise of the summary, asked for every 5 s while the page is seen.
 * @param onSummary (summary) each time it came.
 * @returns {decided(n), refresh(), summary}: decided(-1) for an undo.
 */
export function mountProgress(element, { fetchSummary, onSummary }) {
  let summary = null, ahead = 0, timer = 0, asked = 0, running = false;
  const times = [];
  const cell = (label) => {
    const value = h("dd", {}), more = h("dd", { class: "soft" });
    return { row: h("div", {}, h("dt", {}, label), value, more), value, more };
  };
  const mine = cell(t.review.mine), all = cell(t.review.everyone), left = cell(t.review.left), rate = cell(t.review.rate), time = cell(t.review.time_left);
  const barMine = h("span", { class: "mine" }), barAll = h("span", { class: "all" });
  const bar = h("div", { class: "rv-bar-done", role: "progressbar", "aria-valuemin": "0" }, barMine, barAll);
  clear(element);
  element.append(bar, h("dl", { class: "rv-figures" }, mine.row, all.row, left.row, rate.row, time.row));

  function paint() {
    const n = (value) => Math.max(0, value).toLocaleString();
    const perMinute = rateOf(times);
    rate.value.textContent = perMinute ? fill(t.review.rate_value, { n: perMinute < 10 ? perMinute.toFixed(1) : Math.round(perMinute) }) : t.review.rate_none;
    if (!summary) return;
    const waits = Math.max(0, summary.left - ahead);
    mine.value.textContent = n(summary.mine.today + ahead);
    mine.more.textContent = fill(t.review.today, { n: "" }).trim();
    all.value.textContent = n(summary.all.today + ahead);
    all.more.textContent = fill(t.review.today, { n: "" }).trim();
    all.row.title = (summary.people ?? []).map((p) => fill(t.review.people_today, { user: p.user_id, n: p.today })).join("\n");
    mine.row.title = fill(t.review.mine_said, { today: n(summary.mine.today + ahead), all: n(summary.mine.all + ahead) });
    left.value.textContent = n(waits);
    left.more.textContent = summary.held ? fill(t.review.held, { n: n(summary.held) }) : "";
    time.value.textContent = timeLeft(waits + (summary.held ?? 0), perMinute);
    const done = summary.all.today + ahead, total = Math.max(1, done + waits);
    const own = Math.min(done, summary.mine.today + ahead);
    barMine.style.width = `${(100 * own) / total}%`;
    barAll.style.width = `${(100 * Math.max(0, done - own)) / total}%`;
    bar.setAttribute("aria-valuemax", total);
    bar.setAttribute("aria-valuenow", Math.max(0, done));
    bar.setAttribute("aria-label", fill(t.review.progress_said, { done: n(done), total: n(total) }));
  }

  async function refresh() {
    clearTimeout(timer);
    if (running) return;
    running = true;
    const began = performance.now(), before = ahead;
    asked = began;
    try {
      const fresh = await fetchSummary();
      if (fresh && asked === began) {
        summary = fresh;
        // What was decided while the answer was on its way is not in it.
        ahead -= before;
        onSummary?.(summary);
        paint();
      }
    } catch { /* The outbox says that the connection is gone. */ }
    running = false;
    clearTimeout(timer);
    // A store so large that counting takes long is asked less often.
    if (!document.hidden) timer = setTimeout(refresh, Math.max(POLL, 10 * (performance.now() - began)));
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  refresh();

  return {
    refresh, paint,
    get summary() { return summary; },
    /** The filters changed: the old counts are not these. */
    reset() { asked = 0; ahead = 0; running = false; refresh(); },
    decided(n) {
      ahead += n;
      for (let i = 0; i < n; i++) times.push(Date.now());
      if (n < 0) times.splice(n);
      if (times.length > 600) times.splice(0, times.length - 600);
    },
  };
}
