// Elements from data. Data becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * @template {string} T
 * @typedef {T extends `${infer Tag}.${string}` ? Tag : T} TagOf
 */
/**
 * @template {string} T
 * @typedef {TagOf<T> extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[TagOf<T>] : HTMLElement} ElementOf
 */
/** @typedef {any} Child a node, text, a list of children, or null or false for none */

/**
 * Create an element: `h("button.primary", { onclick, title }, "Export")`; null and false children are left out.
 * @template {string} T
 * @param {T} name
 * @param {Record<string, any>} [props]
 * @param {Child[]} children
 * @returns {ElementOf<T>}
 */
export function h(name, props = {}, ...children) {
  return /** @type {any} */ (build((tag) => document.createElement(tag), name, props, children));
}

/**
 * Create an SVG element in the same way.
 * @param {string} name
 * @param {Record<string, any>} [props]
 * @param {Child[]} children
 */
export function svg(name, props = {}, ...children) {
  return build((tag) => document.createElementNS(SVG, tag), name, props, children);
}

/**
 * @template {HTMLElement | Element} E
 * @param {(tag: string) => E} create
 * @param {string} name
 * @param {Record<string, any>} props
 * @param {Child[]} children
 */
function build(create, name, props, children) {
  const [tag, ...classes] = name.split(".");
  const element = create(tag);
  if (classes.length) element.classList.add(...classes);
  set(element, props);
  element.append(...present(children));
  return element;
}

/**
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
function present(children) {
  return children.flat(Infinity).filter((child) => child != null && child !== false);
}

/**
 * Set properties and attributes; `on...` are listeners, null and false remove.
 * @template {Element} E
 * @param {E} element
 * @param {Record<string, any>} props
 */
export function set(element, props) {
  for (const [key, value] of Object.entries(props)) setOne(element, key, value);
  return element;
}

/**
 * @param {any} element
 * @param {string} key
 * @param {any} value
 */
function setOne(element, key, value) {
  if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
  else if (key === "style") setStyle(element, value);
  else if (key === "data") Object.assign(element.dataset, value);
  else if (value == null) element.removeAttribute(key);
  else if (key in element && !(element instanceof SVGElement) && !key.startsWith("aria")) element[key] = value;
  else if (value === false) element.removeAttribute(key);
  else element.setAttribute(key, value === true ? "" : value);
}

/**
 * Set style properties and custom properties.
 * @param {ElementCSSInlineStyle} element
 * @param {Record<string, string | number>} style
 */
export function setStyle(element, style) {
  for (const [name, value] of Object.entries(style)) element.style.setProperty(name, String(value));
}

/**
 * Replace an element's children.
 * @template {Element} E
 * @param {E} element
 * @param {Child[]} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
  return element;
}

/**
 * Write a text where it differs: what assistive technology watches changes only then.
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Keep one view per item in an element. Views are reused, so that a slider repaints boxes and not images.
 * @template {{ element: Element }} V
 * @param {Element} element
 * @param {() => V} make
 */
export function createList(element, make) {
  /** @type {V[]} */
  const views = [];
  return {
    views,
    /** @param {number} length */
    resize(length) {
      while (views.length > length) views.pop()?.element.remove();
      while (views.length < length) {
        const view = make();
        views.push(view);
        element.append(view.element);
      }
      return views;
    },
  };
}

/**
 * Return which of some elements has the focus, or -1.
 * @param {Iterable<Element>} elements
 */
export function indexOfFocus(elements) {
  return [...elements].indexOf(/** @type {Element} */ (document.activeElement));
}

let lastId = 0;

/** Return an id that no other element of the page has. */
export function uid(word = "e") {
  lastId += 1;
  return `dsel-${word}-${lastId}`;
}

/**
 * Draw one of lib/icons.js; it is decorative, and its control carries the label.
 * @param {string | string[]} paths
 */
export function icon(paths) {
  const lines = [paths].flat().map((d) => svg("path", { d }));
  return svg("svg.icon", { viewBox: "0 0 24 24", "aria-hidden": "true" }, lines);
}

/**
 * Create a button that shows an icon and carries its label as title and accessible name.
 * @param {string | string[]} paths
 * @param {string} label
 * @param {(event: MouseEvent) => unknown} onclick
 * @param {Record<string, any>} [props]
 */
export function iconButton(paths, label, onclick, props = {}) {
  return h("button.tool", { type: "button", title: label, "aria-label": label, onclick, ...props }, icon(paths));
}

/**
 * Create a placeholder where nothing can be shown.
 * @param {string} title
 */
export function empty(title, text = "") {
  return h("div.empty", {}, h("p.empty-title", {}, title), text && h("p", {}, text));
}

/**
 * Load a style sheet once.
 * @param {URL} url
 */
export function stylesheet(url) {
  if (document.querySelector(`link[href="${url}"]`)) return;
  document.head.append(h("link", { rel: "stylesheet", href: String(url) }));
}

/**
 * Toggle what a "?" button explains.
 * @param {HTMLElement} help
 * @param {string} label
 */
export function helpButton(help, label) {
  help.hidden = true;
  const button = h("button.about", { type: "button", "aria-label": label, "aria-expanded": "false" }, "?");
  if (help.id) button.setAttribute("aria-controls", help.id);
  button.addEventListener("click", () => {
    help.hidden = !help.hidden;
    button.setAttribute("aria-expanded", String(!help.hidden));
  });
  return button;
}
