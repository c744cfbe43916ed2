// What the programs beside this one have in common: the last line that they print is what they saw.

export const USER = process.env.CLARIFAI_USER_ID;
export const PAT = process.env.CLARIFAI_PAT;
export const BASE = process.env.CLARIFAI_API_BASE;
export const PHOTOS_URL = process.env.PHOTOS_URL;
export const PHOTOS_FOLDER = process.env.PHOTOS_FOLDER;

/** Run a program; it fills the object that it is given. */
export async function facts(program) {
  const saw = {};
  await program(saw);
  console.log(JSON.stringify(saw));
  process.exit(0);
}

/** The text of the error that a call must end in. */
export async function refusal(call) {
  try {
    await call();
  } catch (e) {
    return String(e?.message ?? e);
  }
  throw new Error("a call went through that should have been refused");
}

/** All that a listing yields, page by page. */
export async function all(pages) {
  const found = [];
  for await (const page of pages) found.push(...page);
  return found;
}
