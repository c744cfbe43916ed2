// Places for the nodes of a graph without circles: layers by the longest path, few crossings, short edges.

const SWEEPS = 12;

/**
 * Lay a graph out along one axis ("main") with its layers side by side on the other ("cross").
 *
 * @param nodes [{id, inputs: [ids], main, cross}]: sizes in pixels; inputs that are no node are left out.
 * @param gap {main, cross, way}: pixels between layers, between neighbours, and that an edge passing by takes.
 * @returns {nodes: Map id → {main, cross}, edges: [{from, to, points: [{main, cross}]}], main, cross, layers}: the upper left
 *   corner of each node, each edge from the middle of one side over what it passes to the middle of another, the size, and how many layers there are.
 */
export function layered(nodes, gap) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const inputs = new Map(nodes.map((node) => [node.id, [...new Set(node.inputs)].filter((id) => byId.has(id) && id !== node.id)]));
  const depth = depths(nodes, inputs);
  const layers = [];
  const all = new Map();
  const put = (item) => {
    (layers[item.layer] ??= []).push(item);
    all.set(item.id, item);
    return item;
  };
  for (const node of nodes) put({ id: node.id, layer: depth.get(node.id), size: node.cross, before: [], behind: [] });
  const edges = [];
  for (const node of nodes) {
    for (const from of inputs.get(node.id)) {
      // What lies between the two ends holds a place for the edge in each layer, so that it runs over no node.
      const via = [];
      for (let layer = depth.get(from) + 1; layer < depth.get(node.id); layer += 1) {
        via.push(put({ id: `${from}\0${node.id}\0${layer}`, layer, size: gap.way, before: [], behind: [] }));
      }
      const way = [all.get(from), ...via, all.get(node.id)];
      way.slice(1).forEach((item, i) => {
        item.before.push(way[i]);
        way[i].behind.push(item);
      });
      edges.push({ from, to: node.id, way });
    }
  }
  const filled = layers.filter(Boolean);
  order(filled);
  spread(filled, gap.cross);
  const lengths = filled.map((layer) => Math.max(...layer.map((item) => byId.get(item.id)?.main ?? 0)));
  const starts = [];
  lengths.reduce((at, length, i) => ((starts[i] = at), at + length + gap.main), 0);
  const first = Math.min(...[...all.values()].map((item) => item.at - item.size / 2));
  const last = Math.max(...[...all.values()].map((item) => item.at + item.size / 2));
  filled.forEach((layer, i) => {
    for (const item of layer) Object.assign(item, { start: starts[i], end: starts[i] + lengths[i], at: item.at - first });
  });
  const places = new Map(nodes.map(({ id, cross }) => [id, { main: all.get(id).start, cross: all.get(id).at - cross / 2 }]));
  return {
    nodes: places,
    edges: edges.map(({ from, to, way }) => ({
      from,
      to,
      points: [
        { main: way[0].start + byId.get(from).main, cross: way[0].at },
        ...way.slice(1, -1).flatMap((item) => [{ main: item.start, cross: item.at }, { main: item.end, cross: item.at }]),
        { main: way.at(-1).start, cross: way.at(-1).at },
      ],
    })),
    main: starts.at(-1) + lengths.at(-1),
    cross: last - first,
    layers: filled.length,
  };
}

/** Node id to its layer: one more than the deepest of those before it. A circle ends where it closes. */
function depths(nodes, inputs) {
  const found = new Map();
  const visit = (id, above) => {
    if (found.has(id)) return found.get(id);
    if (above.has(id)) return -1;
    above.add(id);
    const depth = Math.max(-1, ...inputs.get(id).map((from) => visit(from, above))) + 1;
    above.delete(id);
    found.set(id, depth);
    return depth;
  };
  for (const node of nodes) visit(node.id, new Set());
  // Only a graph that is none has an edge that doesn't lead on; it is left out rather than drawn backwards.
  for (const [id, before] of inputs) inputs.set(id, before.filter((from) => found.get(from) < found.get(id)));
  return found;
}

/** Order each layer by the mean place of its neighbours, forth and back; the order with the fewest crossings stays. */
function order(layers) {
  const number = () => layers.forEach((layer) => layer.forEach((item, i) => (item.index = i)));
  number();
  let best = layers.map((layer) => [...layer]);
  let fewest = crossings(layers);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep += 1) {
    const forth = sweep % 2 === 0;
    for (const layer of forth ? layers.slice(1) : layers.slice(0, -1).reverse()) {
      const means = new Map(layer.map((item) => [item, mean(forth ? item.before : item.behind, (other) => other.index) ?? item.index]));
      layer.sort((a, b) => means.get(a) - means.get(b) || a.index - b.index);
      layer.forEach((item, i) => (item.index = i));
    }
    const now = crossings(layers);
    if (now < fewest) [fewest, best] = [now, layers.map((layer) => [...layer])];
  }
  best.forEach((layer, i) => (layers[i] = layer));
  number();
}

function crossings(layers) {
  let found = 0;
  for (const layer of layers) {
    const ends = layer.flatMap((item) => item.behind.map((other) => [item.index, other.index]));
    ends.forEach(([a, b], i) => {
      for (const [c, d] of ends.slice(i + 1)) if ((a - c) * (b - d) < 0) found += 1;
    });
  }
  return found;
}

/** Give each item the middle of its place (`at`): near its neighbours, and at least `gap` from the next. */
function spread(layers, gap) {
  for (const layer of layers) pack(layer, layer.map(() => 0), gap);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
      const wanted = layer.map((item) => mean([...item.before, ...item.behind], (other) => other.at) ?? item.at);
      pack(layer, wanted, gap);
    }
  }
}

/** The places nearest to those wanted (least squares) that keep order and distance: pooling of neighbours that clash. */
function pack(layer, wanted, gap) {
  const offsets = [];
  layer.reduce((at, item, i) => {
    offsets[i] = at + item.size / 2;
    return at + item.size + gap;
  }, 0);
  const pools = [];
  layer.forEach((_, i) => {
    pools.push({ sum: wanted[i] - offsets[i], n: 1 });
    while (pools.length > 1 && pools.at(-2).sum / pools.at(-2).n > pools.at(-1).sum / pools.at(-1).n) {
      const last = pools.pop();
      pools.at(-1).sum += last.sum;
      pools.at(-1).n += last.n;
    }
  });
  let i = 0;
  for (const { sum, n } of pools) for (let k = 0; k < n; k += 1, i += 1) layer[i].at = sum / n + offsets[i];
}

function mean(items, of) {
  return items.length ? items.reduce((sum, item) => sum + of(item), 0) / items.length : null;
}
