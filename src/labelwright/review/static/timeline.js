// Times of a video or an audio, and what stands at them: numbers and lists alone.

/** Milliseconds as people read them: 1:02.5, or 1:00:02.5. */
export function clock(ms) {
  const tenths = Math.round(Math.max(0, ms) / 10);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(tenths / 360000);
  const minutes = Math.floor(tenths / 6000) % 60;
  const seconds = `${two(Math.floor(tenths / 100) % 60)}.${two(tenths % 100)}`;
  return hours ? `${hours}:${two(minutes)}:${seconds}` : `${minutes}:${seconds}`;
}

/** Whether something waits for a person. */
export function isOpen(item) {
  return item.state === "pending" || item.state === "flagged";
}

/** Frames in order of time; those of the same millisecond as one. */
export function grouped(frames) {
  const byTime = new Map();
  for (const frame of frames) {
    const time = Math.max(0, Number(frame.time_ms) || 0);
    const had = byTime.get(time);
    if (had) had.boxes.push(...(frame.boxes ?? []));
    else byTime.set(time, { ...frame, time_ms: time, boxes: [...(frame.boxes ?? [])] });
  }
  return [...byTime.values()].sort((a, b) => a.time_ms - b.time_ms);
}

/** The last frame at or before a time, if it is not more than `hold` milliseconds ago; null for none. */
export function frameAt(frames, ms, hold) {
  let low = 0;
  let high = frames.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    // Times are whole milliseconds, and a player's are not: half a one is no difference.
    if (frames[middle].time_ms <= ms + 0.5) low = middle + 1;
    else high = middle;
  }
  const frame = frames[low - 1];
  return frame && ms - frame.time_ms < hold ? frame : null;
}

/** The frame behind a time (direction 1), before it (-1), or nearest to it (0); null for none. */
export function nearest(frames, ms, direction) {
  if (direction > 0) return frames.find((frame) => frame.time_ms > ms + 5) ?? null;
  if (direction < 0) return frames.findLast((frame) => frame.time_ms < ms - 5) ?? null;
  return frames.reduce((best, frame) => (best && Math.abs(best.time_ms - ms) <= Math.abs(frame.time_ms - ms) ? best : frame), null);
}

/** Frames a second, from frames that say both their number and their time; 0 where none do. */
export function perSecond(frames) {
  const told = frames.filter((frame) => frame.number > 0 && frame.time_ms > 0);
  const last = told.at(-1);
  const found = last ? (1000 * last.number) / last.time_ms : 0;
  return found >= 1 && found <= 240 ? found : 0;
}
