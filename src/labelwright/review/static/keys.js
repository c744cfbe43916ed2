// Shortcuts: what a key does, shown on the buttons, and changed in a dialog.
//
// An action is {id, label, keys: ["a", "ctrl+z"], run(event)}. A button with data-action="<id>" runs it, and shows its
// first key. Keys are named as `nameOf` names them; digits belong to the page (`onDigit`).
import { clear, fill, h } from "./dom.js";
import t from "./strings.js";

const RESERVED = new Set(["tab", "shift+tab", "escape", "enter", ...Array.from("123456789")]);
const SHOWN = {
  space: "␣", backspace: "⌫", arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓", delete: "Del",
  enter: "⏎", escape: "Esc",
};

/** The name of the key pressed, with its modifiers: "a", "shift+a", "ctrl+z", "space"; "" for a modifier alone. */
export function nameOf(event) {
  let key = event.key === " " ? "space" : event.key.toLowerCase();
  if (["shift", "control", "alt", "meta", "dead", "altgraph", "capslock", "unidentified"].includes(key)) return "";
  // Keyboards of other scripts: the place of the key counts, so that "a" stays where the hand expects it.
  if (key.length === 1 && key.charCodeAt(0) > 127 && /^Key[A-Z]$/.test(event.code)) key = event.code[3].toLowerCase();
  const letter = key.length > 1 || key.toLowerCase() !== key.toUpperCase();
  const ctrl = (event.ctrlKey || event.metaKey) && !event.altKey;
  return `${ctrl ? "ctrl+" : ""}${event.altKey && !event.ctrlKey ? "alt+" : ""}${event.shiftKey && letter ? "shift+" : ""}${key}`;
}

/** How a key's name is written on a button. */
export function shownKey(name) {
  return name.split("+").filter(Boolean).map((part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part[0].toUpperCase() + part.slice(1))).join(" ");
}

/** The form that aria-keyshortcuts wants. */
function ariaKey(name) {
  const names = { ctrl: "Control", shift: "Shift", alt: "Alt", space: "Space", arrowleft: "ArrowLeft", arrowright: "ArrowRight", arrowup: "ArrowUp", arrowdown: "ArrowDown" };
  return name.split("+").map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part[0].toUpperCase() + part.slice(1))).join("+");
}

function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=button])"));
}

/** Space and Enter on a control that takes them belong to the control. */
function isPressing(event) {
  return (event.key === " " || event.key === "Enter") && event.target instanceof Element && event.target.closest("button, a[href], summary, input");
}

/**
 * Listen for the page's keys.
 *
 * @param page what the changed keys are kept under.
 * @param onDigit called with 1..9.
 * @returns {paint, open}: put the keys on buttons that came later; open the dialog.
 */
