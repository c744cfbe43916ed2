// The concepts of an app: how much there is of each, what they are called, how they are related.

import { appPath, get, v2 } from "/ui/static/api.js";
import { announce, clear, count, fill, h } from "/ui/static/dom.js";
import { confirmed, dialog } from "/ui/static/dialogs.js";
import { nameOf } from "/ui/static/formats.js";
import { found } from "/ui/static/fuzzy.js";
import { pick } from "/ui/static/picker.js";
import t from "/ui/static/strings.js";
import { nothing } from "/ui/static/tiles.js";
import { failed, toast } from "/ui/static/toast.js";

/** Rows that are shown at once: who has more types a part of the name. */
const ROWS = 200;
const PAGE = 1000;
/** Concepts that are loaded at most. */
const LOADED = 20_000;
const PREDICATES = ["synonym", "hypernym", "hyponym"];

const list = document.getElementById("list");
const more = document.getElementById("more");
const chosenCard = document.getElementById("chosen");
const find = document.getElementById("find");
const order = document.getElementById("order");

let concepts = [];
let chosen = "";
let most = 1;

const all = (concept) => concept.success + concept.negative + concept.pending;
const byName = (a, b) => nameOf(a).localeCompare(nameOf(b), "en");
const ORDERS = {
  used: (a, b) => all(b) - all(a) || byName(a, b),
  pending: (a, b) => b.pending - a.pending || byName(a, b),
  name: byName,
};

async function load() {
  const data = await get("overview");
  concepts = data.concepts;
  const known = new Set(concepts.map((one) => one.id));
  for (let page = 1; known.size < Math.min(data.concepts_total ?? 0, LOADED); page += 1) {
    const { concepts: some = [] } = await v2("concepts", { params: { page, per_page: PAGE } });
    for (const { id, name } of some) {
      if (!known.has(id)) concepts.push({ id, name, success: 0, negative: 0, pending: 0 });
      known.add(id);
    }
    if (some.length < PAGE) break;
  }
  most = Math.max(1, ...concepts.map(all));
}

function draw() {
  const sorted = [...concepts].sort(ORDERS[order.value] ?? ORDERS.used);
  const typed = find.value.trim();
  const { matches, more: left } = typed ? found(sorted, typed, ROWS) : { matches: sorted.slice(0, ROWS).map((thing) => ({ thing })), more: Math.max(0, sorted.length - ROWS) };
  more.textContent = left ? fill(t.overview.concept_more, { n: count(left) }) : "";
  if (!matches.length) {
    clear(list, nothing(typed ? t.overview.concept_no_match : t.overview.concepts_none));
    return;
  }
  clear(list, h("ul", { class: "concept-list" }, matches.map(({ thing }) => row(thing))));
}

function row(concept) {
  const wide = (100 * all(concept)) / most;
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "concept-row", data: { id: concept.id }, "aria-current": concept.id === chosen ? "true" : null, on: { click: () => choose(concept.id) } },
      h("span", { class: "concept-name" }, nameOf(concept)),
      h("span", { class: "concept-counts num" }, concept.pending > 0 && h("span", { class: "waiting toned", title: t.overview.hist_pending }, count(concept.pending), h("span", { class: "unseen" }, ` ${t.overview.hist_pending}, `)), h("span", { title: t.overview.hist_success }, count(concept.success), h("span", { class: "unseen" }, ` ${t.overview.hist_success}`))),
      h("span", { class: "stacked thin", "aria-hidden": "true", style: { width: `${Math.max(wide, all(concept) ? 1.5 : 0)}%` } }, ["success", "pending", "negative"].filter((key) => concept[key]).map((key) => h("span", { class: key, style: { flexGrow: concept[key] } }))),
    ),
  );
}

// --- the one that is chosen ---------------------------------------------------------------------

