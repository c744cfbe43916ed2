// A person's changes on their way to the server: one after another, none lost, and each to be undone.

const WAITS = [1000, 2000, 4000, 8000, 15000, 30000];

/**
 * @param {object} to
 *   onState({waiting, offline, failed, undoable}): how many changes are under way, whether the server can't be reached,
 *     what it refused ([{words, why}]), and how many can be undone.
 *   onSettled(): all that was given has been sent.
 * @returns {{add, undo, retry, discard, busy, unsaved}}
 */
export function queueOfEdits({ onState, onSettled }) {
  const queue = [];
  const undos = [];
  let failed = [];
  let running = false;
  let offline = false;
  let tries = 0;
  let timer = 0;

  const say = () => onState({ waiting: queue.length, offline, failed: [...failed], undoable: undos.length });

  /**
   * Send a change.
   * @param {string} words what it is, for when it fails
   * @param {() => Promise<(() => Promise<any>) | null>} send sends it, and gives what undoes it
   */
  function add(words, send) {
    queue.push({ words, send, undoing: false });
    run();
  }

  /** Undo the last change; false where there is none. What is still under way is undone when it has gone through. */
  function undo() {
    if (!undos.length && !queue.some((each) => !each.undoing)) return false;
    queue.push({ words: "", undoing: true, send: null });
    run();
    return true;
  }

  async function run() {
    if (running) return say();
    running = true;
    clearTimeout(timer);
    while (queue.length) {
      say();
      const edit = queue[0];
      // Taken when its turn comes: what is to be undone may have been on its way when it was asked for.
      edit.back ??= edit.undoing ? undos.pop() : null;
      try {
        if (edit.undoing) await edit.back?.send();
        else {
          const back = await edit.send();
          if (back) undos.push({ words: edit.words, send: back });
        }
        offline = false;
        tries = 0;
      } catch (error) {
        if (error.offline) {
          offline = true;
          timer = setTimeout(run, WAITS[Math.min(tries, WAITS.length - 1)]);
          tries += 1;
          running = false;
          say();
          return undefined;
        }
        const words = edit.words || edit.back?.words || "";
        failed.push({ words, why: error.details || error.description || error.message, edit });
      }
      queue.shift();
    }
    running = false;
    say();
    onSettled();
    return undefined;
  }

  /** Send again what the server refused. */
  function retry() {
    const again = failed.map((each) => each.edit);
    failed = [];
    queue.push(...again);
    run();
  }

  /** Forget what the server refused. */
  function discard() {
    failed = [];
    say();
    if (!queue.length) onSettled();
  }

  window.addEventListener("online", () => queue.length && run());
  return { add, undo, retry, discard, busy: () => queue.length > 0, unsaved: () => queue.length + failed.length };
}
