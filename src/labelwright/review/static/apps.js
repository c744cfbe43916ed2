// The list of apps, a new one, and the first steps in an empty store.

import { appPath, get, me, v2 } from "/ui/static/api.js";
import { append, clear, count, fill, h } from "/ui/static/dom.js";
import { DEMO_APP, DEMO_CONCEPTS, makeApp, makeModels, makeWorkflow, people } from "/ui/static/setup.js";
import t from "/ui/static/strings.js";
import { failed } from "/ui/static/toast.js";
import { inputOf, postInputs } from "/ui/static/upload.js";

const PAGE = 200;
const AT_ONCE = 3;
const at = (id) => document.getElementById(id);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function ownApps() {
  const apps = [];
  for (let page = 1; ; page++) {
    const found = (await v2(`/users/${encodeURIComponent(me)}/apps`, { params: { page, per_page: PAGE } })).apps ?? [];
    apps.push(...found);
    if (found.length < PAGE) return apps;
  }
}

async function sharedApps() {
  try {
    const found = (await v2(`/users/${encodeURIComponent(me)}/collaborations`, { params: { per_page: PAGE } })).collaborations;
    return (found ?? []).map(({ app }) => app).filter((app) => app?.id);
  } catch {
    // The key lacks the scope for it: then nothing is known to be shared.
    return [];
  }
}

function card(app) {
  const there = { user: app.user_id || me, app: app.id };
  const name = app.name || app.id;
  const counts = h("p", { class: "counts" });
  const box = h(
    "article",
    { class: "card app", data: { words: `${name} ${app.id}`.toLowerCase() } },
    h("h2", {}, h("a", { href: appPath("", there) }, name)),
    (name !== app.id || there.user !== me) &&
      h("p", { class: "id soft" }, there.user === me ? app.id : `${app.id} ${fill(t.shell.apps_of, { user: there.user })}`),
    counts,
  );
  const load = async () => {
    const [inputs, review] = await Promise.allSettled([
      v2("inputs/status", { in: there }),
      get(`/ui/api/${encodeURIComponent(there.user)}/${encodeURIComponent(there.app)}/review/summary`),
    ]);
    const n = inputs.value?.counts;
    const working = (n?.to_process ?? 0) + (n?.processing ?? 0);
    const all = working + (n?.processed ?? 0) + (n?.errors ?? 0);
    if (n) {
      const said = all === 1 ? t.shell.apps_count_input : fill(t.shell.apps_count_inputs, { n: count(all) });
      append(
        counts,
        h("span", {}, all ? said : t.shell.apps_empty),
        working > 0 && h("span", { class: "chip" }, fill(t.shell.apps_working, { n: count(working) })),
        n.errors > 0 && h("span", { class: "chip bad" }, fill(t.shell.apps_failed, { n: count(n.errors) })),
      );
    }
    const left = review.value?.statuses?.pending ?? review.value?.left;
    if (left > 0) {
      append(
        counts,
        h("span", { class: "chip warn" }, fill(t.shell.apps_waiting, { n: count(left) })),
        h("a", { class: "go", href: appPath("review", there) }, t.shell.apps_open),
      );
    } else if (left === 0 && all && !working) append(counts, h("span", {}, t.shell.apps_reviewed));
  };
  return { box, load };
}

async function show() {
  const [own, shared] = await Promise.all([ownApps(), sharedApps()]);
  const cards = own.map(card);
  const others = shared.map(card);
  clear(at("apps"), cards.map(({ box }) => box)).removeAttribute("aria-busy");
  clear(at("shared-apps"), others.map(({ box }) => box));
  at("shared").hidden = !others.length;
  at("first").hidden = Boolean(own.length || others.length);
  at("apps-head").hidden = !at("first").hidden;
  at("apps").hidden = !own.length;
  at("find-app").hidden = own.length + others.length < 8;
  const queue = [...cards, ...others];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = queue.shift(); next; next = queue.shift()) await next.load();
    }),
  );
}

at("find-app").addEventListener("input", ({ target }) => {
  const wanted = target.value.trim().toLowerCase();
  const boxes = [...document.querySelectorAll(".app")];
  for (const box of boxes) box.hidden = !box.dataset.words.includes(wanted);
  at("none-found")?.remove();
  if (boxes.every((box) => box.hidden)) at("apps").append(h("p", { id: "none-found", class: "soft" }, t.shell.apps_none_found));
});

// --- a new app -------------------------------------------------------------------------------------

const dialog = at("new");
for (const button of document.querySelectorAll("[data-new]")) {
  button.addEventListener("click", () => {
    at("new-wrong").hidden = true;
    dialog.showModal();
  });
}
at("new-cancel").addEventListener("click", () => dialog.close());
at("new-threshold").addEventListener("input", ({ target }) => {
  at("new-threshold-value").value = Number(target.value).toFixed(2);
});
at("new-form").addEventListener("submit", async (e) => {
  e.preventDefault();
  const make = at("new-make");
  make.disabled = true;
  at("new-wrong").hidden = true;
  try {
    const there = await makeApp(me, at("new-id").value.trim());
    if (new FormData(e.target).get("kind") === "people") {
      await makeWorkflow(there, await makeModels(there, people(Number(at("new-threshold").value))));
    }
    location.assign(appPath("add", there));
  } catch (error) {
    at("new-wrong").textContent = error.details || error.description || error.message;
    at("new-wrong").hidden = false;
  } finally {
    make.disabled = false;
  }
});

// --- the demo --------------------------------------------------------------------------------------

function step(text, share) {
  at("demo-step").textContent = text;
  at("demo-bar").value = Math.round(100 * share);
}

async function demo() {
  step(t.shell.demo_step_app, 0.02);
  const there = await makeApp(me, DEMO_APP);
  step(t.shell.demo_step_models, 0.08);
  const versions = await makeModels(there, DEMO_CONCEPTS);
  step(t.shell.demo_step_workflow, 0.25);
  await makeWorkflow(there, versions);
  const { photos } = await get("/ui/samples");
  const all = photos.length;
  for (const [n, photo] of photos.entries()) {
    step(fill(t.shell.demo_step_photos, { done: n, all }), 0.3 + (0.4 * n) / all);
    const blob = await (await fetch(`/ui/samples/${n}`)).blob();
    await postInputs([await inputOf(new File([blob], photo.name, { type: "image/" }), { credit: photo.credit })], there);
  }
  for (;;) {
    const { counts } = await v2("inputs/status", { in: there });
    const done = (counts.processed ?? 0) + (counts.errors ?? 0);
    step(fill(t.shell.demo_step_labels, { done, all }), 0.7 + (0.3 * done) / all);
    if (done >= all) break;
    await pause(200);
  }
  location.assign(appPath("", there));
}

at("demo")?.addEventListener("click", async ({ target }) => {
  target.disabled = true;
  at("demo-about").hidden = true;
  at("demo-progress").hidden = false;
  try {
    await demo();
  } catch (error) {
    failed(error, { sticky: true });
    target.disabled = false;
    at("demo-about").hidden = false;
    at("demo-progress").hidden = true;
  }
});

show().catch((error) => {
  at("apps").removeAttribute("aria-busy");
  clear(at("apps"));
  at("apps-head").hidden = false;
  failed(error, { sticky: true });
});
