// The page before Gradio is there: drawn at once, and moved into Gradio's element once that exists.
// Gradio is loaded when the first picture is shown, which would wait for its files otherwise.

import { h } from "./lib/dom.js";
import { applyTheme } from "./lib/theme.js";
import { boot, open } from "./main.js";

/** @typedef {{ frame: HTMLElement, root: HTMLElement, style: HTMLElement }} EarlyPage */

/** Gradio is not kept waiting for longer by a first picture that does not come. */
const LATEST_MS = 8000;
const AGAIN_MS = 200;
/** Whether elements keep their focus, and dialogs stay modal, where they are moved. */
const KEEPS_STATE = "moveBefore" in Element.prototype;

/** @type {EarlyPage | null} */
let early = null;

/**
 * Draw the page in a frame of its own, over what Gradio shows while it loads; not if Gradio was faster.
 * @param {string} address of the routes
 */
export function begin(address) {
  setTimeout(loadGradio, LATEST_MS);
  if (document.querySelector(".dsel")) return;
  const base = new URL(address, document.baseURI).href;
  const style = h("style", {}, earlyStyles(window.gradio_config?.css ?? ""));
  const root = h("div.dsel", { "aria-busy": "true" });
  const frame = h("div.gradio-container.dsel-early", { id: "dsel" }, root);
  document.head.append(style);
  document.body.prepend(frame);
  early = { frame, root, style };
  boot({ element: frame, base, opened: open(base) }).finally(loadGradio);
}

/**
 * Return the style sheets, which Gradio brings in its settings and adds when it has loaded. It puts three classes
 * before each selector that does not name its own element, so these count as much here: once more inside such a rule.
 * @param {string} css
 */
function earlyStyles(css) {
  return `${css}\n.gradio-container.dsel-early.dsel-early { ${css} }`;
}

/** Load Gradio's module, which the page names but does not load; once. */
function loadGradio() {
  const held = /** @type {HTMLScriptElement | null} */ (document.querySelector("script[data-gradio]"));
  held?.replaceWith(h("script", { type: "module", crossOrigin: "anonymous", src: held.src }));
}

/**
 * Take Gradio's element: move the page into it, or draw the page there if it was not begun.
 * @param {HTMLElement} element
 * @param {string} base
 */
export function settle(element, base) {
  const place = /** @type {HTMLElement} */ (element.querySelector(".dsel"));
  if (early) whenFree(early, place);
  else boot({ element, base, opened: open(base) });
  early = null;
}

/**
 * Move the page, but not while a pointer holds a part of it, nor an open dialog where a move would close it.
 * @param {EarlyPage} page
 * @param {HTMLElement} place
 */
function whenFree(page, place) {
  const { root } = page;
  const isHeld = root.matches(":active") || (!KEEPS_STATE && root.querySelector("dialog:modal"));
  if (isHeld) setTimeout(() => whenFree(page, place), AGAIN_MS);
  else move(page, place);
}

/**
 * @param {EarlyPage} page
 * @param {HTMLElement} place
 */
function move({ frame, root, style }, place) {
  const parent = /** @type {any} */ (place.parentElement);
  const focused = document.activeElement;
  if (KEEPS_STATE) parent.moveBefore(root, place);
  else place.before(root);
  for (const one of [place, frame, style]) one.remove();
  applyTheme(); // Gradio has applied that of the system
  if (root.contains(focused)) refocus(/** @type {HTMLElement} */ (focused));
}

/**
 * Give the focus back, as soon as Gradio shows its element, unless it is elsewhere by then.
 * @param {HTMLElement} element
 */
function refocus(element, tries = 10) {
  if (document.activeElement !== document.body) return;
  element.focus({ preventScroll: true });
  if (tries) setTimeout(() => refocus(element, tries - 1), AGAIN_MS);
}
