// Weights of an interpolation along one axis, with rivals for its error: the script's copy of
// scaling_theory/interpolation.py. A shared file of vectors holds the two together.
const WIDE = Math.log(4) + 1e-9;
const VERY_WIDE = Math.log(10) + 1e-9;
const SAME = 1e-12;

function lagrange(position, nodes, used) {
  const weights = nodes.map(() => 0);
  for (const i of used) {
    weights[i] = used
      .filter((j) => j !== i)
      .reduce((product, j) => product * ((position - nodes[j]) / (nodes[i] - nodes[j])), 1);
  }
  return weights;
}

function atNode(count, place) {
  return Array.from({ length: count }, (_, i) => (i === place ? 1 : 0));
}

function range(from, to) {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

// Cubic through the four nodes round `position`, fewer near an edge; beyond them the nearest node.
function axisWeights(position, nodes) {
  const count = nodes.length;
  const gaps = nodes.map((node) => Math.abs(node - position));
  const near = gaps.indexOf(Math.min(...gaps));
  if (gaps[near] <= SAME * Math.max(1, Math.abs(position))) {
    return { best: atNode(count, near), rivals: [], outside: false };
  }
  if (!(nodes[0] < position && position < nodes[count - 1])) {
    const rivals = count > 1 ? [atNode(count, near === 0 ? 1 : count - 2)] : [];
    return { best: atNode(count, near), rivals, outside: true };
  }
  const right = nodes.findIndex((node) => node >= position);
  const used = range(Math.max(0, right - 2), Math.min(count, right + 2));
  let rivals;
  if (used.length === 2) {
    rivals = [[near]];
  } else if (used.length === 3) {
    rivals = [[right - 1, right]];
  } else {
    rivals = [used.slice(0, -1), used.slice(1)];
    if (nodes[right] - nodes[right - 1] > WIDE) rivals.push([right - 1, right]);
  }
  if (nodes[right] - nodes[right - 1] > VERY_WIDE) rivals.push([near]);
  return {
    best: lagrange(position, nodes, used),
    rivals: rivals.map((rival) => lagrange(position, nodes, rival)),
    outside: false,
  };
}

// The first epsilon may be 0 (sign) and the last infinite (SGD).
function epsilonWeights(epsilon, nodes) {
  const count = nodes.length;
  const exact = nodes.indexOf(epsilon);
  if (exact >= 0) return { best: atNode(count, exact), rivals: [], outside: false };
  const positive = range(0, count).filter((i) => nodes[i] > 0 && Number.isFinite(nodes[i]));
  if (!positive.length) {
    const near = epsilon < Infinity && nodes[0] === 0 ? 0 : count - 1;
    return { best: atNode(count, near), rivals: [], outside: true };
  }
  const first = positive[0];
  const last = positive[positive.length - 1];
  if (first > 0 && epsilon > 0 && epsilon < nodes[first]) {
    return strip(epsilon / nodes[first], first - 1, first, count);
  }
  if (last < count - 1 && nodes[last] < epsilon && epsilon < Infinity) {
    return strip((nodes[last] / epsilon) ** 2, last + 1, last, count);
  }
  if (epsilon === 0 || epsilon === Infinity) {
    return { best: atNode(count, epsilon === 0 ? first : last), rivals: [], outside: true };
  }
  const inner = axisWeights(Math.log(epsilon), positive.map((i) => Math.log(nodes[i])));
  const spread = (weights) => {
    const full = nodes.map(() => 0);
    positive.forEach((place, i) => { full[place] = weights[i]; });
    return full;
  };
  return { best: spread(inner.best), rivals: inner.rivals.map(spread), outside: inner.outside };
}

// Linear between two nodes: share 0 at one, 1 at the other; the nearer one is the rival.
function strip(share, atZero, atOne, count) {
  const best = atNode(count, atZero).map((weight) => weight * (1 - share));
  best[atOne] = share;
  const near = share < 0.5 ? atZero : atOne;
  return { best, rivals: [atNode(count, near)], outside: false };
}
