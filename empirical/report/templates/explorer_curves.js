// Curves with bands and points with intervals. A series: look (a class that colours it), dash,
// marker ("circle", "diamond" or none), points with batch_size, rate, low, high, hollow.
function drawSeries({ svg, x, y, box }, series) {
  const group = shape(svg, "g", { class: `series ${series.look}`, "data-name": series.name });
  const within = (value) => Math.min(box.bottom, Math.max(box.top, y(value)));
  const known = series.points.filter((point) => point.rate > 0);
  if (series.band) drawBand(group, known, x, within);
  if (series.line) {
    const steps = known.map((point, i) => `${i ? "L" : "M"}${x(point.batch_size)} ${y(point.rate)}`);
    shape(group, "path", {
      class: "curve", d: steps.join(""), "stroke-dasharray": series.dash || "none",
    });
  }
  if (series.marker) known.forEach((point) => drawPoint(group, series, point, x, y, within));
}

function drawBand(group, points, x, within) {
  const bounded = points.filter((point) => point.high > 0);
  if (bounded.length < 2) return;
  const upper = bounded.map((point) => `${x(point.batch_size)} ${within(point.high)}`);
  const lower = bounded.map((point) =>
    `${x(point.batch_size)} ${within(Math.max(point.low, Number.MIN_VALUE))}`);
  shape(group, "path", { class: "band", d: `M${upper.join("L")}L${lower.reverse().join("L")}Z` });
}

function drawPoint(group, series, point, x, y, within) {
  const at = x(point.batch_size);
  if (point.high > 0) {
    const ends = { y1: within(Math.max(point.low, Number.MIN_VALUE)), y2: within(point.high) };
    shape(group, "line", { class: "interval", x1: at, x2: at, ...ends });
  }
  const look = { class: point.hollow ? "hollow" : "point" };
  const made = series.marker === "diamond"
    ? shape(group, "path", { ...look, d: `M${at} ${y(point.rate) - 6}l6 6l-6 6l-6 -6Z` })
    : shape(group, "circle", { ...look, cx: at, cy: y(point.rate), r: series.size || 4.5 });
  const interval = point.high > 0 ? ` (${scientific(point.low)} to ${scientific(point.high)})` : "";
  shape(made, "title", {}, `B = ${count(point.batch_size)}: ${scientific(point.rate)}${interval}`);
}

// Beyond the batch sizes that the sources know.
function shadeOutside({ svg, x, box }, [low, high]) {
  const left = Math.max(box.left, Math.min(box.right, x(low)));
  const right = Math.max(box.left, Math.min(box.right, x(high)));
  [[box.left, left], [right, box.right]].forEach(([from, to]) => {
    if (to - from < 1) return;
    const size = { x: from, y: box.top, width: to - from, height: box.bottom - box.top };
    shape(svg, "rect", { class: "beyond", ...size });
  });
}

function heightsOf(series) {
  return series.flatMap((each) => each.points.map((point) => point.rate));
}

// All that is shown of intervals, as long as they do not push the curves out of sight.
function rateRange(series) {
  const [low, high] = rangeOf(heightsOf(series));
  const ends = series.flatMap((each) => each.points.flatMap((point) => [point.low, point.high]));
  return rangeOf([low, high, ...ends.filter((end) => end > low / 3 && end < high * 3)], 1.05);
}
