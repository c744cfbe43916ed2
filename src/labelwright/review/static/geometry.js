// Boxes and views, as numbers alone: nothing here touches the page.
// A box is {top, left, bottom, right} in fractions of the image, 0 to 1. A view says where the image lies on the
// screen: {scale, x, y}, screen pixels for one image pixel, and where the image's corner is. A size is {width, height}.

export const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

const SIDES = ["top", "left", "bottom", "right"];

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/** The box with its sides in order and within the image. */
export function tidy(box) {
  const y = [clamp(box.top, 0, 1), clamp(box.bottom, 0, 1)].sort((a, b) => a - b);
  const x = [clamp(box.left, 0, 1), clamp(box.right, 0, 1)].sort((a, b) => a - b);
  return { top: y[0], left: x[0], bottom: y[1], right: x[1] };
}

/** The box moved as a whole; it stops at the edge and keeps its size. */
export function moved(box, dx, dy) {
  const x = clamp(dx, -box.left, 1 - box.right);
  const y = clamp(dy, -box.top, 1 - box.bottom);
  return { top: box.top + y, left: box.left + x, bottom: box.bottom + y, right: box.right + x };
}

/**
 * The box with a side or a corner moved. A side that is pulled over its opposite one turns the box over.
 * @param {string} handle one of HANDLES
 * @param {{width: number, height: number}} least the smallest size it may get, in fractions of the image
 */
export function resized(box, handle, dx, dy, least = { width: 0, height: 0 }) {
  const made = { ...box };
  if (handle.includes("n")) made.top += dy;
  if (handle.includes("s")) made.bottom += dy;
  if (handle.includes("w")) made.left += dx;
  if (handle.includes("e")) made.right += dx;
  return grown(tidy(made), least);
}

/** The box, where it is smaller than `least`, grown to that and kept within the image. */
export function grown(box, least) {
  const made = { ...box };
  if (made.right - made.left < least.width) made.right = made.left + least.width;
  if (made.bottom - made.top < least.height) made.bottom = made.top + least.height;
  return moved(made, Math.min(0, 1 - made.right), Math.min(0, 1 - made.bottom));
}

export function area(box) {
  return Math.max(0, box.right - box.left) * Math.max(0, box.bottom - box.top);
}

/** Whether two boxes are the same to within a millionth of the image, which is finer than the wire's 32 bits. */
export function same(a, b) {
  return SIDES.every((side) => Math.abs(a[side] - b[side]) < 1e-6);
}

/** The smallest box around points of {row, col}. */
export function around(points) {
  const rows = points.map((p) => p.row ?? 0);
  const cols = points.map((p) => p.col ?? 0);
  return tidy({
    top: Math.min(...rows),
    left: Math.min(...cols),
    bottom: Math.max(...rows),
    right: Math.max(...cols),
  });
}

/** Where a point of the screen lies on the image, in fractions that may be outside of 0 to 1. */
export function toImage(view, size, point) {
  return { x: (point.x - view.x) / (view.scale * size.width), y: (point.y - view.y) / (view.scale * size.height) };
}

/** Where a box lies on the screen: {x, y, width, height} in pixels. */
export function toScreen(view, size, box) {
  const width = view.scale * size.width;
  const height = view.scale * size.height;
  return {
    x: view.x + box.left * width,
    y: view.y + box.top * height,
    width: (box.right - box.left) * width,
    height: (box.bottom - box.top) * height,
  };
}

/** The view that shows the whole image in the middle. */
export function fitted(size, room, margin = 0) {
  const scale = Math.max(
    1e-6,
    Math.min((room.width - 2 * margin) / size.width, (room.height - 2 * margin) / size.height),
  );
  return centred(size, room, scale);
}

function centred(size, room, scale) {
  return { scale, x: (room.width - scale * size.width) / 2, y: (room.height - scale * size.height) / 2 };
}

/** The view that keeps the image where it can be seen: centred where it is smaller than the room, else filling it. */
export function settled(view, size, room, margin = 0) {
  const middle = centred(size, room, view.scale);
  const along = (at, length, space, centre) =>
    length + 2 * margin <= space ? centre : clamp(at, space - length - margin, margin);
  return {
    scale: view.scale,
    x: along(view.x, view.scale * size.width, room.width, middle.x),
    y: along(view.y, view.scale * size.height, room.height, middle.y),
  };
}

/** The view zoomed so that what lies under `point` of the screen stays there. */
export function zoomed(view, factor, point, least, most) {
  const scale = clamp(view.scale * factor, least, most);
  const by = scale / view.scale;
  return { scale, x: point.x - (point.x - view.x) * by, y: point.y - (point.y - view.y) * by };
}

/** The view in which the box stands in the middle, filling at most `share` of the room. */
export function onto(box, size, room, share, least, most) {
  const width = Math.max(1e-9, (box.right - box.left) * size.width);
  const height = Math.max(1e-9, (box.bottom - box.top) * size.height);
  const scale = clamp(share * Math.min(room.width / width, room.height / height), least, most);
  return {
    scale,
    x: room.width / 2 - ((box.left + box.right) / 2) * size.width * scale,
    y: room.height / 2 - ((box.top + box.bottom) / 2) * size.height * scale,
  };
}
