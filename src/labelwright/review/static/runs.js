// The runs of an app: what each wrote and replaced, and taking one back.

import { get, post } from "/ui/static/api.js";
import { ago, announce, clear, count, fill, h } from "/ui/static/dom.js";
import { confirmed } from "/ui/static/dialogs.js";
import { moment, several } from "/ui/static/formats.js";
import t from "/ui/static/strings.js";
import { nothing } from "/ui/static/tiles.js";
import { failed, toast } from "/ui/static/toast.js";

const PAGE = 50;
/** Milliseconds between two looks while a re-run is at work. */
const SOON = 3000;
/** Calls that may fail one after the other before an undo is given up; it can be gone on with. */
const TRIES = 5;

const host = document.getElementById("runs");
const older = document.getElementById("older");
const columns = ["run_began", "run_what", "run_inputs", "run_wrote", "run_replaced", "run_state", "run_undo"];

let runs = [];
let next = null;
/** Run id to the undo that this page is at: {dealt, total}. */
const undoing = new Map();

const TONES = { open: "good", running: "good", undoing: "warn", undone: "" };

function draw() {
  older.hidden = next === null;
  if (!runs.length) {
    clear(host, nothing(t.overview.runs_none));
    return;
  }
  const focused = document.activeElement?.dataset?.undo;
  clear(
    host,
    h(
      "table",
      { class: "runs" },
      h("thead", {}, h("tr", {}, columns.map((name, i) => h("th", { scope: "col", class: [2, 3, 4].includes(i) ? "num" : null }, i === 6 ? h("span", { class: "unseen" }, t.overview[name]) : t.overview[name])))),
      h("tbody", {}, runs.map(row)),
    ),
  );
  if (focused) host.querySelector(`[data-undo="${CSS.escape(focused)}"]`)?.focus();
}

function row(run) {
  const number = (name, n) => h("td", { class: "num", data: { label: t.overview[name] } }, count(n));
  return h(
    "tr",
    { class: run.state === "undone" ? "past" : null, data: { run: run.id } },
    h("th", { scope: "row" }, h("span", { title: moment(run.created_at) }, moment(run.created_at)), h("div", { class: "soft tiny" }, ago(run.created_at))),
    h("td", { class: "what" }, t.overview[`run_${run.kind}`] ?? run.kind, h("div", { class: "soft tiny" }, [run.workflow_id, h("code", {}, run.id.slice(0, 8))].filter(Boolean).flatMap((part, i) => (i ? [" · ", part] : [part])))),
    number("run_inputs", run.inputs),
    number("run_wrote", run.wrote),
    number("run_replaced", run.replaced),
    h("td", { class: "state" }, state(run)),
    h("td", { class: "act" }, button(run)),
  );
}

function state(run) {
  const at = undoing.get(run.id);
  if (at) return bar(t.overview.undo_under_way, at.dealt, at.total);
  if (run.job) return bar(t.overview.run_running, run.job.done, run.job.total);
  return [
    h("span", { class: ["chip", TONES[run.state]], title: t.overview[`run_${run.state}_text`] }, t.overview[`run_${run.state}`]),
    run.undone_at && h("div", { class: "soft tiny" }, moment(run.undone_at)),
  ];
}

function bar(text, done, total) {
  const all = Math.max(total, done, 1);
  return h("div", { class: "progress" }, h("span", { class: "tiny" }, fill(t.overview.progress, { text, done: count(done), total: count(all) })), h("progress", { max: all, value: done, "aria-label": text }));
}

function button(run) {
  if (undoing.has(run.id) || run.state === "undone") return "";
  return h(
    "button",
    { type: "button", class: "danger", data: { undo: run.id }, "aria-label": fill(t.overview.undo_of, { when: moment(run.created_at) }), on: { click: () => ask(run) } },
    run.state === "undoing" ? t.overview.undo_go_on : t.overview.undo,
  );
}

async function ask(run) {
  const sure = await confirmed({
    title: t.overview.undo_title,
    text: [
      several(run.wrote, t.overview.undo_text_wrote_1, t.overview.undo_text_wrote),
      run.replaced > 0 && several(run.replaced, t.overview.undo_text_replaced_1, t.overview.undo_text_replaced),
      t.overview.undo_text_people,
      run.state === "running" && t.overview.undo_text_running,
      run.state === "open" && t.overview.undo_text_open,
    ].filter(Boolean),
    yes: t.overview.undo_yes,
  });
  if (sure) undo(run);
}

// A call takes back as much as fits in half a second: nobody else waits for long, and the bar moves.
async function undo(run) {
  const sums = { removed: 0, restored: 0, left: 0 };
  const at = { dealt: 0, total: run.wrote + run.replaced };
  undoing.set(run.id, at);
  draw();
  announce(t.overview.undo_under_way);
  let misses = 0;
  for (;;) {
    try {
      const said = await post("runs/undo", { run: run.id });
      misses = 0;
      for (const name of Object.keys(sums)) sums[name] += said[name];
      at.dealt += said.dealt;
      if (said.done) break;
      update(run);
    } catch (error) {
      misses += 1;
      if ((error.offline || error.http === 429) && misses < TRIES) {
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** misses));
        continue;
      }
      undoing.delete(run.id);
      failed(error);
      await refresh();
      return;
    }
  }
  undoing.delete(run.id);
  await refresh();
  toast(fill(t.overview.undo_done, { removed: count(sums.removed), restored: count(sums.restored), left: count(sums.left) }), { kind: "good", sticky: true });
}

function update(run) {
  const cell = host.querySelector(`tr[data-run="${CSS.escape(run.id)}"] .state`);
  if (cell) clear(cell, state(run));
}

async function refresh() {
  try {
    const page = await get("runs", { n: PAGE });
    // What was loaded behind the first page stays; it is shown as it was.
    const first = new Set(page.runs.map((run) => run.id));
    const rest = runs.filter((run) => !first.has(run.id));
    if (!rest.length) next = page.next;
    runs = [...page.runs, ...rest];
    draw();
  } catch (error) {
    failed(error, { id: "runs" });
  }
}

older.addEventListener("click", async () => {
  try {
    const page = await get("runs", { n: PAGE, before: next });
    runs = [...runs, ...page.runs];
    next = page.next;
    draw();
    announce(several(page.runs.length, t.overview.runs_loaded_1, t.overview.runs_loaded));
  } catch (error) {
    failed(error, { id: "runs" });
  }
});

addEventListener("beforeunload", (event) => undoing.size && event.preventDefault());

try {
  const page = await get("runs", { n: PAGE });
  [runs, next] = [page.runs, page.next];
  draw();
} catch (error) {
  clear(host, nothing(error.message));
  failed(error, { id: "runs" });
}
host.removeAttribute("aria-busy");
setInterval(() => !document.hidden && !undoing.size && !document.querySelector("dialog[open]") && runs.some((run) => run.job) && refresh(), SOON);
