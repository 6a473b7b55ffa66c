// Measured against predicted learning rates of one step: one chart per epsilon.
const SHOWN = {
  correlated: { line: true, band: true, dash: "" },
  independent: { line: true, band: true, dash: "8 4" },
  mean_field: { line: true, dash: "8 3 2 3" },
  gaussian_simulated: { line: true, dash: "2 3" },
  line_search: { marker: "diamond" },
  measured: { marker: "circle" },
};

function drawTruth(place, panel, ranges) {
  const figure = element(place, "figure");
  element(figure, "h3", {}, panel.title);
  const canvas = element(figure, "div", { class: "canvas" });
  const series = Object.entries(SHOWN)
    .filter(([name]) => name in panel.series)
    .map(([name, look]) => ({ ...look, name, look: `look-${name}`, points: panel.series[name] }));
  const chart = axes(canvas, {
    ...ranges,
    xLabel: "batch size B (sequences)",
    yLabel: "learning rate η*",
    label: `Best learning rate of one step against batch size at ${panel.title}: `
      + series.map((each) => each.name.replace("_", " ")).join(", "),
  });
  series.forEach((each) => drawSeries(chart, each));
}

function truthRows(checkpoint) {
  return checkpoint.panels.flatMap((panel) =>
    Object.entries(panel.series).flatMap(([name, points]) => points.map((point) => [
      panel.title,
      name.replace("_", " "),
      count(point.batch_size),
      scientific(point.rate),
      point.high === null ? "" : `${scientific(point.low)} to ${scientific(point.high)}`,
    ])));
}

function startTruth(checkpoints) {
  const choice = document.getElementById("checkpoint");
  checkpoints.forEach((each, i) => element(choice, "option", { value: i }, each.title));
  const show = () => {
    const checkpoint = checkpoints[Number(choice.value)];
    const place = document.getElementById("truth-charts");
    const all = checkpoint.panels.flatMap((panel) => Object.values(panel.series).flat());
    // One pair of ranges for all: charts side by side are compared.
    const ranges = {
      x: rangeOf(all.map((point) => point.batch_size), 1.3),
      y: rateRange([{ points: all }]),
    };
    place.replaceChildren();
    checkpoint.panels.forEach((panel) => drawTruth(place, panel, ranges));
    document.getElementById("truth-errors").hidden = checkpoint.errors.length === 0;
    textTable(
      document.getElementById("truth-errors"),
      ["prediction, nothing fitted", "median error", "worst error"],
      checkpoint.errors,
    );
    textTable(
      document.getElementById("truth-table"),
      ["ε", "what", "B", "η*", "95 % interval"],
      truthRows(checkpoint),
    );
  };
  choice.addEventListener("change", show);
  return show;
}
