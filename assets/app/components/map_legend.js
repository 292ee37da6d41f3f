// The legend of the map: values that can be pressed, which selects their images, or a scale.

import { fill, h } from "../lib/dom.js";
import { count } from "../lib/format.js";

const MOST = 200;

/** @typedef {import("../lib/map_colors.js").Coloring} Coloring */

/**
 * Create the legend; `press(value, label)` is called when a value is pressed.
 * @param {(value: number, label: string) => void} press
 */
export function createMapLegend(press) {
  const list = h("ul.map-legend", { "aria-label": "Colours; press one to select its images" });
  const scale = h("figure.legend.map-scale");
  const note = h("p.soft");
  return {
    element: h("div.map-legends", {}, list, scale, note),
    /**
     * @param {Coloring} coloring
     */
    show({ entries, range, table }) {
      const items = entries.slice(0, MOST).map(({ label, color, count: images, value }) => {
        const mark = h("span.swatch", { "aria-hidden": "true", style: { background: color } });
        const onclick = () => press(value, label);
        const title = `Select the ${count(images)} images of ${label}`;
        const button = h("button", { type: "button", onclick, title }, mark, h("span.name", {}, label));
        button.append(h("span.soft", {}, count(images)));
        return h("li", {}, button);
      });
      fill(list, items);
      list.hidden = !entries.length;
      scale.hidden = !range;
      note.hidden = entries.length <= MOST;
      note.textContent = `The first ${count(MOST)} of ${count(entries.length)} are listed; search finds the others.`;
      if (range) showScale(scale, range, table);
    },
  };
}

/**
 * @param {HTMLElement} figure
 * @param {NonNullable<Coloring["range"]>} range
 * @param {Uint32Array | ArrayLike<number>} table packed colours
 */
function showScale(figure, { low, high, caption, write }, table) {
  const last = table.length - 2; // the colour of what is unknown comes after the scale
  const stops = Array.from({ length: 17 }, (_, n) => cssColor(table[Math.round((n * last) / 16)]));
  const ticks = [low, (low + high) / 2, high].map((value) => h("span", {}, write(value)));
  const bar = h("div.bar", { style: { background: `linear-gradient(90deg, ${stops.join()})` } });
  fill(figure, bar, h("div.ticks", { title: caption }, ticks), h("figcaption", {}, caption));
}

/**
 * Write a packed colour for CSS.
 * @param {number} color
 */
export function cssColor(color) {
  return `rgb(${color & 255} ${(color >> 8) & 255} ${(color >> 16) & 255})`;
}
