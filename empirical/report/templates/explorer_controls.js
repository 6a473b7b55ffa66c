// Sliders and choices of one scene: what they say, and the place that they point at.
function inputsOf(scene) {
  const input = (slider) => document.getElementById(`${scene.name} ${slider.name}`.replace(/ /g, "-"));
  return [...scene.sliders, ...scene.tuned].map((slider) => ({ slider, input: input(slider) }));
}

function chosen(scene, what) {
  const found = document.querySelector(`input[name="${scene.name}-${what}"]:checked`);
  return found ? found.value : null;
}

// What a formula is given; tuned settings that the scene has no slider for are those wanted.
function placeOf(scene) {
  const at = { covariates: {}, keep: chosen(scene, "keep") || scene.keeps[0], epsilon: 0, tuned: {} };
  inputsOf(scene).forEach(({ slider, input }) => {
    const value = slider.values[Number(input.value)];
    if (slider.name.startsWith("tuned ")) at.tuned[slider.name.slice(6)] = value;
    else if (["batch_size", "epsilon"].includes(slider.name)) at[slider.name] = value;
    else at.covariates[slider.name] = value;
  });
  at.tuned = { epsilon: at.epsilon, ...at.tuned };
  return at;
}

function sayValues(scene) {
  inputsOf(scene).forEach(({ slider, input }) => {
    const text = slider.texts[Number(input.value)];
    input.setAttribute("aria-valuetext", text);
    input.parentElement.querySelector("output").textContent = text;
  });
}

function listen(scene, react) {
  inputsOf(scene).forEach(({ input }) => input.addEventListener("input", react));
  document
    .querySelectorAll(`input[name="${scene.name}-keep"], input[name="${scene.name}-show"]`)
    .forEach((input) => input.addEventListener("change", react));
}
