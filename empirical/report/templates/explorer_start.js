// Every panel that the page has, drawn once and again whenever its width changes.
const contents = JSON.parse(document.getElementById("contents").textContent);
const shows = [
  ...(contents.surfaces ? [startSurfaces(contents.surfaces)] : []),
  ...(contents.truth.length ? [startTruth(contents.truth)] : []),
  ...contents.scenes.map(startScene),
];
const drawAll = () => shows.forEach((show) => show());
let width = document.documentElement.clientWidth;
window.addEventListener("resize", () => {
  if (document.documentElement.clientWidth === width) return;
  width = document.documentElement.clientWidth;
  drawAll();
});
drawAll();
// For the tests of the page, which compare these with the toolkit's own.
window.explorer = Object.freeze({ formulas: FORMULAS });
