// Ranges of a text, counted in code points as the server does; JavaScript's own strings count in halves of some.

/** The way from code points to the units of a string: {length, unit(point)}. */
export function codeUnits(text) {
  const wide = []; // the code points that take two units
  let point = 0;
  for (let unit = 0; unit < text.length; point += 1) {
    const two = text.codePointAt(unit) > 0xffff;
    if (two) wide.push(point);
    unit += two ? 2 : 1;
  }
  return {
    length: point,
    unit(at) {
      let low = 0;
      let high = wide.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (wide[middle] < at) low = middle + 1;
        else high = middle;
      }
      return at + low;
    },
  };
}

/** A span's start and end as whole numbers within the text, in order. */
export function around({ start, end }, length) {
  const whole = (value) => Math.min(Math.max(Math.trunc(Number(value) || 0), 0), length);
  const from = whole(start);
  return { start: from, end: Math.max(from, whole(end)) };
}

/** The text cut where spans begin and end: [{start, end, spans}], in order and without a gap. */
export function pieces(spans, length) {
  const cuts = [...new Set([0, length, ...spans.flatMap((span) => [span.start, span.end])])].sort((a, b) => a - b);
  const made = [];
  // A sweep with what is open: looking at every span for every piece took seconds at a thousand spans.
  const byStart = [...spans].filter((span) => span.end > span.start).sort((a, b) => a.start - b.start);
  let open = [];
  let next = 0;
  for (let i = 0; i + 1 < cuts.length; i += 1) {
    const [start, end] = [cuts[i], cuts[i + 1]];
    while (next < byStart.length && byStart[next].start <= start) open.push(byStart[next++]);
    open = open.filter((span) => span.end > start);
    made.push({ start, end, spans: [...open] });
  }
  return made;
}

/**
 * The word behind (step 1) or before (step -1) a place, {start, end} in code points; null at the end of the text.
 * Where languages write without spaces, the browser's own rules say what a word is.
 */
export function wordAt(text, units, place, step) {
  const from = units.unit(place);
  let found = null;
  // Words are looked for nearby: going over a megabyte at every key would be felt.
  const base = step > 0 ? from : Math.max(0, from - 400);
  const near = text.slice(base, step > 0 ? from + 400 : from);
  for (const word of new Intl.Segmenter(undefined, { granularity: "word" }).segment(near)) {
    if (!word.isWordLike) continue;
    found = word;
    if (step > 0) break;
  }
  if (!found) return null;
  const points = (upTo) => [...text.slice(step > 0 ? from : base, base + upTo)].length;
  const origin = step > 0 ? place : place - [...near].length;
  return { start: origin + points(found.index), end: origin + points(found.index + found.segment.length) };
}

/**
 * The range that a span of the API means, in code points with the end behind. Where it brings its text along, that
 * decides between the ways in which models count: code points or UTF-16 units, the end behind or included.
 */
export function meant({ char_start: start = 0, char_end: end = 0, raw_text: raw = "" }, text, units) {
  const points = { start, end };
  const said = (last) => text.slice(units.unit(start), units.unit(last));
  if (!raw || said(end) === raw) return points;
  if (said(end + 1) === raw) return { start, end: end + 1 };
  for (const last of [end, end + 1]) {
    if (text.slice(start, last) !== raw) continue;
    const before = [...text.slice(0, start)].length;
    return { start: before, end: before + [...raw].length };
  }
  return points;
}
