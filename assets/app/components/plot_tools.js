// What dragging in the plot does, and how much of the plot is in view.

import { h, icon } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { FIRST_MODE } from "./scatter_plot.js";
import { createSegments } from "./segments.js";

const MODES = [
  { value: "lasso", label: "Lasso" },
  { value: "select", label: "Box" },
  { value: "pan", label: "Pan" },
];
const SCROLL = { value: "scroll", label: "Scroll" };
const ZOOM = 0.7;

/** @typedef {import("./scatter_plot.js").ScatterPlot} ScatterPlot */

/**
 * Create the tools of a plot, which may not be loaded yet.
 * @param {() => ScatterPlot | null} plot
 */
export function createPlotTools(plot) {
  const choices = FIRST_MODE === SCROLL.value ? [SCROLL, ...MODES] : MODES;
  const modes = createSegments("What dragging in the plot does", choices, (mode) => {
    plot()?.setDragMode(mode);
    modes.show(mode);
  });
  modes.element.classList.add("small");
  modes.show(FIRST_MODE);
  /**
   * @param {any} text
   * @param {string} label
   * @param {(plot: ScatterPlot) => void} action
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
