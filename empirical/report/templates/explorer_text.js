// Numbers and elements as a reader wants them. Text goes in as text, never as markup.
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function raised(exponent) {
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]);
  return (exponent < 0 ? "⁻" : "") + digits.join("");
}

// 5.43 × 10⁻⁴ with that many significant digits.
function scientific(value, digits = 3) {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  return `${mantissa.replace("-", "−")}\u00a0×\u00a010${raised(Number(exponent))}`;
}

// Ordinary notation between 0.001 and ten million, else as above.
function plain(value, digits = 3) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return scientific(value, digits);
  return Number(value.toPrecision(digits)).toLocaleString("en-US", { maximumFractionDigits: 9 });
}

// Sequences or tokens: whole numbers to the last digit.
function count(value) {
  const whole = Math.round(value);
  return Math.abs(value - whole) < 1e-6 * value ? whole.toLocaleString("en-US") : plain(value, 4);
}

function percent(share) {
  const hundredths = 100 * share;
  return `${hundredths < 9.95 ? hundredths.toFixed(1) : hundredths.toFixed(0)}\u00a0%`;
}

// 1, 2 and 5 of every decade, or whole decades only, as labels of an axis.
function tickText(value) {
  const exponent = Math.floor(Math.log10(value) + 1e-9);
  const mantissa = Math.round(value / 10 ** exponent);
  if (exponent >= -2 && exponent <= 3) return plain(value, 2);
  return `${mantissa === 1 ? "" : `${mantissa}·`}10${raised(exponent)}`;
}

// A colour-blind reader, a printer and a screen reader get words; `text` is never markup.
function element(parent, name, attributes = {}, text = null) {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  if (text !== null) made.textContent = text;
  parent.append(made);
  return made;
}

const SVG = document.getElementById("drawing").namespaceURI;

function shape(parent, name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  if (text !== null) made.textContent = text;
  parent.append(made);
  return made;
}

// A table of texts under its headings, in place of what `parent` held.
function textTable(parent, headings, rows) {
  parent.replaceChildren();
  const table = element(parent, "table", { class: "words" });
  const head = element(element(table, "thead"), "tr");
  headings.forEach((heading) => element(head, "th", { scope: "col" }, heading));
  const body = element(table, "tbody");
  rows.forEach(([first, ...rest]) => {
    const line = element(body, "tr");
    element(line, "th", { scope: "row" }, first);
    rest.forEach((text) => element(line, "td", {}, text));
  });
}
