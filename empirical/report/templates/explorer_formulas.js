// The formulas by name, as in empirical/report/explorer/formulas.py: `alone` is eta* of a source
// at a place, `carried` the tuned learning rate there; null where a formula makes no such claim.
function answer(learningRate, error, interval, interpolation, outside) {
  return {
    status: "ok",
    learning_rate: learningRate,
    standard_error: error,
    interval95: interval,
    interpolation_error: interpolation,
    outside,
  };
}

function noAnswer(status) {
  return { ...answer(null, null, null, 0, []), status };
}

function merged(first, second) {
  return [...new Set([...first, ...second])];
}

function around(rate, error, interpolation) {
  const half = NORMAL_95 * Math.hypot(error, interpolation * rate);
  return [rate - half, rate + half];
}

function oneStep(closure) {
  return {
    alone(source, at) {
      const found = etaOne(source, at.batch_size, Number(at.epsilon), closure);
      if (found.status !== "ok") return noAnswer(found.status);
      const interval = around(found.value, found.error, found.interpolation);
      return answer(found.value, found.error, interval, found.interpolation, found.outside);
    },
    carried(source, at) {
      const there = etaOne(source, at.batch_size, Number(at.epsilon), closure);
      if (there.status !== "ok") return noAnswer(there.status);
      const here = etaOne(source, at.tuned.batch_size, Number(at.tuned.epsilon), closure);
      if (here.status !== "ok") return noAnswer(here.status);
      return moved(at, etaRatio(there, here), there, here);
    },
  };
}

// The tuned learning rate times `factor`, with the interpolation error between the ends.
function moved(at, factor, there, here) {
  const rate = at.tuned.learning_rate * factor.value;
  const error = at.tuned.learning_rate * factor.error;
  const { interpolation } = etaRatio(there, here);
  const interval = around(rate, error, interpolation);
  return answer(rate, error, interval, interpolation, merged(there.outside, here.outside));
}

// The tuned learning rate along the run law, each end with its own number of steps.
const runLaw = {
  alone: null,
  carried(source, at) {
    const ends = [at, at.tuned].map((end) =>
      etaOne(source, end.batch_size, Number(end.epsilon), "correlated"));
    const failed = ends.find((end) => end.status !== "ok");
    if (failed) return noAnswer(failed.status);
    const factors = ends.map((end) => runFactors(covariatesAt(at, end.batchSize)));
    if (factors.includes(null)) return noAnswer("no such run");
    const [there, here] = ends.map((end, i) => runShape(end.terms, factors[i]));
    if (!there || !here) return noAnswer("no minimum");
    const same = ends[0].batchSize === ends[1].batchSize && ends[0].epsilon === ends[1].epsilon;
    const factor = same
      ? { value: 1, error: 0 }
      : { value: there.value / here.value, error: ratioError(there, here) };
    return moved(at, factor, ...ends);
  },
};

// The run's covariates at another batch size: tokens go with B where steps are kept.
function covariatesAt(at, batchSize) {
  const found = { ...at.covariates };
  const ratio = batchSize / at.batch_size;
  if (at.keep === "steps" && "tokens" in found) found.tokens *= ratio;
  if (at.keep === "tokens" && "steps" in found) found.steps /= ratio;
  return found;
}

// The same run at another batch size.
function movedTo(at, batchSize) {
  return { ...at, batch_size: batchSize, covariates: covariatesAt(at, batchSize) };
}

function lawAt(source, at, end) {
  if (!(source.form in LAWS)) return { status: "not computed here" };
  const run = covariatesAt(at, end.batch_size);
  if (LAWS[source.form].epsilon) run.epsilon = end.epsilon;
  return fittedLaw(source, end.batch_size, run);
}

const fitted = {
  alone(source, at) {
    const found = lawAt(source, at, at);
    if (found.status !== "ok") return noAnswer(found.status);
    return answer(found.value, found.error, found.interval, 0, found.outside);
  },
  carried(source, at) {
    const ends = [at, at.tuned].map((end) => lawAt(source, at, end));
    const failed = ends.find((end) => end.status !== "ok");
    if (failed) return noAnswer(failed.status);
    const rate = (at.tuned.learning_rate * ends[0].value) / ends[1].value;
    return answer(rate, null, null, 0, merged(ends[0].outside, ends[1].outside));
  },
};

// eta = eta0 (B / B0)^power, claimed for what is kept.
function rule(power, claims) {
  return {
    alone: null,
    carried(source, at) {
      if (!claims.includes(at.keep)) return noAnswer("no claim");
      const factor = (at.batch_size / at.tuned.batch_size) ** power;
      return answer(at.tuned.learning_rate * factor, null, null, 0, []);
    },
  };
}

const FORMULAS = {
  "one step, correlated noise": oneStep("correlated"),
  "one step, independent noise": oneStep("independent"),
  "run law": runLaw,
  "fitted law": fitted,
  keep: rule(0, ["one-step", "tokens", "steps"]),
  "square root": rule(0.5, ["one-step", "tokens", "steps"]),
  linear: rule(1, ["one-step", "tokens"]),
};
