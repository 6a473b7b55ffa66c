// The what-if panel: every formula of a scene at the place of the sliders, and over batch sizes.
const SAMPLES = 72;
const REASONS = {
  "no minimum": "no minimum: the curvature along this update is not positive",
  "no descent": "no descent: this update does not point downhill",
  "no such run": "a single step with a learning rate of 0",
  "no claim": "makes no claim when steps are kept",
  "no number": "the law gives no number here",
  "not computed here": "this law is not computed in the page: use scaling-theory predict",
};

function evaluated(scene, method, way, at) {
  const formula = FORMULAS[method.formula];
  return formula[way] ? formula[way](scene.sources[method.source], at) : null;
}

function curveOf(scene, method, way, at, batches) {
  return batches.map((batch) => {
    const found = evaluated(scene, method, way, movedTo(at, batch));
    const [low, high] = (found && found.interval95) || [null, null];
    return { batch_size: batch, rate: found ? found.learning_rate : null, low, high };
  });
}

function sampled(low, high, more) {
  const grid = range(0, SAMPLES + 1).map((i) => low * (high / low) ** (i / SAMPLES));
  return [...grid, ...more].sort((a, b) => a - b);
}

function drawScene(scene, at, way) {
  const stops = scene.sliders[0].values;
  const batches = sampled(stops[0], stops[stops.length - 1], [at.batch_size]);
  const drawn = scene.methods.filter((method) => FORMULAS[method.formula][way]);
  const series = drawn.map((method) => ({
    name: method.label,
    look: `look-${method.look}`,
    dash: method.dash,
    line: true,
    band: true,
    points: curveOf(scene, method, way, at, batches),
  }));
  const place = document.getElementById(`${scene.name}-chart`);
  const chart = axes(place, {
    x: rangeOf(batches, 1.02),
    y: rateRange(series),
    xLabel: `batch size B (${scene.batch_unit || "unit unstated"})`,
    yLabel: "learning rate η*",
    label: `Learning rate against batch size: ${drawn.map((method) => method.label).join(", ")}`,
  });
  shadeOutside(chart, scene.domain);
  const { svg, x, box } = chart;
  const line = { x1: x(at.batch_size), x2: x(at.batch_size), y1: box.top, y2: box.bottom };
  shape(svg, "line", { class: "cursor", ...line });
  series.forEach((each) => drawSeries(chart, each));
  series.forEach((each) => {
    const here = each.points.filter((point) => point.batch_size === at.batch_size).slice(0, 1);
    drawSeries(chart, { ...each, name: "", line: false, band: false, marker: "circle", points: here });
  });
  if (way !== "carried") return;
  const { batch_size: batch, learning_rate: rate } = at.tuned;
  const tuned = { batch_size: batch, rate, low: null, high: null };
  drawSeries(chart, { name: "tuned", look: "look-measured", marker: "diamond", points: [tuned] });
}

function fillCell(cell, found) {
  cell.replaceChildren();
  if (found === null) {
    element(cell, "span", { class: "soft" }, "takes a tuned one");
    return;
  }
  if (found.learning_rate === null) {
    element(cell, "span", { class: "soft" }, REASONS[found.status] || found.status);
    return;
  }
  element(cell, "data", { value: found.learning_rate }, scientific(found.learning_rate, 4));
  if (found.interval95) {
    const [low, high] = found.interval95;
    const text = `${low > 0 ? scientific(low) : plain(low)} to ${scientific(high)}`;
    element(cell, "small", { "data-low": low, "data-high": high }, text);
  }
  if (found.interpolation_error > 5e-4) {
    element(cell, "small", {}, `interpolated, ± ${percent(found.interpolation_error)}`);
  }
  if (found.outside.length) {
    element(cell, "small", { class: "outside" }, `outside: ${found.outside.join(", ")}`);
  }
}

function said(scene, at, way) {
  const theories = scene.methods.filter((method) => method.source !== "");
  const parts = theories.flatMap((method) => {
    const found = evaluated(scene, method, way, at);
    if (!found || found.learning_rate === null) return [];
    return [`${scientific(found.learning_rate)} (${method.label})`];
  });
  const batch = `${count(at.batch_size)} ${scene.batch_unit}`.trim();
  const how = way === "carried"
    ? `${scientific(at.tuned.learning_rate, 2)} at ${count(at.tuned.batch_size)}, carried to`
    : "On its own, at";
  return `${how} ${batch}: ${parts.join("; ") || "no theory has a number here"}.`;
}

function startScene(scene) {
  const show = () => {
    const at = placeOf(scene);
    const way = chosen(scene, "show");
    sayValues(scene);
    drawScene(scene, at, way);
    scene.methods.forEach((method, i) => {
      ["alone", "carried"].forEach((each) => {
        const cell = document.getElementById(`${scene.name}-${i}-${each}`);
        fillCell(cell, evaluated(scene, method, each, at));
      });
    });
    document.getElementById(`${scene.name}-said`).textContent = said(scene, at, way);
    document.getElementById(scene.name).dataset.place = JSON.stringify(at);
  };
  listen(scene, show);
  return show;
}
