// The plane: a class's images as points that are coloured, picked and lassoed; plotly.js draws it.

import { h } from "../lib/dom.js";
import { symbolOf } from "./cluster_mark.js";
import { clusterColour } from "./gallery.js";

const GLIDE_MS = 150;
const MARGIN = 0.06;
const MANY = 3000;
const CORNERS = 400;
const SIZE = { usual: 9, kept: 14, none: 6 };

/** Load plotly.js once, from the file that the Python package brings. */
export function loadPlotly(url) {
  loadPlotly.once ??= new Promise((resolve, reject) => {
    const fail = () => {
      loadPlotly.once = undefined;
      reject(new Error("The plot could not be loaded: is the app still running?"));
    };
    document.head.append(h("script", { src: url, onload: () => resolve(window.Plotly), onerror: fail }));
  });
  return loadPlotly.once;
}

/**
 * A plot in an element. `on.pick(row)`, `on.lasso(polygon or null)`, `on.hover(row or -1, {x, y})`.
 * Rows are the images' places in the arrays; the points move only by `place`.
 */
export function createPlane(Plotly, element, on) {
  const rings = { chosen: h("span.ring.chosen"), pointed: h("span.ring.pointed") };
  const at = { chosen: -1, pointed: -1 };
  let places = { x: [], y: [] };
  let painted = null;
  let drawn = null;
  let drag = "lasso";
  const plot = h("div.plot-canvas");
  element.append(plot, h("div.rings", { "aria-hidden": "true" }, rings.pointed, rings.chosen));
  new ResizeObserver(() => drawn && element.clientWidth && Plotly.Plots.resize(plot)).observe(element);
  return {
    place,
    paint,
    ring,
    mode,
    zoom,
    reset,
    clear: clearOutline,
    theme: () => drawn && painted && restyle(layoutColours()),
  };

  /** Put the points somewhere; they glide where they were already. */
  async function place(next, glide) {
    const same = drawn && next.x.length === places.x.length;
    places = next;
    if (same && glide) {
      hideRings();
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (still || plot.data[0].type !== "scatter")
        await Plotly.update(plot, { x: [next.x], y: [next.y] }, ranges(next), [0]);
      else {
        await Plotly.animate(
          plot,
          { data: [{ x: next.x, y: next.y }], traces: [0], layout: nested(ranges(next)) },
          { transition: { duration: GLIDE_MS, easing: "linear" }, frame: { duration: GLIDE_MS, redraw: false } },
        );
      }
      return showRings();
    }
    drawn = null;
  }

  /** Colour the points; the first time, draw them. */
  async function paint(marks, isIn) {
    painted = { marks, isIn };
    if (drawn) return restyle();
    const type = places.x.length > MANY && hasWebGl() ? "scattergl" : "scatter";
    const trace = {
      type,
      mode: "markers",
      x: places.x,
      y: places.y,
      hoverinfo: "none",
      marker: markers(),
      selected: { marker: { opacity: 1 } },
      unselected: { marker: { opacity: 1 } },
      cliponaxis: false,
    };
    drawn = Plotly.newPlot(plot, [trace], layoutOf(), {
      displayModeBar: false,
      displaylogo: false,
      doubleClick: false,
      responsive: false,
      showTips: false,
    });
    await drawn;
    listen();
    showRings();
    return undefined;
  }

  function restyle(layout = {}) {
    const style = Object.fromEntries(Object.entries(flat("marker", markers())).map(([key, value]) => [key, [value]]));
    return Plotly.update(plot, style, layout, [0]);
  }

  function markers() {
    const { marks, isIn } = painted;
    const look = tokens();
    const rows = Array.from(marks.cluster.keys());
    const colour = (row) => (marks.cluster[row] < 0 || !isIn(row) ? look.grey : clusterColour(marks.cluster[row]));
    return {
      color: rows.map(colour),
      opacity: 1,
      symbol: rows.map((row) => (marks.cluster[row] < 0 ? "circle-open" : symbolOf(marks.cluster[row]).plotly)),
      size: rows.map((row) => (marks.cluster[row] < 0 ? SIZE.none : marks.kept[row] ? SIZE.kept : SIZE.usual)),
      line: {
        width: rows.map((row) => (marks.kept[row] ? 2 : 0.75)),
        color: rows.map((row) => (!marks.kept[row] ? look.surface : isIn(row) ? look.ink : look.soft)),
      },
    };
  }

  function tokens() {
    const style = getComputedStyle(element);
    const token = (name) => style.getPropertyValue(name).trim();
    return {
      ink: token("--ink"),
      soft: token("--soft"),
      grey: token("--track"),
      surface: token("--surface"),
      accent: token("--accent"),
    };
  }

  function layoutColours() {
    const { accent } = tokens();
    return { "newselection.line.color": accent, "activeselection.fillcolor": accent };
  }

  function layoutOf() {
    const axis = { visible: false, fixedrange: false, zeroline: false, showgrid: false };
    const { accent } = tokens();
    const range = nested(ranges(places));
    return {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 0, r: 0, t: 0, b: 0 },
      showlegend: false,
      dragmode: drag,
      hovermode: "closest",
      hoverdistance: 12,
      autosize: true,
      newselection: { mode: "immediate", line: { color: accent, width: 1.5, dash: "dot" } },
      activeselection: { fillcolor: accent, opacity: 0.08 },
      xaxis: { ...axis, ...range.xaxis },
      yaxis: { ...axis, ...range.yaxis, scaleanchor: "x" },
    };
  }

  function ranges({ x, y }) {
    return { "xaxis.range": spread(x), "yaxis.range": spread(y) };
  }

  function listen() {
    plot.on("plotly_click", ({ points: [point] }) => point && on.pick(point.pointNumber));
    plot.on("plotly_hover", ({ points: [point] }) => point && on.hover(point.pointNumber, pixel(point.pointNumber)));
    plot.on("plotly_unhover", () => on.hover(-1));
    plot.on("plotly_selected", (event) => {
      const polygon = event && polygonOf(event);
      if (!polygon) return;
      on.lasso(polygon);
      // What was drawn would be a handle, in the way of the next one; the greyed points say the rest.
      setTimeout(clearOutline);
    });
    plot.on("plotly_relayout", showRings);
    plot.on("plotly_relayouting", hideRings);
    plot.on("plotly_afterplot", showRings);
    plot.on("plotly_doubleclick", () => on.lasso(null));
  }

  /** Where a point lies in the element, in CSS pixels. */
  function pixel(row) {
    const { xaxis, yaxis } = plot._fullLayout;
    return { x: xaxis._offset + xaxis.d2p(places.x[row]), y: yaxis._offset + yaxis.d2p(places.y[row]) };
  }

  function ring(kind, row) {
    at[kind] = row;
    showRings();
  }

  function showRings() {
    for (const [kind, row] of Object.entries(at)) {
      const there = row >= 0 && plot._fullLayout?.xaxis && row < places.x.length;
      rings[kind].hidden = !there;
      if (!there) continue;
      const { x, y } = pixel(row);
      rings[kind].style.transform = `translate(${x}px, ${y}px)`;
    }
  }

  function hideRings() {
    Object.values(rings).forEach((one) => (one.hidden = true));
  }

  function mode(name) {
    drag = name;
    return drawn && Plotly.relayout(plot, { dragmode: name });
  }

  function zoom(by) {
    const { xaxis, yaxis } = plot._fullLayout;
    const scaled = ({ range: [a, b] }) => [(a + b) / 2 - ((b - a) * by) / 2, (a + b) / 2 + ((b - a) * by) / 2];
    return Plotly.relayout(plot, { "xaxis.range": scaled(xaxis), "yaxis.range": scaled(yaxis) });
  }

  function reset() {
    return Plotly.relayout(plot, ranges(places));
  }

  function clearOutline() {
    if (drawn && plot.layout?.selections?.length) return Plotly.relayout(plot, { selections: [] });
    return undefined;
  }
}

/** The corners of what was drawn, flat: x, y, x, y; not more of them than a question may carry. */
function polygonOf({ lassoPoints, range }) {
  if (range) {
    const [[a, b], [c, d]] = [range.x, range.y];
    return [a, c, b, c, b, d, a, d];
  }
  if (!lassoPoints || lassoPoints.x.length < 3) return null;
  const step = Math.ceil(lassoPoints.x.length / CORNERS);
  return Array.from(lassoPoints.x).flatMap((x, n) => (n % step ? [] : [x, lassoPoints.y[n]]));
}

function nested(dotted) {
  return { xaxis: { range: dotted["xaxis.range"] }, yaxis: { range: dotted["yaxis.range"] } };
}

function spread(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const more = MARGIN * (high - low) || 1;
  return values.length ? [low - more, high + more] : [-1, 1];
}

function flat(prefix, values) {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) =>
      value && value.constructor === Object
        ? Object.entries(flat(`${prefix}.${key}`, value))
        : [[`${prefix}.${key}`, value]],
    ),
  );
}

function hasWebGl() {
  return Boolean(document.createElement("canvas").getContext("webgl"));
}
