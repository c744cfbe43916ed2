// Questions that must be answered before something is done.

import { h } from "/ui/static/dom.js";
import t from "/ui/static/strings.js";

let count = 0;

/**
 * Open a dialog; resolves to what `done` was called with, or null where it was closed.
 *
 * @param title its heading.
 * @param build called with `done`; returns what the dialog holds: nodes.
 */
export function dialog(title, build) {
  return new Promise((resolve) => {
    const back = document.activeElement;
    const id = `dialog-${(count += 1)}`;
    let answer = null;
    const done = (value) => {
      answer = value;
      element.close();
    };
    const element = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title));
    element.append(...build(done));
    element.addEventListener("click", (event) => event.target === element && element.close());
    element.addEventListener("close", () => {
      element.remove();
      if (back?.isConnected) back.focus({ preventScroll: true });
      resolve(answer);
    });
    document.body.append(element);
    element.showModal();
  });
}

/** Ask yes or no; the safe answer has the focus. */
export async function confirmed({ title, text = [], yes, danger = true }) {
  const answer = await dialog(title, (done) => [
    h("div", { class: "stack tight" }, text.map((line) => h("p", {}, line))),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "button", class: "plain", autofocus: true, on: { click: () => done(false) } }, t.overview.cancel),
      h("button", { type: "button", class: danger ? "danger" : "primary", on: { click: () => done(true) } }, yes),
    ),
  ]);
  return answer === true;
}
