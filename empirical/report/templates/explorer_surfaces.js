// Loss over batch size and learning rate: cells coloured by the loss above the best, the optimum of
// each batch size with its 95 % interval, divergent runs crossed out, edges as arrows.
const LEVELS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3];

function levelOf(excess) {
  const level = LEVELS.findIndex((limit) => excess < limit);
  return level < 0 ? LEVELS.length : level;
}

// Half-way to the neighbours in logarithms, `reach` at the ends and as the most.
function edgesOf(values, reach) {
  const logs = values.map(Math.log);
  return logs.map((at, i) => {
    const before = i > 0 ? Math.min((at - logs[i - 1]) / 2, reach) : null;
    const after = i + 1 < logs.length ? Math.min((logs[i + 1] - at) / 2, reach) : null;
    return [Math.exp(at - (before ?? after ?? reach)), Math.exp(at + (after ?? before ?? reach))];
  });
}

// The lowest loss that each column is compared with: its own, or that of the chart.
function lowest(columns, each) {
  const own = columns.map((column) =>
    Math.min(...column.cells.filter((cell) => cell.loss !== null).map((cell) => cell.loss)));
  return each ? own : own.map(() => Math.min(...own));
}

function drawSurface(place, panel, slice, each) {
  const columns = slice.columns;
  const batches = columns.map((column) => column.batch_size);
  const across = edgesOf(batches, 1.2);
  const heights = columns.map((column) => edgesOf(column.cells.map((cell) => cell.rate), 0.4));
  const best = lowest(columns, each);
  const ends = heights.flat(2);
  const room = columns.some((column) => ["above", "below"].includes(column.optimum.kind)) ? 1.5 : 1.1;
  const chart = axes(place, {
    x: [Math.min(...across.flat()), Math.max(...across.flat())],
    y: rangeOf(ends, room),
    batches,
    xLabel: `batch size B (${panel.unit})`,
    yLabel: "learning rate η",
    label: `Loss above the best, and the best learning rate, for ${slice.label}`,
  });
  columns.forEach((column, i) => column.cells.forEach((cell, j) => {
    drawCell(chart, column, cell, across[i], heights[i][j], best[i]);
  }));
  const ridge = shape(chart.svg, "g", { class: "ridge" });
  ["halo", "mark"].forEach((layer) => {
    const group = shape(ridge, "g", { class: layer });
    drawRidge(group, chart, columns);
    columns.forEach((column) => drawOptimum(group, chart, column));
  });
}

function drawCell({ svg, x, y }, column, cell, [left, right], [low, high], best) {
  const size = { x: x(left), y: y(high), width: x(right) - x(left), height: y(low) - y(high) };
  const where = `B = ${count(column.batch_size)}, η = ${scientific(cell.rate)}`;
  const kind = cell.loss === null ? "lost" : `level level-${levelOf(cell.loss - best)}`;
  const made = shape(svg, "rect", { class: `cell ${kind}`, ...size });
  const lost = cell.diverged ? `, ${cell.diverged} diverged` : "";
  const said = cell.loss === null
    ? `${where}: ${cell.diverged} run(s), diverged`
    : `${where}: loss ${plain(cell.loss, 6)}, ${plain(cell.loss - best)} above the best; `
      + `${cell.runs} run(s)${lost}`;
  shape(made, "title", {}, said);
  if (!cell.diverged) return;
  const [middle, level] = [x(column.batch_size), y(cell.rate)];
  const d = `M${middle - 4} ${level - 4}l8 8m0 -8l-8 8`;
  shape(svg, "path", { class: cell.loss === null ? "cross" : "cross partly", d });
}

// The ridge joins neighbours whose optimum lies inside the grid.
function drawRidge(group, { x, y }, columns) {
  let open = false;
  const d = columns.map(({ batch_size: batch, optimum }) => {
    const step = optimum.rate === null ? "" : `${open ? "L" : "M"}${x(batch)} ${y(optimum.rate)}`;
    open = optimum.rate !== null;
    return step;
  });
  shape(group, "path", { class: "curve", d: d.join("") });
}

function drawOptimum(group, { x, y, box }, { batch_size: batch, optimum, cells }) {
  const at = x(batch);
  const within = (value) => Math.min(box.bottom - 2, Math.max(box.top + 2, y(value)));
  const bar = (from, to) => shape(group, "line", { x1: at, x2: at, y1: from, y2: to });
  const cap = (level) => shape(group, "line", { x1: at - 5, x2: at + 5, y1: level, y2: level });
  if (optimum.kind === "inside") {
    [optimum.low, optimum.high].forEach((end) => cap(within(end)));
    bar(within(optimum.low), within(optimum.high));
    shape(group, "circle", { cx: at, cy: y(optimum.rate), r: 4.5 });
  } else if (optimum.kind === "edge") {
    [optimum.low, optimum.high].forEach((end) => cap(within(end)));
    bar(within(optimum.low), within(optimum.high));
  } else if (optimum.kind !== "unknown") {
    const up = optimum.kind === "above";
    const tip = up ? box.top + 3 : box.bottom - 3;
    const known = up ? optimum.low : optimum.high;
    const from = within(known ?? cells[up ? cells.length - 1 : 0].rate);
    cap(from);
    bar(from, tip);
    const side = up ? 8 : -8;
    shape(group, "path", { class: "tip", d: `M${at - 5} ${tip + side}L${at} ${tip}L${at + 5} ${tip + side}` });
  }
}

function startSurfaces(panel) {
  const choice = document.getElementById("slice");
  panel.slices.forEach((slice, i) => element(choice, "option", { value: i }, slice.label));
  choice.value = panel.start;
  const show = () => {
    const slice = panel.slices[Number(choice.value)];
    const each = document.getElementById("each-batch").checked;
    drawSurface(document.getElementById("surface"), panel, slice, each);
    const noise = slice.noise === null ? [] : [
      `one run differs from its repetition by about ${plain(slice.noise, 2)} nats: smaller `
      + "differences of colour mean nothing",
    ];
    document.getElementById("surface-about").textContent = `${[...slice.about, ...noise].join("; ")}.`;
    textTable(
      document.getElementById("surface-table"),
      [`B (${panel.unit})`, "best learning rate (95 % interval), or what is known of it"],
      slice.columns.map((column) => [count(column.batch_size), column.optimum.text]),
    );
  };
  choice.addEventListener("change", show);
  document.getElementById("surface-choices").addEventListener("change", show);
  return show;
}
