// The numbers behind the pages, without a page: prints what came out. Called with the folder of the modules.

import { pathToFileURL } from "node:url";
const at = (name) => pathToFileURL(process.argv[2] + "/" + name).href;
const g = await import(at("geometry.js"));
const f = await import(at("fuzzy.js"));
const r = await import(at("text_ranges.js"));
const l = await import(at("timeline.js"));
const c = await import(at("colours.js"));

let seed = 7;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
const box = () => g.tidy({ top: random(), left: random(), bottom: random(), right: random() });
const legal = (b) => b.top >= 0 && b.left >= 0 && b.bottom <= 1 && b.right <= 1 && b.top <= b.bottom && b.left <= b.right;
const near = (a, b) => Math.abs(a - b) < 1e-9;
const out = {};
out.boxes = 0;
for (let i = 0; i < 2000; i += 1) {
  const one = box();
  const shift = g.moved(one, 4 * random() - 2, 4 * random() - 2);
  const sized = near(shift.right - shift.left, one.right - one.left) && near(shift.bottom - shift.top, one.bottom - one.top);
  const handle = g.HANDLES[Math.floor(random() * 8)];
  const pulled = g.resized(one, handle, 4 * random() - 2, 4 * random() - 2, { width: 0.01, height: 0.02 });
  const wide = pulled.right - pulled.left >= 0.01 - 1e-9 && pulled.bottom - pulled.top >= 0.02 - 1e-9;
  const size = { width: 50 + 4000 * random(), height: 50 + 4000 * random() };
  const room = { width: 300 + 900 * random(), height: 200 + 700 * random() };
  const point = { x: room.width * random(), y: room.height * random() };
  const view = g.fitted(size, room);
  const closer = g.zoomed(view, 0.2 + 5 * random(), point, 1e-3, 100);
  const [a, b] = [g.toImage(view, size, point), g.toImage(closer, size, point)];
  const back = g.toScreen(closer, size, { left: b.x, top: b.y, right: b.x, bottom: b.y });
  const held = Math.abs(a.x - b.x) < 1e-6 && Math.abs(a.y - b.y) < 1e-6 && Math.abs(back.x - point.x) < 1e-6;
  const whole = g.toScreen(view, size, { top: 0, left: 0, bottom: 1, right: 1 });
  const fits = whole.x >= -1e-6 && whole.y >= -1e-6 && whole.width <= room.width + 1e-6 && whole.height <= room.height + 1e-6;
  if ([shift, pulled].every(legal) && sized && wide && held && fits) out.boxes += 1;
}
const text = "a\u{1F388}b \u{1F388}c";
const units = r.codeUnits(text);
out.points = [units.length, [...text].every((letter, i) => text.slice(units.unit(i), units.unit(i + 1)) === letter)];
const spans = [{ start: 0, end: 3, id: 1 }, { start: 2, end: 5, id: 2 }, { start: 2, end: 2, id: 3 }];
out.pieces = r.pieces(spans, 6).map((p) => [p.start, p.end, p.spans.map((s) => s.id)]);
out.meant = [
  r.meant({ char_start: 2, char_end: 3, raw_text: "b" }, text, units),
  r.meant({ char_start: 2, char_end: 2, raw_text: "b" }, text, units),
  r.meant({ char_start: 3, char_end: 4, raw_text: "b" }, text, units),
  r.meant({ char_start: 1 }, text, units),
];
out.words = [r.wordAt("The cat sat", r.codeUnits("The cat sat"), 3, 1), r.wordAt("The cat sat", r.codeUnits("The cat sat"), 3, -1)];
const names = ["Wild cat", "cat", "Catalogue", "educate", "c-a-x-t", "dog"].map((name) => ({ id: name, name }));
out.found = f.found(names, "CAT", 10).matches.map((m) => m.thing.name);
out.accents = f.match("Zoë", "zoe") !== null;
out.more = f.found(names, "", 2).more;
const frames = l.grouped([{ time_ms: 900, number: 27, boxes: [2] }, { time_ms: 0, boxes: [1] }, { time_ms: 900, boxes: [3] }]);
out.frames = frames.map((x) => [x.time_ms, x.boxes]);
out.at = [0, 39, 41, 899.6, 950].map((ms) => l.frameAt(frames, ms, 40)?.time_ms ?? null);
out.rate = Math.round(l.perSecond(frames));
out.clock = [l.clock(62340), l.clock(3600000)];
out.colours = [c.colourOf("cat") === c.colourOf("cat"), new Set(Array.from({ length: 500 }, (_, i) => c.colourOf("c" + i))).size];
console.log(JSON.stringify(out));
