// Adds files, addresses and texts, and shows the labels appear.

import { appPath, v2 } from "/ui/static/api.js";
import { announce, append, clear, count, fill, h } from "/ui/static/dom.js";
import t from "/ui/static/strings.js";
import { batches, inputOf, kindOf, postInputs, stageOf } from "/ui/static/upload.js";

const SENDERS = 2;
const LOOK = 500;
const SLOW_LOOK = 3000;
const LOOKED_AT = 50;
const SUCCESS = 24150;
const at = (id) => document.getElementById(id);

const items = [];
const waiting = [];
let senders = 0;

// --- what was added --------------------------------------------------------------------------------

function tile(item) {
  const thumb = h("a", { class: "thumb" });
  if (item.preview) thumb.append(h("img", { src: item.preview, alt: "" }));
  else thumb.append(h("span", { class: "kind" }, item.text?.slice(0, 120) ?? item.kind));
  item.thumb = thumb;
  item.state = h("p", { class: "state" });
  item.labels = h("p", { class: "labels" });
  item.box = h(
    "li",
    { class: "tile" },
    thumb,
    h("div", { class: "said" }, h("p", { class: "name", title: item.name }, item.name), item.state, item.labels),
  );
  return item.box;
}

function set(item, stage, text) {
  item.stage = stage;
  item.box.classList.toggle("busy", stage === "sending" || stage === "working");
  item.box.dataset.stage = stage;
  item.state.classList.toggle("failed", stage === "failed");
  item.state.hidden = !text;
  clear(item.state, text);
  if (stage === "failed" && item.again) {
    append(item.state, " ", h("button", { type: "button", class: "link", on: { click: () => again(item) } }, t.shell.add_retry));
  }
  totals();
}

function totals() {
  const of = (...stages) => items.filter((item) => stages.includes(item.stage)).length;
  const all = items.length;
  const unsent = of("waits", "sending");
  at("added").hidden = !all;
  at("progress").max = all || 1;
  at("progress").value = all - unsent;
  at("sent").textContent = fill(unsent ? t.shell.add_progress : t.shell.add_all_sent, { done: count(all - unsent), all: count(all) });
  const chip = (id, n, text) => {
    at(id).hidden = !n;
    at(id).textContent = fill(text, { n: count(n) });
  };
  chip("labelling", of("working"), t.shell.add_labelling);
  chip("failed-count", of("failed"), t.shell.add_failed_count);
  at("to-review").hidden = !items.some((item) => item.pending);
}

function take(found) {
  if (!found.length) return;
  for (const item of found) {
    items.push(item);
    at("tiles").prepend(tile(item));
    if (item.refused) set(item, "failed", item.refused);
    else {
      set(item, "waits", t.shell.add_waits);
      waiting.push(item);
    }
  }
  at("added").scrollIntoView({ block: "nearest", behavior: "smooth" });
  send();
}

function again(item) {
  set(item, "waits", t.shell.add_waits);
  waiting.push(item);
  send();
}

// --- sending ---------------------------------------------------------------------------------------

function send() {
  while (senders < SENDERS && waiting.length) {
    senders++;
    sender().finally(() => {
      senders--;
      send();
    });
  }
}

async function sender() {
  while (waiting.length) {
    const [batch] = batches(waiting, (item) => item.bytes);
    waiting.splice(0, batch.length);
    const ready = [];
    for (const item of batch) {
      set(item, "sending", t.shell.add_sending);
      try {
        ready.push([item, await item.input()]);
      } catch {
        set(item, "failed", t.shell.add_unread);
      }
    }
    if (ready.length) await post(ready);
  }
}

async function post(ready) {
  try {
    const made = await postInputs(ready.map(([, input]) => input));
    ready.forEach(([item], i) => sent(item, made[i]));
  } catch (error) {
    for (const [item] of ready) {
      item.again = true;
      set(item, "failed", error.offline ? t.shell.offline : error.details || error.description || error.message);
    }
  }
  look(0);
}

function sent(item, input) {
  if (!input?.id || stageOf(input.status) === "failed") {
    set(item, "failed", why(input?.status));
    return;
  }
  item.id = input.id;
  item.thumb.href = appPath(`inputs/${encodeURIComponent(input.id)}`);
  item.thumb.setAttribute("aria-label", item.name);
  item.looks = 0;
  set(item, "working", t.shell.add_working);
}

function why(status) {
  return status?.details || status?.description || t.shell.add_failed;
}

// --- the labels ------------------------------------------------------------------------------------

let timer = 0;
let looking = false;

function look(after) {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (looking) return;
    looking = true;
    let next = LOOK;
    try {
      await seen();
    } catch {
      // It is looked for again; what was refused for good is said by the next call that somebody asks for.
      next = SLOW_LOOK;
    }
    looking = false;
    if (items.some((item) => item.stage === "working")) look(next);
  }, after);
}

