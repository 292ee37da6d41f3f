// Accuracy against IPC with standard errors, or one line for each set where there is a single IPC; drawn by plotly.js.

import { CLUSTER_COLORS } from "../lib/colors.js";
import { h } from "../lib/dom.js";
import { accuracyText, ipcsOf, RANDOM, SET } from "../lib/evaluations.js";
import { plotTheme } from "../lib/plotly.js";

/** @typedef {import("../lib/evaluations.js").Series} Series */
/** @typedef {{ ink: string, soft: string, line: string, accent: string, surface: string }} Theme */

const CONFIG = { displayModeBar: false, displaylogo: false, doubleClick: false, responsive: false, showTips: false };
/** Neighbours on the logarithmic axis are moved apart by this factor, so that error bars do not hide each other. */
const APART = 1.025;
const ROW_PX = 30;
const AXES_PX = 70;
const CURVES_PX = 380;

export class AccuracyPlot {
  /** @param {any} Plotly */
  constructor(Plotly) {
    this.Plotly = Plotly;
    this.element = h("div.accuracy-plot", { role: "img" });
    /** @type {Series[]} */
    this.series = [];
    this.drawn = false;
    new ResizeObserver(() => this.drawn && this.element.clientWidth && Plotly.Plots.resize(this.element)).observe(
      this.element,
    );
  }

  /** @param {Series[]} series */
  async show(series) {
    this.series = series;
    const { element } = this;
    const theme = /** @type {Theme} */ (plotTheme(element, ["ink", "soft", "line", "accent", "surface"]));
    const isSingle = ipcsOf(series).length < 2;
    const ordered = isSingle ? byAccuracy(series) : series;
    const height = isSingle ? AXES_PX + ROW_PX * Math.max(ordered.length, 2) : CURVES_PX;
    element.style.height = `${height}px`;
    element.setAttribute("aria-label", description(series));
    const traces = isSingle ? dotTraces(ordered, theme) : curveTraces(series, theme);
    const layout = isSingle ? dotLayout(ordered, theme) : curveLayout(series, theme);
    await this.Plotly.react(element, traces, { ...common(theme), height, ...layout }, CONFIG);
    this.drawn = true;
  }

  /** Follow a change between light and dark. */
  updateTheme() {
    return this.drawn && this.show(this.series);
  }
}

/** @param {Series[]} series */
function byAccuracy(series) {
  return [...series].sort((a, b) => a.points[0].mean - b.points[0].mean);
}

/** @param {Series[]} series */
function description(series) {
  const best = series.map(({ label, points }) => {
    const last = points[points.length - 1];
    return `${label} ${accuracyText(last.mean, last.sd)} % at IPC ${last.ipc}`;
  });
  return `Accuracy of students by set: ${best.join("; ")}`;
}

/**
 * The colour, dash and weight of each series: the sets of dsel stand out, random whole images are the yardstick.
 * @param {Series[]} series
 * @param {Theme} theme
 */
function looks(series, { accent, soft }) {
  let [set, other] = [0, 0];
  return series.map(({ name, current }) => {
    if (name === SET && current) return { color: accent, dash: "solid", width: 3, size: 10 };
    if (name === RANDOM) return { color: soft, dash: "dash", width: 2, size: 8 };
    const isSet = name === SET;
    const color = CLUSTER_COLORS[(isSet ? set++ : 2 + other++) % CLUSTER_COLORS.length];
    return { color, dash: isSet ? "solid" : "dot", width: isSet ? 2.5 : 1.5, size: isSet ? 9 : 7 };
  });
}

/**
 * @param {Series} series
 * @param {{ color: string }} look
 * @param {"x" | "y"} axis
 */
function errorBars({ points }, { color }, axis) {
  const array = points.map((point) => 100 * point.error);
  return { [`error_${axis}`]: { type: "data", array, color, thickness: 1.5, width: 4 } };
}

/** @param {Series} series */
function hoverTexts({ label, points }) {
  return points.map(({ ipc, mean, sd, students }) => {
    const count = `${students} student${students === 1 ? "" : "s"}`;
    return `${label}<br>IPC ${ipc}: ${accuracyText(mean, sd)} %, ${count}`;
  });
}

/**
 * @param {Series[]} series
 * @param {Theme} theme
 */
function curveTraces(series, theme) {
  const all = looks(series, theme);
  return series.map((one, n) => {
    const { color, dash, width, size } = all[n];
    const shift = APART ** (n - (series.length - 1) / 2);
    return {
      type: "scatter",
      mode: "lines+markers",
      name: one.label,
      x: one.points.map((point) => point.ipc * shift),
      y: one.points.map((point) => 100 * point.mean),
      line: { color, dash, width },
      marker: { color, size },
      text: hoverTexts(one),
      hoverinfo: "text",
      cliponaxis: false,
      ...errorBars(one, all[n], "y"),
    };
  });
}

/**
 * @param {Series[]} series
 * @param {Theme} theme
 */
function dotTraces(series, theme) {
  const all = looks(series, theme);
  return series.map((one, n) => ({
    type: "scatter",
    mode: "markers",
    name: one.label,
    x: [100 * one.points[0].mean],
    y: [n],
    marker: { color: all[n].color, size: all[n].size + 2 },
    text: hoverTexts(one),
    hoverinfo: "text",
    cliponaxis: false,
    ...errorBars(one, all[n], "x"),
  }));
}

/** @param {Theme} theme */
function common({ ink, surface, line }) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: ink },
    hovermode: "closest",
    hoverlabel: { bgcolor: surface, bordercolor: line, font: { color: ink } },
    dragmode: false,
    autosize: true,
  };
}

/** @param {Theme} theme */
function axis({ line, soft }) {
  return { gridcolor: line, linecolor: line, zeroline: false, fixedrange: true, tickfont: { color: soft } };
}

/**
 * @param {Series[]} series
 * @param {Theme} theme
 */
function curveLayout(series, theme) {
  const ipcs = ipcsOf(series);
  return {
    margin: { l: 52, r: 16, t: 8, b: 44 },
    showlegend: true,
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", itemdoubleclick: false },
    xaxis: { ...axis(theme), type: "log", tickvals: ipcs, ticktext: ipcs, title: { text: "Images per class (IPC)" } },
    yaxis: { ...axis(theme), ticksuffix: " %", title: { text: "Accuracy" }, rangemode: "tozero" },
  };
}

/**
 * @param {Series[]} series
 * @param {Theme} theme
 */
function dotLayout(series, theme) {
  const [ipc] = ipcsOf(series);
  const names = series.map((one) => one.label);
  return {
    margin: { l: 8, r: 16, t: 8, b: 44 },
    showlegend: false,
    xaxis: { ...axis(theme), ticksuffix: " %", title: { text: `Accuracy at IPC ${ipc}` }, rangemode: "tozero" },
    yaxis: {
      ...axis(theme),
      tickvals: names.map((_, n) => n),
      ticktext: names,
      range: [-0.6, names.length - 0.4],
      automargin: true,
      tickfont: { color: theme.ink },
      ticks: "outside",
      ticklen: 6,
      tickcolor: "rgba(0,0,0,0)",
    },
  };
}
