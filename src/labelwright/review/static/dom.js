// Elements from code: texts are always texts, and never HTML.

const SVG = "http://www.w3.org/2000/svg";
// Set as properties: as attributes they only say how a field begins.
const PROPERTIES = new Set(["value", "checked", "selected", "indeterminate", "srcObject"]);

/**
 * An element. `given` holds attributes (false, null and undefined: left out; true: empty), `on` with listeners,
 * `data` with what goes into dataset, `style` with properties of CSS. Children: nodes, texts, numbers, lists of
 * these; false, null and undefined are passed over.
 */
export function h(tag, given = {}, ...children) {
  return filled(document.createElement(tag), given, children);
}

/** The same for SVG. */
export function svg(tag, given = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), given, children);
}

function filled(element, given, children) {
  if (given === null || typeof given !== "object" || given instanceof Node || Array.isArray(given)) {
    children.unshift(given);
    given = {};
  }
  const { on, data, dataset, style, attrs, ...rest } = given;
  for (const [name, value] of Object.entries({ ...attrs, ...rest })) {
    if (PROPERTIES.has(name)) element[name] = value ?? "";
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name === "className" ? "class" : name, Array.isArray(value) ? value.filter(Boolean).join(" ") : value);
    }
  }
  for (const [name, value] of Object.entries({ ...dataset, ...data })) {
    if (value !== null && value !== undefined) element.dataset[name] = value;
  }
  for (const [name, value] of Object.entries(style ?? {})) {
    if (name.includes("-")) element.style.setProperty(name, value);
    else element.style[name] = value;
  }
  for (const [name, listener] of Object.entries(on ?? {})) element.addEventListener(name, listener);
  append(element, children);
  return element;
}

/** Put children behind those that are there. */
export function append(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === true || child === "") continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Take all children out, and put others in. */
export function clear(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** A text with its {placeholders} filled; what stands in a value is no placeholder. */
export function fill(text, values = {}) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole));
}

/** Say something to who can't see it, politely. */
export function announce(text) {
  const live = document.getElementById("live");
  if (!live) return;
  live.textContent = "";
  // The same text twice is said twice.
  requestAnimationFrame(() => (live.textContent = text));
}

/** A number as people read it: 12,345. */
export function count(number) {
  return Number(number ?? 0).toLocaleString("en");
}

/** The time since an ISO time or a Date, such as "3 min ago", in the page's language. */
export function ago(time) {
  const seconds = (new Date(time) - Date.now()) / 1000;
  const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" }).format(Math.round(seconds / size), unit);
}