function choose(id) {
  chosen = id;
  const address = new URL(location.href);
  if (id) address.searchParams.set("concept", id);
  else address.searchParams.delete("concept");
  history.replaceState(null, "", address);
  for (const button of list.querySelectorAll(".concept-row")) {
    if (button.dataset.id === id) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  show();
}

function show() {
  const concept = concepts.find((one) => one.id === chosen);
  chosenCard.classList.toggle("is-empty", !concept);
  if (!concept) {
    clear(chosenCard, nothing(chosen ? fill(t.overview.concept_unknown, { id: chosen }) : t.overview.concept_choose));
    return;
  }
  const query = `?concept=${encodeURIComponent(concept.id)}`;
  const relations = h("div", { class: "relations", "aria-busy": "true" }, h("div", { class: "spin" }));
  clear(
    chosenCard,
    h(
      "div",
      { class: "head" },
      h("h2", {}, nameOf(concept)),
      h("button", { type: "button", class: "plain", on: { click: () => rename(concept) } }, t.overview.concept_rename),
    ),
    h(
      "dl",
      { class: "facts" },
      [
        [t.overview.concept_id, h("code", {}, concept.id)],
        [t.overview.hist_success, count(concept.success)],
        [t.overview.hist_pending, count(concept.pending)],
        [t.overview.hist_negative, count(concept.negative)],
      ].map(([term, value]) => [h("dt", {}, term), h("dd", { class: "num" }, value)]),
    ),
    h(
      "div",
      { class: "row ways" },
      h("a", { class: ["button", concept.pending && "primary"], href: appPath("review/grid") + query }, concept.pending ? fill(t.overview.review_n, { n: count(concept.pending) }) : t.overview.review_grid),
      h("a", { class: "button", href: appPath("inputs") + query }, t.overview.concept_inputs),
      h("a", { class: "button", href: `${appPath("workflow")}${query}#scores` }, t.overview.concept_scores),
    ),
    h("div", { class: "head relations-head" }, h("h3", {}, t.overview.relations), h("button", { type: "button", class: "plain", on: { click: () => relate(concept) } }, t.overview.relation_add)),
    relations,
  );
  showRelations(concept, relations);
}

async function showRelations(concept, room) {
  let given;
  try {
    given = (await v2(`concepts/${encodeURIComponent(concept.id)}/relations`, { params: { per_page: 1000 } })).concept_relations ?? [];
  } catch (error) {
    if (!room.isConnected) return;
    room.removeAttribute("aria-busy");
    clear(room, h("p", { class: "wrong" }, error.message));
    return;
  }
  if (!room.isConnected) return;
  room.removeAttribute("aria-busy");
  if (!given.length) {
    clear(room, h("p", { class: "hint" }, t.overview.relations_none));
    return;
  }
  const groups = PREDICATES.map((predicate) => [predicate, given.filter((one) => one.predicate === predicate)]).filter(([, some]) => some.length);
  clear(
    room,
    groups.map(([predicate, some]) =>
      h(
        "div",
        { class: "relation-group" },
        h("h4", {}, fill(t.overview[`relation_${predicate}`], { name: nameOf(concept) })),
        h("ul", { class: "related" }, some.map((relation) => related(concept, relation))),
      ),
    ),
  );
}

function related(concept, relation) {
  const object = relation.object_concept;
  const here = concepts.some((one) => one.id === object.id);
  const elsewhere = object.app_id && object.app_id !== document.getElementById("main").dataset.app;
  return h(
    "li",
    { class: "chip" },
    here && !elsewhere ? h("button", { type: "button", class: "link", on: { click: () => choose(object.id) } }, nameOf(object)) : h("span", {}, nameOf(object), elsewhere && h("span", { class: "soft" }, ` (${object.user_id}/${object.app_id})`)),
    relation.knowledge_graph_id && h("span", { class: "soft" }, relation.knowledge_graph_id),
    h("button", { type: "button", class: "drop", "aria-label": fill(t.overview.relation_remove, { name: nameOf(object) }), on: { click: () => unrelate(concept, relation) } }, "×"),
  );
}

async function unrelate(concept, relation) {
  const name = nameOf(relation.object_concept);
  const sure = await confirmed({
    title: t.overview.relation_remove_title,
    text: [fill(t.overview.relation_remove_text, { name, concept: nameOf(concept), kind: t.overview[`kind_of_${relation.predicate}`] })],
    yes: t.overview.remove,
  });
  if (!sure) return;
  try {
    await v2(`concepts/${encodeURIComponent(concept.id)}/relations`, { method: "DELETE", body: { ids: [relation.id] } });
    announce(t.overview.relation_removed);
    show();
  } catch (error) {
    failed(error);
  }
}

async function relate(concept) {
  const predicate = await dialog(fill(t.overview.relation_add_title, { name: nameOf(concept) }), (done) => [
    h(
      "div",
      { class: "stack tight choices" },
      PREDICATES.map((one) =>
        h("button", { type: "button", class: "plain choice", on: { click: () => done(one) } }, h("b", {}, t.overview[`kind_of_${one}`]), h("span", { class: "hint" }, fill(t.overview[`relation_${one}_text`], { name: nameOf(concept) }))),
      ),
    ),
    h("div", { class: "actions" }, h("button", { type: "button", class: "plain", on: { click: () => done(null) } }, t.overview.cancel)),
  ]);
  if (!predicate) return;
  const object = await pick({
    concepts: concepts.filter((one) => one.id !== concept.id).map((one) => ({ id: one.id, name: one.name, note: count(all(one)) })),
    title: fill(t.overview[`relation_${predicate}`], { name: nameOf(concept) }),
  });
  if (!object?.id) return;
  try {
    const body = { concept_relations: [{ subject_concept: { id: concept.id }, object_concept: { id: object.id }, predicate }] };
    await v2(`concepts/${encodeURIComponent(concept.id)}/relations`, { body });
    announce(t.overview.relation_added);
    show();
  } catch (error) {
    failed(error);
  }
}

/** Ask for texts: fields of {name, label, value, hint, needed}; resolves to {name: text} or null. */
function texts(title, fields, yes) {
  return dialog(title, (done) => {
    const inputs = fields.map(({ name, value = "", needed, hint }) =>
      h("input", { name, id: `ask-${name}`, value, required: needed, maxlength: 1024, autocomplete: "off", spellcheck: "false", "aria-describedby": hint ? `ask-${name}-hint` : null }),
    );
    const form = h(
      "form",
      { class: "stack tight", on: { submit: (event) => (event.preventDefault(), done(Object.fromEntries(inputs.map((input) => [input.name, input.value.trim()])))) } },
      fields.map(({ name, label, hint }, i) => h("div", { class: "field" }, h("label", { for: `ask-${name}` }, label), inputs[i], hint && h("p", { class: "hint", id: `ask-${name}-hint` }, hint))),
      h("div", { class: "actions" }, h("button", { type: "button", class: "plain", on: { click: () => done(null) } }, t.overview.cancel), h("button", { type: "submit", class: "primary" }, yes)),
    );
    return [form];
  });
}

async function rename(concept) {
  const given = await texts(fill(t.overview.concept_rename_title, { name: nameOf(concept) }), [{ name: "name", label: t.overview.concept_name, value: nameOf(concept), needed: true, hint: t.overview.concept_rename_hint }], t.overview.concept_rename);
  if (!given?.name || given.name === concept.name) return;
  try {
    const reply = await v2("concepts", { method: "PATCH", body: { concepts: [{ id: concept.id, name: given.name }], action: "overwrite" } });
    concept.name = reply.concepts?.[0]?.name ?? given.name;
    draw();
    show();
    toast(fill(t.overview.concept_renamed, { name: concept.name }), { kind: "good" });
  } catch (error) {
    failed(error);
  }
}

async function create() {
  const given = await texts(
    t.overview.concept_create,
    [
      { name: "name", label: t.overview.concept_name, needed: true },
      { name: "id", label: t.overview.concept_id_new, hint: t.overview.concept_id_hint },
    ],
    t.overview.concept_create_yes,
  );
  if (!given?.name) return;
  try {
    const reply = await v2("concepts", { body: { concepts: [{ id: given.id || given.name, name: given.name }] } });
    const made = reply.concepts[0];
    concepts.push({ id: made.id, name: made.name, success: 0, negative: 0, pending: 0 });
    find.value = "";
    draw();
    choose(made.id);
    toast(fill(t.overview.concept_created, { name: nameOf(made) }), { kind: "good" });
  } catch (error) {
    failed(error);
  }
}

find.addEventListener("input", draw);
order.addEventListener("change", draw);
document.getElementById("create").addEventListener("click", create);
list.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const rows = [...list.querySelectorAll(".concept-row")];
  const at = rows.indexOf(document.activeElement);
  if (at < 0) return;
  event.preventDefault();
  rows[Math.min(rows.length - 1, Math.max(0, at + step))].focus();
});

try {
  await load();
  list.removeAttribute("aria-busy");
  draw();
  choose(new URLSearchParams(location.search).get("concept") ?? "");
} catch (error) {
  list.removeAttribute("aria-busy");
  clear(list, h("p", { class: "wrong" }, error.message));
  failed(error);
}
