// Finding names by a few of their letters.

/** Lower case, without accents: what is typed need not have them. The length may differ from the text's. */
export function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/**
 * How well a name fits what was typed: null where it does not, else {rank, at}. Lower ranks are better: the name itself,
 * then its beginning, the beginning of a word, anywhere, and last the letters in order with others between them.
 * `at` holds the places in the plain name, for showing them.
 */
export function match(name, typed) {
  const text = plain(name);
  const sought = plain(typed).trim();
  if (!sought) return { rank: 0, at: [] };
  const run = (from) => Array.from({ length: sought.length }, (_, i) => from + i);
  if (text === sought) return { rank: 0, at: run(0) };
  if (text.startsWith(sought)) return { rank: 1, at: run(0) };
  for (let from = text.indexOf(sought); from > 0; from = text.indexOf(sought, from + 1)) {
    if (!/[\p{L}\p{N}]/u.test(text[from - 1])) return { rank: 2, at: run(from) };
  }
  const inside = text.indexOf(sought);
  if (inside > 0) return { rank: 3, at: run(inside) };
  const at = [];
  let from = 0;
  for (const letter of sought.replace(/\s+/g, "")) {
    const found = text.indexOf(letter, from);
    if (found < 0) return null;
    at.push(found);
    from = found + letter.length;
  }
  // The wider the letters lie apart, the less it was meant.
  return { rank: 4 + (at[at.length - 1] - at[0]) / 1000, at };
}

/** The things of {name} or {id, name} that fit, best first; things that fit alike keep their order. */
export function found(things, typed, most) {
  const fitting = [];
  things.forEach((thing, order) => {
    const name = thing.name || thing.id || "";
    const byName = match(name, typed);
    const byId = !byName && thing.id ? match(thing.id, typed) : null;
    const fit = byName ?? (byId && { rank: byId.rank + 5, at: [] });
    if (fit) fitting.push({ thing, order, ...fit });
  });
  const sorted = fitting.sort((a, b) => a.rank - b.rank || a.order - b.order);
  return { matches: sorted.slice(0, most), more: Math.max(0, sorted.length - most) };
}
