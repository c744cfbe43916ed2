// Verdicts on their way: kept in localStorage until the server has said that it has them.
//
// They go out one after another, in the order they were made in, so that an undo never overtakes what it undoes. Each
// has an action id: one that is sent twice, because the reply was lost, is made once.
import { randomId } from "./queue.js";

const FIRST_PAUSE = 500, LONGEST_PAUSE = 15_000;
/** Milliseconds after which what another tab left here is taken to be abandoned. */
const ABANDONED = 20_000;

/**
 * @param scope who and where: "<reviewer>/<owner>/<app>"; verdicts of another person are never sent as this one's.
 * @param send (kind, body) → Promise of the reply; kind is "verdicts" or "undo".
 * @param onState ({waiting, offline, signedOut}): how many wait, and why.
 * @param onReply (entry, reply); onRefused (entry, error): the server will never take it.
 */
export function createOutbox({ scope, tab, send, onState, onReply, onRefused }) {
  const prefix = `labelwright.outbox/${scope}/`;
  const entries = [];
  let count = 0, sending = false, pause = 0, timer = 0, signedOut = false, stopped = false;

  const said = () => onState({ waiting: entries.length, offline: pause > 0, signedOut });

  function add(kind, body, extra) {
    const action = body.action ?? randomId();
    const at = Date.now();
    const entry = { key: `${prefix}${String(at).padStart(15, "0")}-${String(count++).padStart(6, "0")}-${tab}`, kind, tab, at, body: { tab, ...body, action } };
    write(entry);
    entries.push({ ...entry, ...extra });
    // After this frame: a key press waits for nothing.
    setTimeout(pump, 20);
    return action;
  }

  /** Take back what was not sent yet. False where it is on its way or gone. */
  function cancel(action) {
    const i = entries.findIndex((entry) => entry.kind === "verdicts" && entry.body.action === action);
    if (i < 0 || entries[i].started) return false;
    remove(entries.splice(i, 1)[0]);
    said();
    return true;
  }

  /** Give other names to items in what waits: an undone item may come back under another. */
  function rename(names) {
    for (const entry of entries) {
      if (entry.kind !== "verdicts" || entry.started) continue;
      const verdicts = entry.body.verdicts.map((v) => (names.has(v.item) ? { ...v, item: names.get(v.item) } : v));
      entry.body = { ...entry.body, verdicts };
      write(entry);
    }
  }

  async function pump() {
    if (sending || stopped || !entries.length || timer) return said();
    sending = true;
    said();
    while (entries.length && !stopped) {
      const entry = entries[0];
      // From here on it may have arrived, whatever happens to the reply.
      entry.started = true;
      try {
        const reply = await send(entry.kind, entry.body);
        pause = 0;
        signedOut = false;
        done(entry);
        onReply(entry, reply);
      } catch (error) {
        signedOut = error.http === 401 || error.http === 403 && /csrf/i.test(`${error.details ?? ""}${error.description ?? ""}`);
        const passing = !error.http || error.http >= 500 || error.http === 408 || error.http === 429 || signedOut;
        if (passing) {
          pause = Math.min(LONGEST_PAUSE, pause ? pause * 2 : FIRST_PAUSE);
          timer = setTimeout(again, pause * (0.8 + 0.4 * Math.random()));
          break;
        }
        done(entry);
        onRefused(entry, error);
      }
      said();
    }
    sending = false;
    said();
  }

  function again() {
    clearTimeout(timer);
    timer = 0;
    pump();
  }

  function done(entry) {
    entries.splice(entries.indexOf(entry), 1);
    remove(entry);
  }

  /** Send what other tabs, or this page before it was loaded again, left behind. */
  function adopt(age = ABANDONED) {
    const mine = new Set(entries.map((entry) => entry.key));
    const found = stored().filter((entry) => !mine.has(entry.key) && Date.now() - entry.at > age);
    found.sort((a, b) => (a.key < b.key ? -1 : 1));
    entries.unshift(...found);
    if (found.length) pump();
    return found.length;
  }

  function stored() {
    const found = [];
    try {
      for (let i = 0; i < localStorage.length; i++) {
        const key = localStorage.key(i);
        if (!key.startsWith(prefix)) continue;
        const entry = parsed(localStorage.getItem(key));
        if (entry) found.push({ ...entry, key });
      }
    } catch { /* No storage. */ }
    return found;
  }

  /** The items that verdicts on their way are about: this page's, and what others of this browser's tabs left. */
  function items() {
    const mine = new Set(entries.map((entry) => entry.key));
    const all = [...entries, ...stored().filter((entry) => !mine.has(entry.key))];
    return all.flatMap((entry) => (entry.kind === "verdicts" ? entry.body.verdicts.map((v) => v.item) : []));
  }

  window.addEventListener("online", again);
  const watch = setInterval(adopt, ABANDONED);
  said();
  // What this window left when it was closed or loaded again is nobody else's: no need to wait.
  const left = adopt(performance.getEntriesByType("navigation")[0]?.type === "reload" ? -1 : ABANDONED);

  return {
    add, cancel, rename, adopted: left,
    get waiting() { return entries.length; },
    items,
    stop() { stopped = true; clearInterval(watch); clearTimeout(timer); },
  };

  function write(entry) {
    const { key, kind, at, body } = entry;
    // Without storage (full, or forbidden) verdicts live as long as the page does: no reason to refuse one.
    try { localStorage.setItem(key, JSON.stringify({ kind, tab: entry.tab, at, body })); } catch { /* see above */ }
  }
}

function remove(entry) {
  try { localStorage.removeItem(entry.key); } catch { /* No storage, nothing to remove. */ }
}

function parsed(text) {
  try {
    const entry = JSON.parse(text);
    return entry && typeof entry.at === "number" && entry.body && ["verdicts", "undo"].includes(entry.kind) ? entry : null;
  } catch {
    return null;
  }
}
