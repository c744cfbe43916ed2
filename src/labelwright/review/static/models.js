// The models that an app can use: its own, and those that every app has.

import { appPath, v2 } from "/ui/static/api.js";
import { clear, count, fill, h } from "/ui/static/dom.js";
import { moment, nameOf, several, threshold } from "/ui/static/formats.js";
import { plain } from "/ui/static/fuzzy.js";
import t from "/ui/static/strings.js";
import { nothing } from "/ui/static/tiles.js";
import { failed } from "/ui/static/toast.js";

const PAGE = 100;
/** Concepts of a model that are shown; the rest is a number. */
const CONCEPTS = 60;
const PUBLIC = { user: "clarifai", app: "main" };

const find = document.getElementById("find");
const wanted = new URLSearchParams(location.search).get("model");
const groups = [
  { room: document.getElementById("own"), there: undefined, none: t.overview.models_none, models: null },
  { room: document.getElementById("public"), there: PUBLIC, none: t.overview.models_public_none, models: null },
];

async function all(there) {
  const found = [];
  for (let page = 1; page <= 50; page += 1) {
    const { models = [] } = await v2("models", { params: { page, per_page: PAGE }, in: there });
    found.push(...models);
    if (models.length < PAGE) break;
  }
  return found;
}

function draw(group) {
  const { room, models, there, none } = group;
  if (!models) return;
  const typed = plain(find.value.trim());
  const some = models.filter((model) => [model.id, model.name, model.model_type_id, model.description].some((text) => text && plain(text).includes(typed)));
  if (!some.length) clear(room, h("div", { class: "card" }, nothing(typed ? t.overview.model_no_match : none)));
  else clear(room, h("ul", { class: "models" }, some.map((model) => h("li", {}, card(model, there)))));
}

function card(model, there) {
  const version = model.model_version ?? {};
  const concepts = model.output_info?.data?.concepts ?? version.output_info?.data?.concepts ?? [];
  const open = model.id === wanted;
  const inside = h("div", { class: "model-more" });
  const element = h(
    "details",
    { class: "card model", open, on: { toggle: () => element.open && !inside.childElementCount && more(model, concepts, there, inside) } },
    h(
      "summary",
      {},
      h("span", { class: "model-name" }, h("b", {}, nameOf(model)), model.name && model.name !== model.id && h("code", { class: "soft" }, model.id)),
      h("span", { class: "chip" }, model.model_type_id || t.overview.model_no_type),
      h("span", { class: "soft tiny num model-version" }, version.id ? fill(t.overview.model_version, { version: version.id.slice(0, 8) }) : t.overview.model_no_version),
      h("span", { class: "soft tiny num model-concepts" }, concepts.length ? several(concepts.length, t.overview.concepts_n_1, t.overview.concepts_n) : ""),
    ),
    inside,
  );
  if (open) requestAnimationFrame(() => element.scrollIntoView({ block: "center" }));
  return element;
}

async function more(model, concepts, there, room) {
  const versions = h("div", { "aria-busy": "true" }, h("div", { class: "spin" }));
  clear(
    room,
    model.description && h("p", {}, model.description),
    // A visual-classifier, an embedding-classifier: what says concepts of whole inputs.
    /-classifier$|^knn-concept$/.test(model.model_type_id) &&
      h("p", {}, h("a", { class: "button", href: appPath(`models/${encodeURIComponent(model.id)}/evaluation`), "aria-label": fill(t.evaluation.link_of, { model: nameOf(model) }) }, t.evaluation.link)),
    concepts.length > 0 && [h("h3", {}, t.overview.concepts_title), conceptChips(concepts)],
    h("h3", {}, t.overview.versions),
    versions,
  );
  try {
    const { model_versions: found = [] } = await v2(`models/${encodeURIComponent(model.id)}/versions`, { params: { per_page: PAGE }, in: there });
    versions.removeAttribute("aria-busy");
    clear(versions, found.length ? table(found) : h("p", { class: "hint" }, t.overview.model_no_version));
  } catch (error) {
    versions.removeAttribute("aria-busy");
    clear(versions, h("p", { class: "wrong" }, error.message));
  }
}

function conceptChips(concepts) {
  // Of a threshold's concepts the value says something; elsewhere it is 1 and says nothing.
  const differ = concepts.some((concept) => typeof concept.value === "number" && concept.value !== 1 && concept.value !== 0);
  return h(
    "ul",
    { class: "related" },
    concepts.slice(0, CONCEPTS).map((concept) => h("li", { class: "chip" }, h("span", {}, nameOf(concept)), differ && h("b", {}, threshold(concept.value)))),
    concepts.length > CONCEPTS && h("li", { class: "soft tiny" }, fill(t.overview.more_n, { n: count(concepts.length - CONCEPTS) })),
  );
}

function table(versions) {
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": t.overview.versions },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ["version", "version_made", "version_state", "version_settings"].map((name) => h("th", { scope: "col" }, t.overview[name])))),
      h(
        "tbody",
        {},
        versions.map((version) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, h("code", {}, version.id)),
            h("td", {}, moment(version.created_at)),
            h("td", {}, version.status?.description ?? ""),
            h("td", {}, settings(version)),
          ),
        ),
      ),
    ),
  );
}

function settings(version) {
  const info = version.output_info ?? {};
  const given = { ...info.params };
  for (const name of ["min_value", "max_concepts"]) if (info.output_config?.[name]) given[name] = info.output_config[name];
  const entries = Object.entries(given).filter(([, value]) => value !== null && value !== "");
  if (!entries.length) return h("span", { class: "soft" }, "–");
  return h("dl", { class: "facts tiny" }, entries.map(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "object" ? JSON.stringify(value).slice(0, 400) : String(typeof value === "number" ? threshold(value) : value).slice(0, 400))]));
}

find.addEventListener("input", () => groups.forEach(draw));
await Promise.all(
  groups.map(async (group) => {
    try {
      group.models = await all(group.there);
      draw(group);
    } catch (error) {
      clear(group.room, h("p", { class: "wrong" }, error.message));
      failed(error);
    }
    group.room.removeAttribute("aria-busy");
  }),
);
