// What an input is: its status, its kind, when it came, where from, and what stands in its metadata.

import { ago, clear, fill, h } from "./dom.js";
import t from "./strings.js";
import { kindOf } from "./media_address.js";

const FINE = 30000;
const WORKING = new Set([30001, 30003]);

/** Say in a chip how far an input is. */
export function stateChip(chip, input) {
  const code = input.status?.code ?? FINE;
  const name = code === FINE ? "fine" : WORKING.has(code) ? "working" : "failed";
  chip.hidden = false;
  chip.className = `chip ${{ fine: "labelled", working: "waiting", failed: "failed" }[name]}`;
  chip.textContent = t.media[`input_${name}`];
  chip.title = input.status?.description ?? "";
}

/** Fill an element with the facts. */
export function aboutInput(element, input) {
  const kind = kindOf(input);
  const media = input.data?.[kind] ?? {};
  const facts = h("dl", { class: "facts" });
  const add = (name, value) => value && facts.append(h("dt", {}, name), h("dd", {}, value));
  const info = media.image_info ?? media.video_info;
  const status = input.status ?? {};
  if (status.code !== FINE) add(t.media.fact_status, [status.description, status.details].filter(Boolean).join(": "));
  add(t.media.fact_kind, t.media[`kind_${kind || "none"}`]);
  if (info?.width) add(t.media.fact_size, fill(t.media.size, { width: info.width, height: info.height }));
  if (input.created_at) {
    const words = `${new Date(input.created_at).toLocaleString("en-GB")} (${ago(input.created_at)})`;
    add(t.media.fact_added, h("time", { datetime: input.created_at }, words));
  }
  // Only shown: an address that a stranger gave is not one to click on, and a signed one is ours and long.
  if (media.url && !/[?&]signature=/.test(media.url)) add(t.media.fact_url, h("span", { class: "wrap" }, media.url));
  const place = input.data?.geo?.geo_point;
  if (place) add(t.media.fact_geo, `${place.latitude ?? 0}, ${place.longitude ?? 0}`);
  clear(element, facts);
  const metadata = input.data?.metadata;
  if (metadata && Object.keys(metadata).length) {
    const shown = h("pre", { class: "one-metadata", tabindex: "0" }, JSON.stringify(metadata, null, 2));
    shown.setAttribute("aria-label", t.media.metadata);
    element.append(h("h3", {}, t.media.metadata), shown);
  }
}
