// Arrays of numbers as Python packs them, and maps of values as colours.

import { h, number } from "./dom.js";
import { decode } from "./images.js";

const KINDS = {
  f4: Float32Array,
  f8: Float64Array,
  i4: Int32Array,
  u1: Uint8Array,
  u2: Uint16Array,
  i8: BigInt64Array,
};

/** A packed array: `{ values, shape }`. */
export function unpack({ type, shape, data }) {
  return { values: new KINDS[type](decode(data).buffer), shape };
}

/** What draws maps, by the colours that Python says (so that both agree). */
export function createHeat(colours) {
  const tables = Object.fromEntries(Object.entries(colours).map(([name, table]) => [name, unpack(table).values]));

  /** Colour a map (h, w) into a canvas, one pixel per cell; alpha is a function of the share of the scale. */
  function draw(canvas, { values, shape }, { low, high }, alpha = null) {
    const [rows, columns] = shape.slice(-2);
    set(canvas, columns, rows);
    const table = tables[low < 0 ? "signed" : "unsigned"];
    const context = canvas.getContext("2d");
    const image = context.createImageData(columns, rows);
    const reach = Math.max(high - low, 1e-12);
    for (let cell = 0; cell < rows * columns; cell += 1) {
      const value = Number.isFinite(values[cell]) ? values[cell] : Math.max(low, 0);
      const share = Math.min(Math.max((value - low) / reach, 0), 1);
      const colour = 3 * Math.round(255 * share);
      image.data[4 * cell] = table[colour];
      image.data[4 * cell + 1] = table[colour + 1];
      image.data[4 * cell + 2] = table[colour + 2];
      image.data[4 * cell + 3] = alpha ? Math.round(255 * alpha(Math.abs(2 * share - 1))) : 255;
    }
    context.putImageData(image, 0, 0);
  }

  /** The colour scale as CSS. */
  function gradient(signed) {
    const table = tables[signed ? "signed" : "unsigned"];
    const stops = Array.from({ length: 17 }, (_, n) => Math.round((n * 255) / 16));
    return `linear-gradient(90deg, ${stops.map((n) => `rgb(${table.slice(3 * n, 3 * n + 3).join()})`).join()})`;
  }

  /** A legend: the scale, its ends, its middle, and what it is of. */
  function legend({ low, high }, label) {
    const middle = low < 0 ? "0" : number((low + high) / 2);
    return h(
      "figure.legend",
      {},
      h("div.bar", { style: { background: gradient(low < 0) } }),
      h(
        "div.ticks",
        {},
        [number(low), middle, number(high)].map((text) => h("span", {}, text)),
      ),
      h("figcaption", {}, label),
    );
  }

  return { draw, legend, gradient };
}

function set(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/** The ends of a scale over some values: from 0 alike to both sides, or from the least to the most. */
export function endsOf(values, signed) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!signed) return { low: Math.max(low, 0), high };
  const end = Math.max(Math.abs(low), Math.abs(high), 1e-12);
  return { low: -end, high: end };
}
