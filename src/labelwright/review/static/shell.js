// What every page has around it: the menus, the colours, the way back when a session has ended.

import { appPath, v2, where } from "/ui/static/api.js";
import { clear, h } from "/ui/static/dom.js";
import "/ui/static/door.js";
import t from "/ui/static/strings.js";
import { toast } from "/ui/static/toast.js";

function menu(buttonId, opened) {
  const button = document.getElementById(buttonId);
  const list = document.getElementById(`${buttonId}-menu`);
  if (!button || !list) return;
  const set = (open) => {
    list.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  };
  button.addEventListener("click", () => {
    set(list.hidden);
    if (!list.hidden) opened?.(list);
  });
  document.addEventListener("pointerdown", (e) => {
    if (!list.hidden && !list.contains(e.target) && !button.contains(e.target)) set(false);
  });
  list.parentElement.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && !list.hidden) {
      e.stopPropagation();
      set(false);
      button.focus();
    }
    if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
    if (list.hidden) return;
    e.preventDefault();
    const stops = [...list.querySelectorAll("a, button, input")];
    const at = stops.indexOf(document.activeElement);
    stops.at((at + (e.key === "ArrowDown" ? 1 : at < 0 ? 0 : -1)) % stops.length)?.focus();
  });
}

async function apps(list) {
  if (list.childElementCount) return;
  clear(list, h("p", {}, t.shell.loading));
  const link = (app) =>
    h(
      "a",
      {
        href: appPath("", { user: app.user_id, app: app.id }),
        "aria-current": app.id === where.app && app.user_id === where.user ? "true" : null,
      },
      app.name || app.id,
    );
  let found = [];
  try {
    found = (await v2("/users/me/apps", { params: { per_page: 100 } })).apps ?? [];
  } catch {
    // The key of one app: there is no other to go to.
  }
  clear(list, found.map(link), h("a", { href: "/apps", class: "all" }, t.shell.all_apps));
}

menu("switch", apps);
menu("who");

// On a narrow screen the tabs scroll: begin where the page's own is seen.
const tab = document.querySelector(".tabs [aria-current]");
if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.clientWidth) / 2;

document.addEventListener("signed-out", () => {
  const next = encodeURIComponent(location.pathname + location.search);
  toast(t.shell.signed_out, {
    kind: "bad",
    sticky: true,
    id: "signed-out",
    action: { label: t.shell.sign_in, run: () => location.assign(`/login?next=${next}`) },
  });
});
