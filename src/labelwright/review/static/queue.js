// The items to look at: taken ahead, leased, prepared, and let go again.
//
// An entry is {input, item, open}: in single mode one input with all of its items that wait, `open` those of them that
// have no verdict yet; in the grid one item.

/** Milliseconds between two renewals of the leases, which last 120 s: two of three may be lost. */
const HOLD_EVERY = 40_000;
/** As many as `take` accepts. */
const MOST_EXCLUDED = 500;

/** A random id of 128 bits. crypto.randomUUID is there on https and localhost alone. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

/**
 * @param post (path, body) → Promise; paths "review/take", "review/hold", "review/release".
 * @param beacon (path, body): sent while the page goes.
 * @param ahead how many entries lie ready, or a function that says so; more are taken when fewer do.
 * @param prepare (entry) → Promise: loads and decodes the media, so that showing it waits for nothing.
 * @param busy () → items decided already, but perhaps not yet known to the server.
 * @param onChange () after entries came, ended, or were lost.
 */
export function createQueue({ post, beacon, tab, mode, filters, ahead, prepare, busy, onChange }) {
  let entries = [], shown = [], skipped = [], left = null;
  let turn = 0, taking = null, ended = false, failed = false, filter = filters;

  // Some more than are needed at once, so that not each verdict asks for one. A grid's page has its size.
  const spare = mode === "grid" ? 0 : 4;
  const target = () => (typeof ahead === "function" ? ahead() : ahead);
  const itemsOf = (entry) => entry.open.map((i) => i.item);
  const held = () => [...new Set([...shown.flatMap(itemsOf), ...entries.flatMap(itemsOf)])];
  // One item stands for its whole input: of the server's 500, a few inputs with many items would leave none.
  const named = () => [...shown.flatMap(itemsOf), ...entries.map((entry) => entry.open[0]?.item).filter(Boolean)];

  async function take() {
    if (taking || entries.length >= target()) return taking;
    const mine = turn;
    const exclude = [...new Set([...named(), ...busy(), ...[...skipped].reverse()])].slice(0, MOST_EXCLUDED);
    taking = post("review/take", { tab, mode, n: Math.max(1, Math.min(200, target() + spare - entries.length)), exclude, ...filter })
      .then(async (reply) => {
        if (mine !== turn) return;
        const known = new Set([...held(), ...busy(), ...skipped]);
        const fresh = reply.items.filter((item) => !known.has(item.item)).map(entryOf);
        left = reply.left;
        failed = false;
        ended = reply.items.length === 0;
        for (const entry of fresh) ready(entry);
        entries.push(...fresh);
        // The very first one: its image may take a moment, rather than come up in pieces.
        if (!shown.length && fresh.length) await Promise.race([fresh[0].prepared, new Promise((go) => setTimeout(go, 400))]);
      })
      .catch((error) => { if (mine === turn) failed = error; })
      .finally(() => {
        taking = null;
        if (mine !== turn) return take();
        onChange();
        return null;
      });
    return taking;
  }

  function ready(entry) {
    entry.ready = false;
    entry.prepared = Promise.resolve(prepare(entry)).catch(() => {}).then(() => { entry.ready = true; });
  }

  /** The next entry, or null where none has come yet; more are taken in the background. */
  function next() {
    const entry = entries.shift() ?? null;
    // After this frame: a key press waits for nothing.
    setTimeout(take, 30);
    return entry;
  }

  function unshift(entry) {
    if (!entry.prepared) ready(entry);
    entries.unshift(entry);
  }

  /** Leave an item out from now on, until `recall`; `unskip` takes that back. */
  function skip(item) {
    skipped.push(item);
  }

  function unskip(item) {
    skipped = skipped.filter((one) => one !== item);
  }

  /** Go through the skipped ones again. */
  function recall() {
    skipped = [];
    ended = false;
    return take();
  }

  /** Let all go, and begin anew with other filters. */
  async function restart(wanted = filter) {
    filter = wanted;
    const mine = ++turn;
    entries = [];
    shown = [];
    skipped = [];
    ended = failed = false;
    left = null;
    onChange();
    try { await post("review/release", { tab }); } catch { /* The leases end by themselves. */ }
    if (mine === turn) await take();
  }

  async function hold() {
    const items = held();
    if (!items.length) return;
    try {
      const { lost } = await post("review/hold", { tab, items });
      if (!lost?.length) return;
      const gone = new Set(lost);
      for (const entry of entries) entry.open = entry.open.filter((item) => !gone.has(item.item));
      entries = entries.filter((entry) => entry.open.length);
      onChange();
      take();
    } catch { /* No connection: the next renewal may come through. */ }
  }

  const timer = setInterval(hold, HOLD_EVERY);
  window.addEventListener("pagehide", () => beacon("review/release", { tab }));
  window.addEventListener("online", () => { if (failed) take(); });

  return {
    take, next, unshift, skip, unskip, recall, restart, hold,
    /** What is on the screen and has to stay leased. */
    showing(list) { shown = list; },
    remove(entry) {
      entries = entries.filter((one) => one !== entry);
    },
    /** Ask again, where nothing was left the last time. */
    retry() { if (entries.length < target()) { ended = false; take(); } },
    get ahead() { return entries.length; },
    get left() { return left; },
    get ended() { return ended && !entries.length; },
    get failed() { return failed; },
    get loading() { return Boolean(taking) && !entries.length; },
    get skipped() { return skipped.length; },
    stop() { clearInterval(timer); },
  };
}

/** What `take` and `undo` give, as an entry. */
export function entryOf(item) {
  const { others = [], input, ...rest } = item;
  const all = [rest, ...others];
  return { input, item: rest, open: all, all: [...all] };
}

/** Whether an item is one that the filters ask for, where that can be told from the item alone. */
export function matches(item, filter) {
  const has = (wanted, value) => wanted === undefined || wanted === "" || (Array.isArray(wanted) ? !wanted.length || wanted.includes(value) : wanted === value);
  return has(filter.concept, item.concept.id) && has(filter.model_version, item.model?.version_id ?? "") && has(filter.run, item.run ?? "")
    // Of an item that no model scored, the server alone knows what it counts as.
    && (typeof item.score !== "number" || (item.score >= (filter.min ?? 0) && item.score <= (filter.max ?? 1)))
    && item.status === (filter.status ?? "pending");
}
