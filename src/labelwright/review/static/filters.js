// Order and filters: controls, mirrored in the address bar, which restores them.
import { clear, fill, h } from "./dom.js";
import { scoreRange } from "./range.js";
import t from "./strings.js";

const ORDERS = ["uncertain", "confident", "random"];
const STATUSES = ["pending", "flagged"];
const KINDS = ["image", "text", "video", "audio"];
const TEXTS = ["model_version", "run"];

/** The filters that an address asks for; what it gets wrong is left out. Scores are numbers, concepts a list. */
export function readFilters(search) {
  const given = new URLSearchParams(search);
  const wanted = {};
  const among = (name, allowed) => { if (allowed.includes(given.get(name))) wanted[name] = given.get(name); };
  among("order", ORDERS);
  among("status", STATUSES);
  among("kind", KINDS);
  for (const name of TEXTS) if (given.get(name)) wanted[name] = given.get(name);
  for (const name of ["min", "max"]) {
    const score = Number.parseFloat(given.get(name));
    if (score >= 0 && score <= 1 && score !== (name === "min" ? 0 : 1)) wanted[name] = score;
  }
  const concepts = [...new Set(given.getAll("concept").filter(Boolean))];
  if (concepts.length) wanted.concept = concepts;
  return wanted;
}

/** Filters as an address has them, "" or "?…"; what is as always is left out. */
export function writeFilters(filter, more = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...filter, ...more })) {
    const usual = value === undefined || value === null || value === "" || (name === "order" && value === "uncertain") || (name === "status" && value === "pending");
    if (!usual) for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** The address's other parameters (the grid's page size) live through a change of filters. */
function mirror(filter, keep) {
  const given = new URLSearchParams(location.search);
  const more = Object.fromEntries(keep.filter((name) => given.has(name)).map((name) => [name, given.get(name)]));
  history.replaceState(history.state, "", location.pathname + writeFilters(filter, more));
  // The other review page is reached with the same filters.
  for (const link of document.querySelectorAll('nav.tabs a[href*="/review"]')) link.search = writeFilters(filter);
}

/**
 * @param bar where the controls go.
 * @param single one concept at a time (the grid).
 * @param keep names of parameters that are not filters.
 * @returns {filter, set(changes), options(summary)}
 */
export function mountFilters(bar, { filter: first, single = false, keep = [], onChange }) {
  let filter = { ...first };
  let summary = { concepts: [], model_versions: [], runs: [], statuses: {} };
  const names = new Map();

  function set(changes) {
    const changed = { ...filter, ...changes };
    for (const [name, value] of Object.entries(changed)) {
      const usual = value === "" || value === undefined || (Array.isArray(value) && !value.length) || (name === "min" && value === 0) || (name === "max" && value === 1)
        || (name === "order" && value === "uncertain") || (name === "status" && value === "pending");
      if (usual) delete changed[name];
    }
    if (writeFilters(changed) === writeFilters(filter)) return;
    filter = changed;
    mirror(filter, keep);
    paint();
    onChange(filter);
  }

  function select(name, label) {
    const box = h("select", { "aria-label": label, "data-filter": name, on: { change: () => set({ [name]: box.value }) } });
    return box;
  }
  const order = select("order", t.review.order);
  order.append(...ORDERS.map((o) => h("option", { value: o }, t.review[`order_${o}`])));
  const model = select("model_version", t.review.model);
  const run = select("run", t.review.run);
  const kind = select("kind", t.review.kind);
  kind.append(h("option", { value: "" }, t.review.kind_all), ...KINDS.map((k) => h("option", { value: k }, t.review[`kind_${k}`])));
  const statuses = h("div", { class: "rv-segments", role: "radiogroup", "aria-label": t.review.status });
  for (const status of STATUSES) {
    const input = h("input", { type: "radio", name: "rv-status", value: status, on: { change: () => set({ status }) } });
    statuses.append(h("label", {}, input, h("span", {}, t.review[`status_${status}`]), h("b", { "data-count": status })));
  }
  const range = scoreRange({ min: filter.min, max: filter.max, onChange: ({ min, max }) => set({ min, max }) });
  const concepts = conceptMenu({ single, names, chosen: () => filter.concept ?? [], choose: (ids) => set({ concept: ids }) });
  const reset = h("button", { type: "button", class: "button quiet rv-reset", on: { click: () => { set(single ? { ...blank(), concept: filter.concept } : blank()); } } }, t.review.reset);
  const rest = h("div", { class: "rv-filters-in" }, order, concepts.element, range.element, model, run, kind, reset);
  const opener = h("button", { type: "button", class: "button quiet rv-filters-open", "aria-expanded": "false", on: { click: () => opener.setAttribute("aria-expanded", String(bar.classList.toggle("open"))) } }, t.review.more_filters);
  bar.append(statuses, opener, rest);

  function blank() {
    return { order: "", concept: [], min: 0, max: 1, model_version: "", run: "", kind: "", status: "" };
  }
  function choices(box, all, list, value) {
    clear(box);
    box.append(h("option", { value: "" }, all), ...list.map(([id, text]) => h("option", { value: id }, text)));
    if (value && !list.some(([id]) => id === value)) box.append(h("option", { value }, value));
    box.value = value ?? "";
    box.hidden = list.length === 0 && !value;
  }
  function paint() {
    order.value = filter.order ?? "uncertain";
    kind.value = filter.kind ?? "";
    for (const input of statuses.querySelectorAll("input")) input.checked = input.value === (filter.status ?? "pending");
    for (const mark of statuses.querySelectorAll("b")) mark.textContent = summary.statuses?.[mark.dataset.count]?.toLocaleString() ?? "";
    const option = (name, n) => fill(t.review.option_count, { name, n: Number(n).toLocaleString() });
    // A list that somebody has open stays as it is.
    if (document.activeElement !== model) choices(model, t.review.model_all, summary.model_versions.map((m) => [m.version_id, option(m.name || m.model_id, m.pending)]), filter.model_version);
    if (document.activeElement !== run) choices(run, t.review.run_all, summary.runs.map((r) => [r.id, option(r.id, r.pending)]), filter.run);
    range.set({ min: filter.min, max: filter.max });
    concepts.paint(summary.concepts, filter.status ?? "pending");
    reset.hidden = writeFilters(single ? { ...filter, concept: [] } : filter) === "";
  }
  mirror(filter, keep);
  paint();
  return {
    set,
    get filter() { return filter; },
    /** Fill the lists with what there is. */
    options(given) {
      summary = { concepts: [], model_versions: [], runs: [], statuses: {}, ...given };
      for (const c of summary.concepts) names.set(c.id, c.name);
      paint();
    },
    name: (id) => names.get(id) ?? id,
    clear: () => set(blank()),
  };
}