async function seen() {
  const open = items.filter((item) => item.stage === "working").slice(0, LOOKED_AT);
  if (!open.length) return;
  const ids = open.map((item) => item.id);
  const { inputs = [] } = await v2("inputs", { params: { ids, per_page: LOOKED_AT } });
  const stages = new Map(inputs.map((input) => [input.id, input]));
  const done = open.filter((item) => stages.has(item.id) && stageOf(stages.get(item.id).status) !== "working");
  if (!done.length) return;
  const labels = await labelsOf(done.map((item) => item.id));
  for (const item of done) {
    const input = stages.get(item.id);
    if (stageOf(input.status) === "failed") set(item, "failed", why(input.status));
    else label(item, labels.get(item.id) ?? []);
  }
}

async function labelsOf(ids) {
  const found = new Map();
  for (let page = 1; ; page++) {
    const params = { input_ids: ids, list_all_annotations: true, page, per_page: 500 };
    const { annotations = [] } = await v2("annotations", { params });
    for (const annotation of annotations) {
      const regions = annotation.data?.regions ?? [];
      const concepts = [...(annotation.data?.concepts ?? []), ...regions.flatMap((region) => region.data?.concepts ?? [])];
      for (const concept of concepts) {
        found.set(annotation.input_id, [...(found.get(annotation.input_id) ?? []), { concept, code: annotation.status?.code }]);
      }
    }
    if (annotations.length < 500) return found;
  }
}

function label(item, labels) {
  item.pending = labels.some(({ code }) => code !== SUCCESS);
  clear(
    item.labels,
    labels.slice(0, 12).map(({ concept, code }) => {
      const good = code === SUCCESS;
      const word = good ? t.shell.add_labelled : t.shell.add_pending;
      const name = concept.name || concept.id;
      return h("span", { class: `chip ${good ? "good" : "warn"}`, title: word }, `${name} ${Number(concept.value ?? 0).toFixed(2)}`, h("span", { class: "unseen" }, word));
    }),
  );
  set(item, "done", labels.length ? "" : t.shell.add_nothing);
  announce(`${item.name}: ${labels.map(({ concept }) => concept.name || concept.id).join(", ") || t.shell.add_nothing}`);
}

// --- where things come from ------------------------------------------------------------------------

function ofFile(file) {
  const kind = kindOf(file);
  return {
    name: file.name,
    kind,
    bytes: file.size,
    preview: kind === "image" ? URL.createObjectURL(file) : null,
    input: () => inputOf(file),
  };
}

function ofUrl(url) {
  const legal = /^https?:\/\/\S+$/i.test(url);
  const path = legal && URL.canParse(url) ? new URL(url).pathname : "";
  const kind = kindOf({ name: path });
  return {
    name: url,
    kind,
    bytes: 300,
    refused: legal ? "" : t.shell.add_not_url,
    input: async () => ({ data: { [kind]: { url } } }),
  };
}

function ofText(text) {
  return {
    name: text.trim().slice(0, 60),
    kind: "text",
    text,
    bytes: text.length,
    input: async () => ({ data: { text: { raw: text } } }),
  };
}

const drop = at("drop");
at("pick").addEventListener("click", () => at("files").click());
at("files").addEventListener("change", ({ target }) => {
  take([...target.files].map(ofFile));
  target.value = "";
});
// Anywhere on the page: a file that misses the box would take the page's place.
let depth = 0;
const carries = (e) => e.dataTransfer?.types.includes("Files");
document.addEventListener("dragenter", (e) => carries(e) && drop.classList.toggle("over", ++depth > 0));
document.addEventListener("dragleave", (e) => carries(e) && drop.classList.toggle("over", --depth > 0));
document.addEventListener("dragover", (e) => carries(e) && e.preventDefault());
document.addEventListener("drop", async (e) => {
  if (!carries(e)) return;
  e.preventDefault();
  depth = 0;
  drop.classList.remove("over");
  const entries = [...e.dataTransfer.items].map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const files = (await Promise.all(entries.map(filesIn))).flat();
  take(files.map(ofFile));
});
document.addEventListener("paste", (e) => {
  const files = [...(e.clipboardData?.files ?? [])];
  if (!files.length) return;
  e.preventDefault();
  take(files.map(ofFile));
});

/** The files of what was dropped, those in its folders too. */
async function filesIn(entry) {
  if (!entry) return [];
  if (entry instanceof File) return [entry];
  if (entry.isFile) return new Promise((resolve) => entry.file((file) => resolve([file]), () => resolve([])));
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A part of the folder each time; none at its end.
    const part = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!part.length) return found;
    for (const each of part) if (!each.name.startsWith(".")) found.push(...(await filesIn(each)));
  }
}

at("urls-form").addEventListener("submit", (e) => {
  e.preventDefault();
  take(at("urls").value.split("\n").map((line) => line.trim()).filter(Boolean).map(ofUrl));
  at("urls").value = "";
});
at("text-form").addEventListener("submit", (e) => {
  e.preventDefault();
  take([ofText(at("text").value)]);
  at("text").value = "";
});
at("to-review").href = appPath("review");
addEventListener("beforeunload", (e) => {
  if (items.some((item) => item.stage === "waits" || item.stage === "sending")) e.preventDefault();
});
