// How much room the page takes: whether the settings are folded, and whether everything is smaller.

import { recall, remember } from "./storage.js";

const KEYS = { folded: "dsel-folded", compact: "dsel-compact" };
/** @typedef {keyof typeof KEYS} Mode also the class of the page's root */

/**
 * Apply what was chosen in an earlier visit.
 * @param {HTMLElement} root
 */
export function applyDensity(root) {
  for (const [mode, key] of Object.entries(KEYS)) root.classList.toggle(mode, recall(key) === "on");
}

/**
 * Switch a mode on or off, and remember it.
 * @param {HTMLElement} root
 * @param {Mode} mode
 */
export function toggleDensity(root, mode) {
  const on = root.classList.toggle(mode);
  remember(KEYS[mode], on ? "on" : "");
  root.dispatchEvent(new CustomEvent("density"));
  return on;
}
