// From files to inputs: bytes in base64, in batches.

import { v2, where } from "/ui/static/api.js";

// Small enough to see it move, large enough that a thousand thumbnails are no thousand calls.
const MOST = 16;
const MOST_BYTES = 6 * 1024 * 1024;
const KINDS = { image: "image", video: "video", audio: "audio", text: "text" };

/** What kind of input a file is: its type says, else its ending; images where neither does. */
export function kindOf(file) {
  const [family] = (file.type ?? "").split("/");
  if (KINDS[family]) return KINDS[family];
  const ending = /\.([a-z0-9]+)$/i.exec(file.name ?? "")?.[1]?.toLowerCase();
  if (["mp4", "webm", "mov", "avi", "mkv"].includes(ending)) return "video";
  if (["mp3", "wav", "ogg", "flac", "m4a"].includes(ending)) return "audio";
  if (["txt", "md", "csv"].includes(ending)) return "text";
  return "image";
}

/** The bytes of a file in base64. */
export function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

/** A file as an input of the API; its name is kept in the metadata. */
export async function inputOf(file, more = {}) {
  const kind = kindOf(file);
  const media = kind === "text" ? { raw: await file.text() } : { base64: await base64(file) };
  return { data: { [kind]: media, metadata: { filename: file.name, ...more } } };
}

/** Cut a list into batches, by their number and the bytes that `size` gives. */
export function batches(items, size) {
  const made = [];
  let batch = [];
  let bytes = 0;
  for (const item of items) {
    const more = size(item);
    if (batch.length && (batch.length >= MOST || bytes + more > MOST_BYTES)) {
      made.push(batch);
      [batch, bytes] = [[], 0];
    }
    batch.push(item);
    bytes += more;
  }
  if (batch.length) made.push(batch);
  return made;
}

/** Post inputs; gives an input with its status for each, the refused ones too. */
export async function postInputs(inputs, there = where) {
  try {
    return (await v2("inputs", { in: there, body: { inputs } })).inputs ?? [];
  } catch (error) {
    // All of them refused: the reply still says why of each.
    const each = error.reply?.inputs ?? [];
    if (each.length !== inputs.length) throw error;
    return each;
  }
}

/** Whether an input with this status is on its way, done, or failed. */
export function stageOf(status) {
  if (status?.code === 30000) return "done";
  return status?.code === 30001 || status?.code === 30003 ? "working" : "failed";
}