export function mountKeys({ page, actions, onDigit }) {
  const place = `labelwright.keys.${page}`;
  const byId = new Map(actions.map((action) => [action.id, action]));
  let kept = read(place);
  let off = kept["*off"] === true;
  let byKey = new Map();

  const keysOf = (action) => (typeof kept[action.id] === "string" ? [kept[action.id], ...action.keys.slice(1)] : action.keys);

  function index() {
    byKey = new Map();
    for (const action of [...actions].reverse()) for (const key of [...keysOf(action)].reverse()) byKey.set(key, action);
    // A key that was chosen goes before another action's second key.
    for (const action of actions) if (typeof kept[action.id] === "string") byKey.set(kept[action.id], action);
  }

  function paint(root = document) {
    for (const button of root.querySelectorAll("[data-action]")) {
      const action = byId.get(button.dataset.action);
      if (!action) continue;
      const [key] = keysOf(action);
      let mark = button.querySelector("kbd");
      if (!key || off) {
        mark?.remove();
        button.removeAttribute("aria-keyshortcuts");
        continue;
      }
      if (!mark) button.append((mark = h("kbd", { "aria-hidden": "true" })));
      mark.textContent = shownKey(key);
      button.setAttribute("aria-keyshortcuts", ariaKey(key));
    }
  }

  // Before what is on the page has its say: a click into the image must not take the keys away.
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    if (isTyping(event.target) || isPressing(event)) return;
    const name = nameOf(event);
    if (!name || (off && !name.includes("+") && name !== "escape")) return;
    if (name.startsWith("arrow") && event.target instanceof Element && event.target.closest("[data-own-arrows], .stage-ground")) return;
    if (/^[1-9]$/.test(name) && onDigit) {
      event.preventDefault();
      event.stopPropagation();
      if (!event.repeat) onDigit(Number(name));
      return;
    }
    const action = byKey.get(name);
    if (!action || action.enabled?.() === false) return;
    event.preventDefault();
    event.stopPropagation();
    // A key held down must not decide a queue of items; moving about may.
    if (!event.repeat || action.repeats) action.run(event);
  }, true);
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-action]");
    const action = button && !button.disabled && byId.get(button.dataset.action);
    if (action) action.run(event);
  });

  function open() {
    const opener = document.activeElement;
    const said = h("p", { class: "rv-keys-said", role: "alert" });
    const rows = h("div", { class: "rv-keys-rows" });
    const dialog = h("dialog", { class: "rv-keys", "aria-labelledby": "rv-keys-title" });
    let asking = null;

    function draw() {
      clear(rows);
      for (const action of actions.filter((a) => a.keys.length)) {
        const waiting = asking === action.id;
        rows.append(h("div", { class: "rv-keys-row" },
          h("span", {}, action.label),
          h("button", {
            type: "button", class: waiting ? "rv-key asking" : "rv-key", "data-of": action.id,
            "aria-label": fill(t.review.keys_change, { action: action.label, key: shownKey(keysOf(action)[0]) }),
            on: { click: () => { asking = action.id; said.textContent = t.review.keys_press; draw(); rows.querySelector(`[data-of="${action.id}"]`).focus(); } },
          }, waiting ? t.review.keys_waiting : h("kbd", {}, shownKey(keysOf(action)[0])))));
      }
    }
    dialog.addEventListener("keydown", (event) => {
      if (!asking) return;
      const name = nameOf(event);
      if (!name) return;
      event.preventDefault();
      event.stopPropagation();
      const action = byId.get(asking);
      const focus = () => { draw(); rows.querySelector(`[data-of="${action.id}"]`).focus(); };
      asking = null;
      if (name === "escape") {
        said.textContent = "";
        return focus();
      }
      const taken = actions.find((other) => other.id !== action.id && keysOf(other).includes(name));
      if (RESERVED.has(name)) said.textContent = fill(t.review.keys_reserved, { key: shownKey(name) });
      else if (taken) said.textContent = fill(t.review.keys_taken, { key: shownKey(name), action: taken.label });
      else {
        kept = { ...kept, [action.id]: name };
        save();
        said.textContent = fill(t.review.keys_changed, { key: shownKey(name), action: action.label });
      }
      return focus();
    });
    const silence = h("input", { type: "checkbox", checked: !off, on: { change: (event) => { off = !event.target.checked; kept = { ...kept, "*off": off }; save(); } } });
    dialog.append(
      h("h2", { id: "rv-keys-title" }, t.review.keys_title),
      h("p", { class: "soft" }, t.review.keys_lead),
      rows, said,
      h("label", { class: "rv-keys-off" }, silence, h("span", {}, t.review.keys_on)),
      h("div", { class: "rv-dialog-foot" },
        h("button", { type: "button", class: "button", on: { click: () => { kept = off ? { "*off": true } : {}; save(); said.textContent = t.review.keys_were_reset; draw(); } } }, t.review.keys_reset),
        h("button", { type: "button", class: "button primary", on: { click: () => dialog.close() } }, t.review.close)));
    dialog.addEventListener("close", () => { dialog.remove(); opener?.focus?.(); });
    draw();
    document.body.append(dialog);
    dialog.showModal();
  }

  function save() {
    try { localStorage.setItem(place, JSON.stringify(kept)); } catch { /* Full or forbidden: the keys hold until the page goes. */ }
    index();
    paint();
  }

  index();
  paint();
  return { paint, open, keyOf: (id) => keysOf(byId.get(id))[0] };
}

function read(place) {
  try {
    const value = JSON.parse(localStorage.getItem(place) ?? "{}");
    return value && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}
