// Every law that can be fitted, and a fitted one at a place: the script's copy of
// scaling_theory/laws and fitted_law.py. Exponents may have either sign; all else is positive.
const damping = (saturation, B) => 1 / Math.sqrt(1 + saturation / B);
const canonical = (B, eta, noise, saturation) =>
  (eta * Math.sqrt(1 + saturation / B)) / (1 + noise / B);

const LAWS = {
  constant: { parameters: ["eta_constant"], curve: (B, eta) => eta },
  power: {
    parameters: ["eta_one", "exponent"],
    exponents: ["exponent"],
    curve: (B, eta, exponent) => eta * B ** exponent,
  },
  linear: { parameters: ["eta_one"], curve: (B, eta) => eta * B },
  "square root": { parameters: ["eta_one"], curve: (B, eta) => eta * Math.sqrt(B) },
  "square root saturating": {
    parameters: ["eta_infinity", "saturation_batch"],
    curve: (B, eta, saturation) => eta * damping(saturation, B),
  },
  "linear saturating": {
    parameters: ["eta_infinity", "noise_batch"],
    curve: (B, eta, noise) => eta / (1 + noise / B),
  },
  saturating: {
    parameters: ["eta_infinity", "noise_batch", "exponent"],
    exponents: ["exponent"],
    curve: (B, eta, noise, exponent) => eta * (1 + noise / B) ** -exponent,
  },
  surge: {
    parameters: ["eta_peak", "peak_batch"],
    curve: (B, eta, peak) => (2 * eta) / (Math.sqrt(peak / B) + Math.sqrt(B / peak)),
  },
  canonical: {
    parameters: ["eta_infinity", "noise_batch", "saturation_batch"],
    curve: canonical,
  },
  "canonical epsilon": {
    parameters: ["eta_infinity", "noise_batch", "saturation_batch", "epsilon_scale"],
    epsilon: true,
    curve: (B, eta, noise, saturation, scale, epsilon) => {
      const softened = 1 + (epsilon / scale) ** 2;
      return canonical(B, eta * Math.sqrt(softened), noise, saturation / softened);
    },
  },
  "two groups": {
    parameters: [
      "eta_infinity", "noise_ratio", "first_saturation", "saturation_ratio", "second_share",
    ],
    curve: (B, eta, noise, firstSaturation, saturationRatio, share) => {
      const first = damping(firstSaturation, B);
      const second = damping(firstSaturation * saturationRatio, B);
      const descent = first + share * second;
      const curvature = (1 - noise) * (first ** 2 + share * second ** 2);
      return (eta * descent) / (curvature + noise * (1 + share));
    },
  },
  "two slopes": {
    parameters: ["eta_break", "break_batch", "rise", "fall"],
    exponents: ["rise", "fall"],
    curve: (B, eta, at, rise, fall) => (2 * eta) / ((B / at) ** -rise + (B / at) ** fall),
  },
  "noise and curvature": {
    parameters: ["eta_one", "eta_infinity", "saturation_batch"],
    curve: (B, one, infinity, saturation) => {
      const curvature = infinity * Math.sqrt(1 + saturation / B);
      const ratio = curvature / (one * B);
      return (2 * curvature) / (ratio + Math.sqrt(ratio ** 2 + 4));
    },
  },
};

// eta*(B) of a law with these parameter values; "<parameter> <covariate>" is a power.
function lawRate(source, values, batchSize, covariates) {
  const law = LAWS[source.form];
  const exponents = law.exponents || [];
  const held = {};
  law.parameters.forEach((name, i) => { held[name] = values[i]; });
  source.names.forEach((name, i) => {
    const cut = name.indexOf(" ");
    if (cut < 0) return;
    const [parameter, covariate] = [name.slice(0, cut), name.slice(cut + 1)];
    const shift = values[i] * Math.log(covariates[covariate] / source.references[covariate]);
    if (exponents.includes(parameter)) held[parameter] += shift;
    else held[parameter] *= Math.exp(shift);
  });
  const extra = law.epsilon ? [covariates.epsilon] : [];
  return law.curve(batchSize, ...law.parameters.map((name) => held[name]), ...extra);
}

// The rate with its standard error (delta method) and the 95 % interval of a run's optimum.
function fittedLaw(source, batchSize, covariates) {
  const value = lawRate(source, source.values, batchSize, covariates);
  if (!(Number.isFinite(value) && value > 0)) return { status: "no number" };
  const slopes = source.values.map((parameter, i) => {
    const step = 1e-4 * Math.abs(parameter) || 1e-8;
    const moved = (shift) =>
      lawRate(source, source.values.map((v, j) => (j === i ? v + shift : v)), batchSize, covariates);
    return (moved(step) - moved(-step)) / (2 * step);
  });
  let variance = 0;
  slopes.forEach((a, i) => slopes.forEach((b, j) => { variance += a * source.covariance[i][j] * b; }));
  const error = Math.sqrt(Math.max(variance, 0));
  const half = NORMAL_95 * Math.sqrt((error / value) ** 2 + source.scatter ** 2);
  return {
    status: "ok",
    value,
    error,
    interval: [Math.exp(Math.log(value) - half), Math.exp(Math.log(value) + half)],
    outside: outsideLaw(source, batchSize, covariates),
  };
}

function outsideLaw(source, batchSize, covariates) {
  const within = source.smallest <= batchSize && batchSize <= source.largest;
  const beyond = Object.entries(covariates).filter(([name, value]) => {
    const [low, high] = source.spans[name] || [value, value];
    // A tenth of a percent: totals of tokens are never exactly round.
    return !(0.999 * low <= value && value <= 1.001 * high);
  });
  return [...(within ? [] : ["batch size"]), ...beyond.map(([name]) => name)];
}
