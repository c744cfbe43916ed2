// Video and audio, with what is said of their frames and their stretches of time.

import { h, fill } from "./dom.js";
import t from "./strings.js";
import { fitted, toScreen } from "./geometry.js";
import { kindOf, mediaAddress } from "./media_address.js";
import { boxElement, colourFor, describe, dress, place, scoreText, stateText } from "./render_box.js";
import { icon, toolButton } from "./stage_tools.js";
import { clock, frameAt, grouped, isOpen, nearest, perSecond } from "./timeline.js";

const SNAP = 7; // pixels of the time line around a frame's tick that lead to the frame itself

/**
 * Put a player into an element.
 * @param {HTMLElement} element
 * @param {object} options
 *   input: an Input as REST has it, with a video or an audio.
 *   frames: [{time_ms, index, number?, boxes}]: what `mountStage` calls boxes; one without `box` is about the frame as a
 *     whole. Several entries of one time are one frame.
 *   segments: [{id, start_ms, end_ms, label, score, state}]: stretches of time.
 *   onSelect(id or null): a box, a frame's label or a segment was chosen.
 * @returns {{setItem, setFrames, select, selected, seek, step, jump, nextOpen, toggle, destroy}}
 */
export function mountPlayer(element, options = {}) {
  const onSelect = options.onSelect ?? (() => {});
  let input = null;
  let frames = [];
  let segments = [];
  let media = null;
  let playable = false;
  let resting = 0; // milliseconds: where we are in what can't be played
  let selected = null;
  let shown = null;
  let stopAt = Infinity;
  let rate = 25;
  let loop = 0;

  const screen = h("div", { class: "player-screen" });
  const layer = h("div", { class: "player-boxes" });
  const labels = h("div", { class: "player-labels" });
  const note = h("p", { class: "stage-note", hidden: true });
  const play = toolButton("play", t.media.play, toggle, "k");
  const time = h("output", { class: "player-time", "aria-live": "off" });
  const line = h("input", { class: "player-line", type: "range", min: "0", max: "1000", step: "1", "aria-label": t.media.time_line });
  const ticks = h("div", { class: "player-ticks", "aria-hidden": "true" });
  const open = h("button", { type: "button", class: "button quiet small player-open", on: { click: () => nextOpen() } });
  const list = h("ol", { class: "player-segments" });
  const frameTools = h(
    "div",
    { class: "tool-group" },
    toolButton("first", t.media.frame_before, () => jump(-1), "["),
    toolButton("back", t.media.step_back, () => step(-1), ","),
    toolButton("forward", t.media.step_on, () => step(1), "."),
    toolButton("last", t.media.frame_behind, () => jump(1), "]"),
  );
  const root = h(
    "div",
    { class: "player", role: "group", "aria-label": t.media.player, "aria-description": t.media.player_help },
    screen,
    h("div", { class: "player-track" }, ticks, line),
    h("div", { class: "player-bar" }, h("div", { class: "tool-group" }, play), frameTools, time, open),
    list,
  );
  element.replaceChildren(root);

  // ---- what is shown ----

  function setItem(next, nextFrames = [], nextSegments = []) {
    const same = next?.id && next.id === input?.id;
    input = next;
    if (!same) mountMedia();
    setFrames(nextFrames, nextSegments);
    if (!same) nextOpen({ quiet: true });
  }

  function mountMedia() {
    cancelAnimationFrame(loop);
    media?.pause?.();
    resting = 0;
    stopAt = Infinity;
    selected = null;
    playable = true;
    const kind = kindOf(input);
    root.classList.toggle("is-audio", kind === "audio");
    frameTools.hidden = kind === "audio";
    media = h(kind === "audio" ? "audio" : "video", { preload: "auto", playsinline: "", src: mediaAddress(input, "orig") });
    if (kind !== "audio") media.muted = true;
    note.hidden = true;
    screen.replaceChildren(media, layer, labels, note);
    const mine = media;
    const on = (name, listener) => media.addEventListener(name, () => mine === media && listener());
    on("loadedmetadata", () => {
      lay();
      drawTicks();
      // A place that was asked for before there was anything to go to.
      if (resting) seek(resting);
      follow();
    });
    for (const name of ["seeked", "timeupdate", "pause", "ended"]) on(name, follow);
    on("play", run);
    on("error", failed);
  }

  // A format that the browser does not play: the picture of a frame, and the frames' boxes all the same.
  function failed() {
    playable = false;
    const source = kindOf(input) === "video" ? mediaAddress(input, "thumbnail") : "";
    note.textContent = t.media.not_playable;
    note.hidden = false;
    if (source) {
      const still = h("img", { class: "player-still", alt: "", src: source });
      still.addEventListener("load", lay);
      media.replaceWith(still);
      media = still;
    }
    follow();
  }

  function setFrames(nextFrames = [], nextSegments = []) {
    frames = grouped(nextFrames);
    segments = [...nextSegments].sort((a, b) => a.start_ms - b.start_ms);
    rate = perSecond(frames) || rate;
    shown = undefined;
    drawTicks();
    drawSegments();
    follow();
  }

  const now = () => (playable && media.readyState > 0 ? media.currentTime * 1000 : resting);

  function length() {
    const known = playable && Number.isFinite(media?.duration) ? media.duration * 1000 : 0;
    const last = Math.max(0, frames.at(-1)?.time_ms ?? 0, ...segments.map((each) => each.end_ms));
    return known || last * 1.05 || 1000;
  }

  function run() {
    cancelAnimationFrame(loop);
    const turn = () => {
      follow();
      if (playable && !media.paused) loop = requestAnimationFrame(turn);
    };
    turn();
  }

  /** Show what belongs to where we are. */
  function follow() {
    const at = now();
    if (at >= stopAt && playable) {
      stopAt = Infinity;
      media.pause();
    }
    const playing = playable && media.paused === false;
    play.replaceChildren(icon(playing ? "pause" : "play"));
    play.setAttribute("aria-label", playing ? t.media.pause : t.media.play);
    play.disabled = !playable;
    const frame = frameAt(frames, at, playing ? 500 : 1000 / rate);
    line.value = String(Math.round((at / length()) * 1000));
    time.textContent = fill(t.media.time_of, { now: clock(at), all: clock(length()) });
    const about = frame ? fill(t.media.frame_said, { n: frame.boxes.length }) : "";
    line.setAttribute("aria-valuetext", [clock(at), about].filter(Boolean).join(", "));
    if (frame !== shown) drawFrame(frame);
    for (const item of list.children) item.classList.toggle("is-now", Number(item.dataset.from) <= at && at < Number(item.dataset.to));
  }

  function drawFrame(frame) {
    shown = frame;
    const items = frame?.boxes ?? [];
    const boxes = items.filter((item) => item.box);
    layer.replaceChildren(
      ...boxes.map((item) => {
        const made = boxElement(item.id);
        dress(made, { ...item, editable: false }, item.id === selected);
        return made;
      }),
    );
    labels.replaceChildren(...items.filter((item) => !item.box).map(label));
    lay();
  }

  function label(item) {
    const made = h("button", { type: "button", class: `player-label is-${item.state || "success"}` });
    made.append(h("span", {}, item.label || t.media.no_label), h("span", { class: "box-score" }, scoreText(item.score)));
    made.dataset.box = item.id;
    made.style.setProperty("--tone", colourFor(item));
    made.setAttribute("aria-label", describe({ ...item, box: null }));
    made.setAttribute("aria-pressed", String(item.id === selected));
    return made;
  }

  function lay() {
    const size = { width: media?.videoWidth || media?.naturalWidth || 0, height: media?.videoHeight || media?.naturalHeight || 0 };
    layer.hidden = !size.width;
    if (layer.hidden) return;
    const view = fitted(size, { width: screen.clientWidth || 1, height: screen.clientHeight || 1 });
    const boxes = (shown?.boxes ?? []).filter((item) => item.box);
    boxes.forEach((item, index) => {
      const at = toScreen(view, size, item.box);
      if (layer.children[index]) place(layer.children[index], at);
      layer.children[index]?.classList.toggle("is-high", at.y < 22);
    });
  }

  function drawTicks() {
    const all = length();
    const made = frames.map((frame) => {
      const tick = h("span", { class: "player-tick" });
      tick.classList.toggle("is-open", frame.boxes.some(isOpen));
      tick.style.left = `${(100 * frame.time_ms) / all}%`;
      return tick;
    });
    const bars = segments.map((segment) => {
      const bar = h("span", { class: `player-stretch is-${segment.state || "success"}` });
      bar.style.left = `${(100 * segment.start_ms) / all}%`;
      bar.style.width = `${(100 * (segment.end_ms - segment.start_ms)) / all}%`;
      bar.style.setProperty("--tone", colourFor(segment));
      return bar;
    });
    ticks.replaceChildren(...bars, ...made);
    const left = frames.filter((frame) => frame.boxes.some(isOpen)).length + segments.filter(isOpen).length;
    open.hidden = left === 0;
    open.textContent = fill(t.media.next_open, { n: left });
  }

  function drawSegments() {
    list.replaceChildren(
      ...segments.map((segment) => {
        const span = fill(t.media.from_to, { from: clock(segment.start_ms), to: clock(segment.end_ms) });
        const button = h(
          "button",
          { type: "button", class: "player-segment", on: { click: () => select(segment.id, { playing: true }) } },
          h("span", { class: "player-dot", "aria-hidden": "true" }),
          h("span", { class: "player-words" }, segment.label || t.media.no_label),
          h("span", { class: "soft" }, [scoreText(segment.score), stateText(segment.state)].filter(Boolean).join(" · ")),
          h("span", { class: "player-span" }, span),
        );
        button.style.setProperty("--tone", colourFor(segment));
        button.setAttribute("aria-pressed", String(segment.id === selected));
        return h("li", { data: { from: segment.start_ms, to: segment.end_ms, segment: segment.id } }, button);
      }),
    );
  }

  // ---- going about ----

  function seek(ms) {
    const to = Math.min(Math.max(0, ms), length());
    resting = to;
    // A thousandth behind a frame's beginning it is surely that frame, and not the one before.
    if (playable && media.readyState > 0) media.currentTime = Math.min((to + 1) / 1000, media.duration || Infinity);
    follow();
  }

  function pause() {
    stopAt = Infinity;
    if (playable) media.pause();
  }

  function toggle() {
    if (!playable) return;
    stopAt = Infinity;
    // What a browser refuses to play (it was never touched, say) stays paused, and the button says so.
    if (media.paused) media.play().catch(follow);
    else media.pause();
  }

  function step(count) {
    pause();
    seek(now() + (count * 1000) / rate);
  }

  /** Go to the next annotated frame, or with -1 to the one before. */
  function jump(direction) {
    pause();
    const frame = nearest(frames, now(), direction);
    if (frame) seek(frame.time_ms);
  }

  /** Go to what waits for a person: the next one behind here, or from the beginning. */
  function nextOpen({ quiet = false } = {}) {
    const waiting = [
      ...frames.flatMap((frame) => frame.boxes.filter(isOpen).map((item) => ({ id: item.id, at: frame.time_ms }))),
      ...segments.filter(isOpen).map((segment) => ({ id: segment.id, at: segment.start_ms })),
    ].sort((a, b) => a.at - b.at);
    const index = waiting.findIndex((each) => each.id === selected);
    const next = waiting[index + 1] ?? waiting[0];
    if (next) select(next.id, { quiet });
    else follow();
  }

  function select(id, { quiet = false, playing = false } = {}) {
    const frame = frames.find((each) => each.boxes.some((item) => item.id === id));
    const segment = segments.find((each) => each.id === id);
    const next = frame || segment ? id : null;
    const other = next !== selected;
    selected = next;
    if (frame && frame !== shown) {
      pause();
      seek(frame.time_ms);
    }
    if (segment) {
      seek(segment.start_ms);
      stopAt = segment.end_ms;
      if (playing && playable) media.play().catch(follow);
    }
    drawFrame(shown ?? null);
    drawSegments();
    follow();
    if (other && !quiet) onSelect(next);
  }

  // ---- hands ----

  line.addEventListener("input", () => {
    stopAt = Infinity;
    const to = (Number(line.value) / 1000) * length();
    const close = (SNAP / (line.clientWidth || 1)) * length();
    const frame = nearest(frames, to, 0);
    seek(frame && Math.abs(frame.time_ms - to) <= close ? frame.time_ms : to);
  });
  const chosen = (event) => {
    const id = event.target.closest?.("[data-box]")?.dataset.box;
    if (id !== undefined) select(id);
    else if (event.target === media || event.target === layer) toggle();
  };
  screen.addEventListener("click", chosen);
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const box = event.target.dataset?.box;
    const does = {
      ",": () => step(-1),
      ".": () => step(1),
      "[": () => jump(-1),
      "]": () => jump(1),
      k: toggle,
    };
    // Elsewhere the arrows may be the page's.
    if (event.target === line) {
      does.ArrowLeft = () => seek(now() - (event.shiftKey ? 5000 : 1000));
      does.ArrowRight = () => seek(now() + (event.shiftKey ? 5000 : 1000));
    }
    if (box !== undefined && (event.key === "Enter" || event.key === " ")) select(box);
    else if (event.key in does) does[event.key]();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const resizes = new ResizeObserver(lay);
  resizes.observe(screen);

  if (options.input) setItem(options.input, options.frames ?? [], options.segments ?? []);
  return {
    setItem,
    setFrames,
    select,
    selected: () => selected,
    seek,
    step,
    jump,
    nextOpen,
    toggle,
    destroy() {
      cancelAnimationFrame(loop);
      media?.pause?.();
      resizes.disconnect();
      root.remove();
    },
  };
}
