// The run law of scaling_theory/run_law.py: D / (kappa Q + nu N), kappa and nu of a run's steps,
// momentum and learning rate, which falls linearly to a share of its peak.
const HALF = 0.5;
const LONGEST = 4096;
const SEARCH = { lowest: 0.1, highest: 10, coarse: 400, fine: 65, rounds: 5 };
const RESCALE = 16;
const TINY = 1e-300;
const LN_MOST = 600;

function multiplesOf(steps, finalShare) {
  return Array.from({ length: steps }, (_, t) =>
    finalShare + (1 - finalShare) * (1 - (t + 1) / steps));
}

// x_S^2 from x_0 = 1 for h = eta lambda: x_t = x_(t-1) - s_t m_t, m_t a bias-corrected average.
function shareLeft(beta1, multiples, product) {
  let place = 1;
  let average = 0;
  let lnScale = 0;
  for (let step = 1; step <= multiples.length; step += 1) {
    average = beta1 * average + (1 - beta1) * product * place;
    place -= (multiples[step - 1] / (1 - beta1 ** step)) * average;
    if (step % RESCALE === 0) {
      const size = Math.max(Math.abs(place), Math.abs(average), TINY);
      place /= size;
      average /= size;
      lnScale += Math.log(size);
    }
  }
  return Math.exp(Math.min(2 * (Math.log(Math.abs(place) + TINY) + lnScale), LN_MOST));
}

// h_S: the largest eta lambda up to which a run halves a direction's squared error.
function largestProduct(beta1, multiples) {
  const mean = multiples.reduce((sum, each) => sum + each, 0) / multiples.length;
  const rho = (1 - beta1) / (1 + beta1);
  const ratio = SEARCH.highest / rho / SEARCH.lowest;
  let products = Array.from({ length: SEARCH.coarse }, (_, i) =>
    (SEARCH.lowest * ratio ** (i / (SEARCH.coarse - 1))) / mean);
  for (let round = 0; round <= SEARCH.rounds; round += 1) {
    const halved = products.map((each) => shareLeft(beta1, multiples, each) <= HALF);
    const first = halved.indexOf(true);
    const after = first < 0 ? -1 : halved.indexOf(false, first);
    if (after < 0) return products[products.length - 1];
    const [low, high] = [products[after - 1], products[after]];
    products = Array.from({ length: SEARCH.fine }, (_, i) =>
      low + ((high - low) * i) / (SEARCH.fine - 1));
  }
  return products[0];
}

// nu: the noise that flat directions add up, over what the descent adds up.
function noiseFactor(beta1, multiples) {
  let total = 0;
  let weight = 0;
  for (let step = multiples.length; step >= 1; step -= 1) {
    weight = (multiples[step - 1] * (1 - beta1)) / (1 - beta1 ** step) + beta1 * weight;
    total += weight ** 2;
  }
  return total / multiples.reduce((sum, each) => sum + each, 0);
}

const knownFactors = new Map();

// null where the learning rate is 0 at every step.
function runFactors({ beta1, steps, final_share: finalShare }) {
  const length = Math.min(Math.max(Math.floor(steps + 0.5), 1), LONGEST);
  const key = `${beta1} ${length} ${finalShare}`;
  if (!knownFactors.has(key)) {
    const multiples = multiplesOf(length, finalShare);
    const plain = 1 + HALF ** (1 / (2 * length));
    knownFactors.set(key, multiples.some((each) => each > 0)
      ? {
        curvature: plain / largestProduct(beta1, multiples),
        noise: noiseFactor(beta1, multiples),
      }
      : null);
  }
  return knownFactors.get(key);
}

// D / (kappa Q + nu N), the learning rate of a run up to its one number.
function runShape([descent, signal, noise], factors) {
  const value = factors.curvature * signal.value + factors.noise * noise.value;
  if (value <= 0) return null;
  const error = Math.hypot(factors.curvature * signal.error, factors.noise * noise.error);
  return { value: descent.value / value, error: ratioError(descent, { value, error }) };
}