/** A list of concepts with their counts, to type in and tick. */
function conceptMenu({ single, names, chosen, choose }) {
  const find = h("input", { type: "search", placeholder: t.review.concepts_find, "aria-label": t.review.concepts_find, on: { input: () => draw() } });
  const list = h("div", { class: "rv-menu-list" });
  const label = h("span", {});
  const button = h("summary", { class: "button quiet" }, label);
  const element = h("details", { class: "rv-menu", "data-filter": "concept" }, button, h("div", { class: "rv-menu-in" }, find, list));
  let options = [], status = "pending";

  function draw() {
    const wanted = find.value.trim().toLowerCase();
    const ids = chosen();
    const all = [...options];
    for (const id of ids) if (!all.some((o) => o.id === id)) all.unshift({ id, name: names.get(id) ?? id, pending: 0, flagged: 0 });
    const focused = document.activeElement?.closest?.("label")?.dataset.id;
    clear(list);
    for (const option of all.filter((o) => `${o.name} ${o.id}`.toLowerCase().includes(wanted))) {
      const box = h("input", { type: single ? "radio" : "checkbox", name: "rv-concept", on: { change: () => pick(option.id, box.checked) } });
      box.checked = ids.includes(option.id);
      list.append(h("label", { "data-id": option.id }, box, h("span", {}, option.name), h("b", {}, Number(option[status] ?? 0).toLocaleString())));
    }
    if (!list.children.length) list.append(h("p", { class: "soft" }, t.review.concepts_none));
    if (focused) list.querySelector(`label[data-id="${CSS.escape(focused)}"] input`)?.focus();
  }
  function pick(id, on) {
    if (single) {
      choose([id]);
      element.open = false;
      button.focus();
    } else choose(on ? [...chosen(), id] : chosen().filter((one) => one !== id));
  }
  element.addEventListener("toggle", () => { if (element.open) { draw(); find.focus(); } });
  element.addEventListener("keydown", (event) => {
    const boxes = [...list.querySelectorAll("input")];
    const at = boxes.indexOf(document.activeElement);
    if (event.key === "Escape" && element.open) {
      element.open = false;
      button.focus();
      event.stopPropagation();
    } else if (event.key === "ArrowDown" && !single || event.key === "ArrowDown" && at < 0) {
      event.preventDefault();
      boxes[Math.min(at + 1, boxes.length - 1)]?.focus();
    } else if (event.key === "ArrowUp" && !single) {
      event.preventDefault();
      (at > 0 ? boxes[at - 1] : find).focus();
    }
  });
  document.addEventListener("click", (event) => { if (!element.contains(event.target)) element.open = false; });
  return {
    element,
    paint(given, of) {
      options = given;
      status = of;
      const ids = chosen();
      label.textContent = !ids.length ? (single ? t.review.concept_choose : t.review.concepts_all) : ids.length === 1 ? names.get(ids[0]) ?? ids[0] : fill(t.review.concepts_some, { n: ids.length });
      if (element.open) draw();
    },
  };
}
