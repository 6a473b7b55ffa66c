// eta_1(B, epsilon) = E[u]'g / E[u'Hu] from measured statistics: the script's copy of
// scaling_theory/surface.py and grid_quantity.py.
const NORMAL_95 = 1.96;

function shapeOf(epsilon, width, power) {
  return Number.isFinite(epsilon) ? (epsilon ** 2 + width) ** -power : 1;
}

// A quantity that goes as (epsilon^2 + v)^-power, ready for one place of the grid.
function interpolant(value, error, epsilons, widths, power, epsilon, width) {
  const over = (table) =>
    table.map((row, i) => row.map((cell, j) => cell / shapeOf(epsilons[j], widths[i], power)));
  const residual = over(value);
  const inLogs = residual.every((row) => row.every((cell) => cell > 0));
  const spread = over(error);
  return {
    field: inLogs ? residual.map((row) => row.map(Math.log)) : residual,
    error: inLogs ? spread.map((row, i) => row.map((cell, j) => cell / residual[i][j])) : spread,
    inLogs,
    shapeHere: shapeOf(epsilon, width, power),
  };
}

function weighted(row, table, column) {
  let total = 0;
  row.forEach((a, i) => column.forEach((b, j) => { total += a * table[i][j] * b; }));
  return total;
}

function interpolated(quantity, row, column) {
  const inner = weighted(row, quantity.field, column);
  const value = (quantity.inLogs ? Math.exp(inner) : inner) * quantity.shapeHere;
  const spread = weighted(row.map(Math.abs), quantity.error, column.map(Math.abs));
  const unit = quantity.inLogs ? Math.abs(value) : quantity.shapeHere;
  return { value, error: spread * unit };
}

function ratioError(top, bottom) {
  const ratio = top.value / bottom.value;
  return Math.sqrt((top.error ** 2 + (ratio * bottom.error) ** 2) / bottom.value ** 2);
}

// The one-step optimum with its errors, or a status that says why there is none.
function etaOne(source, batchSize, epsilon, closure) {
  const surface = source.surface;
  const batches = surface.batch_sizes;
  const epsilons = surface.epsilons.map(Number);
  const rows = axisWeights(Math.log(batchSize), batches.map(Math.log));
  const columns = epsilonWeights(epsilon, epsilons);
  const widthAt = (batch) => surface.rms_gradient ** 2 + surface.rms_sigma ** 2 / batch;
  const widths = batches.map(widthAt);
  const ready = (value, error, power) =>
    interpolant(value, error, epsilons, widths, power, epsilon, widthAt(batchSize));
  const scaled = (table) => table.map((row, i) => row.map((cell) => cell * batches[i]));
  const raw = closure === "correlated" ? surface.noise_correlated : surface.noise_independent;
  const quantities = [
    ready(surface.descent.value, surface.descent.standard_error, 0.5),
    ready(surface.signal.value, surface.signal.standard_error, 1),
    // Noise falls as 1/B where it is linear: B times it is what varies slowly.
    ready(scaled(raw.value), scaled(raw.standard_error), 1),
  ];
  const parts = (row, column) => {
    const [descent, signal, noise] = quantities.map((each) => interpolated(each, row, column));
    return [descent, signal, { value: noise.value / batchSize, error: noise.error / batchSize }];
  };
  const best = parts(rows.best, columns.best);
  const curvature = {
    value: best[1].value + best[2].value,
    error: Math.hypot(best[1].error, best[2].error),
  };
  if (curvature.value <= 0) return { status: "no minimum" };
  if (best[0].value <= 0) return { status: "no descent" };
  const units = [best[0].value, -curvature.value, -curvature.value];
  const strays = (rivals) =>
    rivals.map((rival) => rival.map((each, i) => (each.value - best[i].value) / units[i]));
  const overBatches = strays(rows.rivals.map((row) => parts(row, columns.best)));
  const overEpsilons = strays(columns.rivals.map((column) => parts(rows.best, column)));
  return {
    status: "ok",
    batchSize,
    epsilon,
    terms: best,
    value: best[0].value / curvature.value,
    error: ratioError(best[0], curvature),
    overBatches,
    overEpsilons,
    interpolation: astray(overBatches) + astray(overEpsilons),
    outside: [...(rows.outside ? ["batch size"] : []), ...(columns.outside ? ["epsilon"] : [])],
  };
}

// The worst rival; its changes are added in size, as the truth need not cancel them.
function astray(strays) {
  const sizes = strays.map((moved) => moved.reduce((sum, each) => sum + Math.abs(each), 0));
  return Math.max(0, ...sizes);
}

// eta_1 at `there` over eta_1 at `here`, with both kinds of error.
function etaRatio(there, here) {
  if (there.batchSize === here.batchSize && there.epsilon === here.epsilon) {
    return { value: 1, error: 0, interpolation: 0 };
  }
  const value = there.value / here.value;
  const error = ratioError(there, here);
  if (there.epsilon !== here.epsilon) {
    return { value, error, interpolation: there.interpolation + here.interpolation };
  }
  const moved = there.overEpsilons.map((rival, i) =>
    rival.map((each, j) => each - here.overEpsilons[i][j]));
  const interpolation = astray(there.overBatches) + astray(here.overBatches) + astray(moved);
  return { value, error, interpolation };
}
