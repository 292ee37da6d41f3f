// Elements from data, and numbers as text. Data becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("button.primary", { onclick, title }, "Export")`; null and false children are left out. */
export function h(name, props = {}, ...children) {
  return build((tag) => document.createElement(tag), name, props, children);
}

/** An SVG element, made alike. */
export function svg(name, props = {}, ...children) {
  return build((tag) => document.createElementNS(SVG, tag), name, props, children);
}

function build(create, name, props, children) {
  const [tag, ...classes] = name.split(".");
  const element = create(tag);
  if (classes.length) element.classList.add(...classes);
  set(element, props);
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

/** Set properties and attributes; `on...` are listeners, null and false remove. */
export function set(element, props) {
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") setStyle(element, value);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (value == null) element.removeAttribute(key);
    else if (key in element && !(element instanceof SVGElement) && !key.startsWith("aria")) element[key] = value;
    else if (value == null || value === false) element.removeAttribute(key);
    else element.setAttribute(key, value === true ? "" : value);
  }
  return element;
}

function setStyle(element, style) {
  for (const [name, value] of Object.entries(style)) element.style.setProperty(name, value);
}

/** Put these children in place of those that an element has. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

let numbered = 0;

/** An id that no other element of the page has. */
export function uid(word = "e") {
  numbered += 1;
  return `dsel-${word}-${numbered}`;
}

/** A number in three significant digits, with a true minus sign; a dash where there is none. */
export function number(value, digits = 3) {
  if (value == null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-4 || size >= 1e6) ? value.toExponential(digits - 1) : plainNumber(value, digits);
  return text.replace("-", "−");
}

function plainNumber(value, digits) {
  const whole = Math.max(1, Math.floor(Math.log10(Math.abs(value) || 1)) + 1);
  return Math.abs(value) >= 1
    ? value.toFixed(Math.max(0, digits - whole))
    : Number(value.toPrecision(digits)).toString();
}

/** A share of 1 in percent. */
export function percent(share, digits = 3) {
  return share == null || !Number.isFinite(share) ? "–" : `${number(100 * share, digits)} %`;
}

/** A count with its word: `plural(3, "image")` is "3 images". */
export function plural(count, word, words = `${word}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? word : words}`;
}

/** Bytes as people read them. */
export function bytes(count) {
  if (count == null) return "–";
  const units = ["bytes", "kB", "MB", "GB"];
  let unit = 0;
  for (; count >= 1000 && unit < units.length - 1; unit += 1) count /= 1000;
  return `${unit ? count.toFixed(count < 10 ? 1 : 0) : count} ${units[unit]}`;
}

/** An icon of assets/app/icons.js, decorative: the control beside it carries the words. */
export function icon(paths) {
  return svg(
    "svg.icon",
    { viewBox: "0 0 24 24", "aria-hidden": "true" },
    [].concat(paths).map((d) => svg("path", { d })),
  );
}

/** A calm place-holder where there is nothing to show: what is missing, and what to do. */
export function empty(title, text = "") {
  return h("div.empty", {}, h("p.empty-title", {}, title), text && h("p", {}, text));
}

/** Load a style sheet once. */
export function stylesheet(url) {
  if (!document.querySelector(`link[href="${url}"]`))
    document.head.append(h("link", { rel: "stylesheet", href: String(url) }));
}

/** Numbers of one column, on one count of decimals: the largest has so many significant digits. */
export function column(values, digits = 3) {
  const most = Math.max(...values.filter(Number.isFinite).map(Math.abs), 0);
  if (most !== 0 && (most < 1e-4 || most >= 1e6)) return values.map((value) => number(value, digits));
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(most || 1)));
  const text = (value) => (Number(value.toFixed(decimals)) === 0 ? "0" : value.toFixed(decimals).replace("-", "−"));
  return values.map((value) => (value == null || !Number.isFinite(value) ? "–" : text(value)));
}
