// A dialog in which a concept is found by a few letters of its name, or made.

import { h, fill } from "./dom.js";
import t from "./strings.js";
import { colourOf } from "./colours.js";
import { found, plain } from "./fuzzy.js";

const MOST = 60;

let count = 0;
let open = null;

/**
 * Ask for a concept.
 * @param {object} about
 *   concepts: [{id, name, note?}], those most wanted first; `note` stands beside the name (a number, say).
 *   title: what the dialog is called.
 *   allowNew: whether a name that is not there may be given.
 *   typed: what stands in the field at the beginning.
 * @returns {Promise<{id?: string, name: string} | null>} without an id it is a new one; null where nothing was chosen
 */
export function pick({ concepts = [], title, allowNew = false, typed = "" } = {}) {
  open?.cancel();
  return new Promise((resolve) => {
    const back = document.activeElement;
    const made = build({ concepts, title: title || t.media.pick_title, allowNew, typed }, (chosen) => {
      if (open !== made) return;
      open = null;
      made.dialog.close();
      made.dialog.remove();
      // The place where the person was; it may be gone with what the dialog was about.
      if (back?.isConnected) back.focus({ preventScroll: true });
      resolve(chosen);
    });
    open = made;
    document.body.append(made.dialog);
    made.dialog.showModal();
    made.start();
  });
}

function build({ concepts, title, allowNew, typed }, finish) {
  const name = `picker-${(count += 1)}`;
  let choices = [];
  let at = 0;

  const field = h("input", {
    class: "picker-field",
    id: `${name}-field`,
    type: "text",
    role: "combobox",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    placeholder: allowNew ? t.media.pick_or_new : t.media.pick_hint,
    "aria-label": title,
    "aria-autocomplete": "list",
    "aria-expanded": "true",
    "aria-controls": `${name}-list`,
  });
  field.value = typed;
  const list = h("ul", { class: "picker-list", id: `${name}-list`, role: "listbox", "aria-label": title });
  const said = h("p", { class: "picker-said", role: "status" });
  const close = h("button", { type: "button", class: "picker-close", "aria-label": t.media.close }, "×");
  const dialog = h(
    "dialog",
    { class: "picker", "aria-labelledby": `${name}-title` },
    h("header", { class: "picker-head" }, h("h2", { id: `${name}-title` }, title), close),
    field,
    list,
    h("footer", { class: "picker-foot" }, said, h("span", { class: "picker-keys", "aria-hidden": "true" }, t.media.pick_keys)),
  );
  const cancel = () => finish(null);

  function renew() {
    const text = field.value.trim();
    const { matches, more } = found(concepts, text, MOST);
    choices = matches.map(({ thing, at: places }) => ({ concept: thing, places }));
    const known = concepts.some((c) => plain(c.name || c.id) === plain(text) || c.id === text);
    if (allowNew && text && !known) choices.push({ fresh: text });
    at = 0;
    list.replaceChildren(...choices.map(row));
    list.hidden = choices.length === 0;
    said.textContent = choices.length
      ? fill(more ? t.media.pick_more : t.media.pick_found, { n: matches.length, more })
      : t.media.pick_none;
    show();
  }

  function row(choice, index) {
    const item = h("li", { role: "option", id: `${name}-${index}`, class: "picker-item" });
    if (choice.fresh) {
      item.classList.add("is-new");
      item.append(h("span", { class: "picker-plus", "aria-hidden": "true" }, "+"));
      item.append(h("span", { class: "picker-name" }, fill(t.media.pick_new, { name: choice.fresh })));
    } else {
      const { concept, places } = choice;
      const dot = h("span", { class: "picker-dot", "aria-hidden": "true" });
      dot.style.backgroundColor = colourOf(concept.id);
      item.append(dot, marked(concept.name || concept.id, places));
      if (concept.id && concept.name && concept.id !== concept.name) {
        item.append(h("span", { class: "picker-id" }, concept.id));
      }
      if (concept.note !== undefined) item.append(h("span", { class: "picker-note" }, String(concept.note)));
    }
    item.addEventListener("pointermove", () => go(index));
    item.addEventListener("click", () => choose(index));
    return item;
  }

  function go(index) {
    if (index === at) return;
    at = index;
    show();
  }

  function show() {
    [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === at)));
    const item = list.children[at];
    if (item) {
      field.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    } else field.removeAttribute("aria-activedescendant");
  }

  function choose(index) {
    const choice = choices[index];
    if (!choice) return;
    if (choice.fresh) finish({ name: choice.fresh });
    else finish({ id: choice.concept.id, name: choice.concept.name || choice.concept.id });
  }

  function onKey(event) {
    // What is typed here is for nobody else: a page's keys are letters too.
    event.stopPropagation();
    const last = choices.length - 1;
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: Math.min(at + 8, last), PageUp: Math.max(at - 8, 0) };
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      // With ctrl what was typed is taken as it is, also where it is the beginning of another name.
      const fresh = choices.findIndex((choice) => choice.fresh);
      choose((event.ctrlKey || event.metaKey) && fresh >= 0 ? fresh : at);
    } else if (event.key === "Escape") {
      event.preventDefault();
      cancel();
    } else if (event.key in steps && choices.length) {
      event.preventDefault();
      go((steps[event.key] + choices.length) % choices.length);
    }
  }

  field.addEventListener("input", renew);
  dialog.addEventListener("keydown", onKey);
  dialog.addEventListener("keyup", (event) => event.stopPropagation());
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    cancel();
  });
  close.addEventListener("click", cancel);
  dialog.addEventListener("click", (event) => event.target === dialog && cancel());

  function start() {
    renew();
    field.focus();
    field.select();
  }
  return { dialog, start, cancel };
}

// The name with the letters that were found made strong. Where taking off accents changed the length the places are
// wrong, and it is shown plain.
function marked(text, places) {
  const element = h("span", { class: "picker-name" });
  if (!places.length || plain(text).length !== text.length) {
    element.textContent = text;
    return element;
  }
  const wanted = new Set(places);
  let from = 0;
  for (let i = 1; i <= text.length; i += 1) {
    if (i < text.length && wanted.has(i) === wanted.has(from)) continue;
    const piece = text.slice(from, i);
    element.append(wanted.has(from) ? h("b", {}, piece) : piece);
    from = i;
  }
  return element;
}
