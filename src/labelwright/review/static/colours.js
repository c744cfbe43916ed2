// A colour for each concept: the same on every page and at every visit, and told apart by the colour-blind.

// Hues of Okabe and Ito and of Paul Tol, lightened or darkened until each has a contrast of at least 3 with both black
// and white surroundings, since a box lies on any picture.
export const COLOURS = [
  "#0a84d6",
  "#d9730d",
  "#0d9b76",
  "#c8559d",
  "#a88700",
  "#7c6ee6",
  "#d1495b",
  "#3c9ab5",
  "#7f8f1e",
  "#a5683b",
];

/** The colour of a concept, by its id (or whatever names it). */
export function colourOf(id) {
  // FNV-1a: ids that differ in a letter get colours that have nothing to do with each other.
  let hash = 0x811c9dc5;
  for (const letter of String(id)) {
    hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
  }
  hash ^= hash >>> 15;
  return COLOURS[(hash >>> 0) % COLOURS.length];
}
