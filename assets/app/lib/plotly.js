// The plotting library: loaded once, from the file that the Python package brings, and coloured by the theme.

import { h } from "./dom.js";

/** @type {Promise<any> | undefined} */
let loading;

/**
 * Load plotly.js once.
 * @param {string} url
 */
export function loadPlotly(url) {
  loading ??= new Promise((resolve, reject) => {
    const onerror = () => {
      loading = undefined;
      reject(new Error("The plot could not be loaded. Is the app still running?"));
    };
    document.head.append(h("script", { src: url, onload: () => resolve(window.Plotly), onerror }));
  });
  return loading;
}

/**
 * Return colours of the theme by name, as they are inside an element of the page.
 * @param {Element} element
 * @param {string[]} names
 * @returns {Record<string, string>}
 */
export function plotTheme(element, names) {
  const style = getComputedStyle(element.closest(".dsel") ?? document.body);
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/**
 * Call a function when the page changes between light and dark.
 * @param {() => unknown} changed
 */
export function onThemeChange(changed) {
  new MutationObserver(changed).observe(document.body, { attributes: true, attributeFilter: ["class"] });
}
