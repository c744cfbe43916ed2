// Numbers, shares and times as the overview's pages write them.

import { count, fill } from "/ui/static/dom.js";
import t from "/ui/static/strings.js";

const SHORT = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });
const TIME = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** A count in little room: 12.3K. */
export function short(n) {
  return (n ?? 0) < 10_000 ? count(n) : SHORT.format(n);
}

/** A share of 0..1. What is more than nothing is not 0 %, and what is less than all not 100 %. */
export function share(value) {
  const of100 = 100 * (value ?? 0);
  const n = of100 > 0 && of100 < 1 ? "<1" : of100 > 99 && of100 < 100 ? ">99" : String(Math.round(of100));
  return fill(t.overview.percent, { n });
}

/** A score of 0..1 with two places; "" where there is none. */
export function score(value) {
  return typeof value === "number" ? value.toFixed(2) : "";
}

/** A threshold as it was set: the wire's 32-bit numbers come as 0.800000011920929. */
export function threshold(value) {
  return String(Number((value ?? 0).toPrecision(6)));
}

/** A moment in full; "" for none. */
export function moment(iso) {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? "" : TIME.format(at);
}

/** "1 input", "2 inputs": both texts have {n}. */
export function several(n, one, many) {
  return fill(n === 1 ? one : many, { n: count(n) });
}

/** The name of a concept, or its id where it has none. */
export function nameOf(thing) {
  return thing?.name || thing?.id || "";
}
