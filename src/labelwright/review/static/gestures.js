// Pointers on a surface, told apart: a drag by one, and a pinch by two. A drag's owner is asked for when it begins.

// How far (screen pixels) a pointer may stray and still be a tap: a finger is less sure than a mouse.
const SLACK = { mouse: 3, pen: 5, touch: 9 };

/**
 * Watch a surface.
 * @param {HTMLElement} surface
 * @param {object} to
 *   begin(point, event) → {move(point, from, event), end(), cancel(), tap(event)} | null: who the drag belongs to;
 *   pinch(factor, middle, dx, dy): two fingers moved.
 *   Points are {x, y} in pixels from the surface's corner.
 * @returns {() => boolean} cancels the drag that is under way, and says whether there was one
 */
export function watch(surface, { begin, pinch }) {
  const down = new Map();
  let drag = null;
  let spread = null;

  const pointOf = (event) => {
    const edge = surface.getBoundingClientRect();
    return { x: event.clientX - edge.left, y: event.clientY - edge.top };
  };
  const gap = () => {
    const [a, b] = [...down.values()];
    return { length: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };
  const cancel = () => {
    const had = drag;
    drag = null;
    if (had?.moving) had.owner.cancel?.();
    return Boolean(had?.moving);
  };

  surface.addEventListener("pointerdown", (event) => {
    const point = pointOf(event);
    down.set(event.pointerId, point);
    if (down.size > 2) return;
    if (down.size === 2) {
      cancel();
      spread = gap();
      return;
    }
    const owner = begin(point, event);
    if (!owner) return;
    drag = { owner, from: point, moving: false, pointer: event.pointerId };
    // Captured, so that a drag goes on where the pointer leaves the surface.
    surface.setPointerCapture(event.pointerId);
  });

  surface.addEventListener("pointermove", (event) => {
    if (!down.has(event.pointerId)) return;
    const point = pointOf(event);
    down.set(event.pointerId, point);
    if (spread && down.size === 2) {
      const now = gap();
      pinch(now.length / spread.length, { x: now.x, y: now.y }, now.x - spread.x, now.y - spread.y);
      spread = now;
    } else if (drag?.pointer === event.pointerId) {
      const strayed = Math.hypot(point.x - drag.from.x, point.y - drag.from.y);
      if (!drag.moving && strayed <= (SLACK[event.pointerType] ?? SLACK.mouse)) return;
      drag.moving = true;
      drag.owner.move?.(point, drag.from, event);
    }
  });

  const up = (event, dropped) => {
    if (!down.delete(event.pointerId)) return;
    if (down.size < 2) spread = null;
    if (drag?.pointer !== event.pointerId) return;
    const had = drag;
    drag = null;
    if (!had.moving) {
      if (!dropped) had.owner.tap?.(event);
    } else if (dropped) had.owner.cancel?.();
    else had.owner.end?.();
  };
  surface.addEventListener("pointerup", (event) => up(event, false));
  surface.addEventListener("pointercancel", (event) => up(event, true));
  return cancel;
}
