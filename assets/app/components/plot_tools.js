// What dragging in the plot does, and how much of the plot is in view.

import { h, icon } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { FIRST_MODE } from "./scatter_plot.js";
import { createSegments } from "./segments.js";

/** What dragging may do. @type {Record<string, { value: string, label: string }>} */
const MODES = {
  lasso: { value: "lasso", label: "Lasso" },
  select: { value: "select", label: "Box" },
  pan: { value: "pan", label: "Pan" },
};
const SCROLL = { value: "scroll", label: "Scroll" };
const ZOOM = 0.7;

/**
 * A plot with tools; `zoom` scales the ranges that are seen, so that less than 1 zooms in.
 * @typedef {{ setDragMode(mode: string): unknown, zoom(by: number): unknown, reset(): unknown }} Plot
 */

/**
 * Create the tools of a plot, which may not be loaded yet; the first mode is what dragging does at first, unless a
 * finger scrolls.
 * @param {() => Plot | null} plot
 * @param {string[]} [offered]
 */
export function createPlotTools(plot, offered = Object.keys(MODES)) {
  const all = offered.map((mode) => MODES[mode]);
  const choices = FIRST_MODE === SCROLL.value ? [SCROLL, ...all] : all;
  const modes = createSegments("What dragging in the plot does", choices, (mode) => {
    plot()?.setDragMode(mode);
    modes.show(mode);
  });
  modes.element.classList.add("small");
  modes.show(choices[0].value);
  /**
   * @param {any} text
   * @param {string} label
   * @param {(plot: Plot) => void} action
   */
  const tool = (text, label, action) => {
    const onclick = () => {
      const current = plot();
      if (current) action(current);
    };
    return h("button.tool", { type: "button", title: label, "aria-label": label, onclick }, text);
  };
  return h(
    "div.plot-tools",
    {},
    modes.element,
    tool("+", "Zoom in", (one) => one.zoom(ZOOM)),
    tool("−", "Zoom out", (one) => one.zoom(1 / ZOOM)),
    tool(icon(ICONS.reset), "Show all points", (one) => one.reset()),
  );
}
