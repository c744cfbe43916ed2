// Where an input's media can be had by this page.

import { hosted } from "./api.js";

const KINDS = ["image", "video", "audio", "text"];

/** What kind of thing an input (as REST has it) is; "" where it has no media. */
export function kindOf(input) {
  return KINDS.find((kind) => input?.data?.[kind]) ?? "";
}

/** The address of an input's media in a size, or else of the original; "" where it is not kept yet. */
export function mediaAddress(input, size) {
  const media = input?.data?.[kindOf(input)];
  return hosted(media, size) || hosted(media, "orig");
}
