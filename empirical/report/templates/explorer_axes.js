// Logarithmic axes on an SVG that is as wide as its place: text keeps its size on a phone.
const MARGIN = { left: 68, right: 20, top: 12, bottom: 46 };

function logScale(low, high, from, to) {
  const start = Math.log(low);
  const unit = (to - from) / (Math.log(high) - start);
  const scale = (value) => from + unit * (Math.log(value) - start);
  return Object.assign(scale, { low, high });
}

function decadeTicks(low, high) {
  const decades = Math.log10(high / low);
  const shares = decades > 3 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 3, 5, 7];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    shares.forEach((share) => ticks.push(Number(`${share}e${power}`)));
  }
  return ticks.filter((tick) => low <= tick * (1 + 1e-9) && tick <= high * (1 + 1e-9));
}

// Those of `values` whose labels do not meet.
function apart(values, scale, gap) {
  const kept = [];
  values.forEach((value) => {
    const last = kept[kept.length - 1];
    if (last === undefined || Math.abs(scale(value) - scale(last)) >= gap) kept.push(value);
  });
  return kept;
}

function powersOfTwo(low, high) {
  const powers = [];
  for (let power = Math.ceil(Math.log2(low) - 1e-9); 2 ** power <= high * (1 + 1e-9); power += 1) {
    powers.push(2 ** power);
  }
  return powers;
}

// An empty drawing in `place`, its axes drawn: the svg, the two scales, and the inner box.
function axes(place, spec) {
  const width = Math.max(place.clientWidth, 240);
  const height = spec.height || Math.round(Math.min(440, Math.max(250, 0.6 * width)));
  place.replaceChildren();
  const svg = shape(place, "svg", {
    viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": spec.label,
  });
  const box = {
    left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom,
  };
  const x = logScale(...spec.x, box.left, box.right);
  const y = logScale(...spec.y, box.bottom, box.top);
  const grid = shape(svg, "g", { class: "grid" });
  const batches = spec.batches || powersOfTwo(...spec.x);
  apart(batches, x, 38).forEach((tick) => {
    shape(grid, "line", { x1: x(tick), x2: x(tick), y1: box.top, y2: box.bottom });
    const at = { x: x(tick), y: box.bottom + 17, "text-anchor": "middle" };
    shape(grid, "text", at, count(tick));
  });
  apart(decadeTicks(...spec.y), y, 18).forEach((tick) => {
    shape(grid, "line", { x1: box.left, x2: box.right, y1: y(tick), y2: y(tick) });
    shape(grid, "text", { x: box.left - 6, y: y(tick) + 4, "text-anchor": "end" }, tickText(tick));
  });
  const under = { x: (box.left + box.right) / 2, y: height - 8, "text-anchor": "middle" };
  shape(grid, "text", { ...under, class: "axis" }, spec.xLabel);
  const middle = (box.top + box.bottom) / 2;
  const aside = { transform: `translate(13 ${middle}) rotate(-90)`, "text-anchor": "middle" };
  shape(grid, "text", { ...aside, class: "axis" }, spec.yLabel);
  return { svg, x, y, box };
}

// The smallest range of an axis that holds all values, a little wider; never empty.
function rangeOf(values, room = 1.15) {
  const known = values.filter((value) => Number.isFinite(value) && value > 0);
  if (!known.length) return [0.1, 10];
  return [Math.min(...known) / room, Math.max(...known) * room];
}
