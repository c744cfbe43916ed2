// A grid of which only what can be seen is in the page, so that ten thousand things scroll as ten do.

/** Rows above and below what can be seen that are there all the same. */
const SPARE = 3;

/**
 * Show things in a grid. Tiles have one size; they are placed by hand in a list as high as all of them.
 *
 * @param list the <ul>.
 * @param make given a thing, its element: the content of a <li>.
 * @param size given the width in pixels, {least: the least width of a tile, gap, height(width of a tile)}.
 * @param near called when the end comes near.
 * @returns {add(things), reset(), count(), refresh()}
 */
export function grid({ list, make, size, near }) {
  let things = [];
  let shape = null;
  let complete = false;
  const there = new Map();

  function measure() {
    const { least, gap, height } = size(list.clientWidth);
    const columns = Math.max(1, Math.floor((list.clientWidth + gap) / (least + gap)));
    const width = (list.clientWidth - gap * (columns - 1)) / columns;
    shape = { columns, width, gap, height: Math.round(height(width)) };
  }

  function place(item, index) {
    const { columns, width, gap, height } = shape;
    const [row, column] = [Math.floor(index / columns), index % columns];
    item.style.transform = `translate(${column * (width + gap)}px, ${row * (height + gap)}px)`;
    item.style.width = `${width}px`;
    item.style.height = `${height}px`;
  }

  function draw() {
    if (!shape) measure();
    const { columns, gap, height } = shape;
    const rows = Math.ceil(things.length / columns);
    list.style.height = rows ? `${rows * (height + gap) - gap}px` : "0";
    const above = -list.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(above / (height + gap)) - SPARE) * columns;
    const last = Math.min(things.length, (Math.ceil((above + innerHeight) / (height + gap)) + SPARE) * columns);
    for (const [index, item] of there) {
      // Who is on a tile stays on it, wherever the page is scrolled to.
      if ((index < first || index >= last) && !item.contains(document.activeElement)) {
        item.remove();
        there.delete(index);
      }
    }
    let next = null;
    const behind = [...there.keys()].filter((index) => index >= last).sort((a, b) => a - b);
    if (behind.length) next = there.get(behind[0]);
    for (let index = last - 1; index >= first; index -= 1) {
      let item = there.get(index);
      if (!item) {
        item = document.createElement("li");
        item.dataset.index = index;
        item.setAttribute("aria-posinset", index + 1);
        item.append(make(things[index], index));
        place(item, index);
        // In the order of the things, for whoever goes through them with the keyboard.
        list.insertBefore(item, next);
        there.set(index, item);
      }
      item.setAttribute("aria-setsize", complete ? things.length : -1);
      next = item;
    }
    if (last >= things.length - columns * SPARE) near();
  }

  let waiting = 0;
  function soon() {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      draw();
    });
  }

  function forget() {
    for (const item of there.values()) item.remove();
    there.clear();
  }

  addEventListener("scroll", soon, { passive: true });
  let width = list.clientWidth;
  new ResizeObserver(() => {
    if (list.clientWidth === width) return;
    width = list.clientWidth;
    measure();
    for (const [index, item] of there) place(item, index);
    soon();
  }).observe(list);
  addEventListener("resize", soon);

  list.addEventListener("keydown", (event) => {
    const item = event.target.closest("li");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const { columns, gap, height } = shape;
    const page = Math.max(1, Math.floor(innerHeight / (height + gap)) - 1) * columns;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, PageDown: page, PageUp: -page, Home: -things.length, End: things.length };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const from = Number(item.dataset.index);
    focus(Math.min(things.length - 1, Math.max(0, from + steps[event.key])));
  });

  function focus(index) {
    const { columns, gap, height } = shape;
    const top = scrollY + list.getBoundingClientRect().top + Math.floor(index / columns) * (height + gap);
    const bar = 72;
    if (top < scrollY + bar) scrollTo({ top: top - bar });
    else if (top + height > scrollY + innerHeight) scrollTo({ top: top + height - innerHeight + gap });
    draw();
    there.get(index)?.querySelector("a, button")?.focus({ preventScroll: true });
  }

  return {
    add(more, isAll) {
      things.push(...more);
      complete = isAll;
      draw();
    },
    reset() {
      things = [];
      complete = false;
      forget();
      measure();
      list.style.height = "0";
    },
    count: () => things.length,
    draw: soon,
  };
}
