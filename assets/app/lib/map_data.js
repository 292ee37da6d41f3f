// The images of the map: their positions and classes, what is known of each, and what is selected.

import { unpack } from "./arrays.js";

/** What the server answers to "map_marks" for a class whose figures are not there yet. */
const UNKNOWN = -1;
const WHOLE = ["cluster", "rank"];
const NUMBERS = ["score", "standard_error", "margin"];
const LARGEST = 65535;

/**
 * @typedef {{ cluster: Int16Array, rank: Int32Array, score: Float32Array, standard_error: Float32Array,
 *   margin: Float32Array, box: Int16Array, kept: Uint8Array }} Marks
 */

/** All images of a run's map, those of the first class first. */
export class MapData {
  /**
   * @param {{ positions: Packed, counts: Packed, sizes: Packed, fitted: number, problem: string }} result
   * @param {string[]} classes
   */
  constructor({ positions, counts, sizes, fitted, problem }, classes) {
    const places = unpack(positions).values;
    const perClass = unpack(counts).values;
    this.length = places.length / 2;
    this.fitted = fitted;
    this.problem = problem;
    this.classes = classes;
    this.x = new Float32Array(this.length);
    this.y = new Float32Array(this.length);
    for (let row = 0; row < this.length; row += 1) {
      this.x[row] = places[2 * row] / LARGEST;
      this.y[row] = places[2 * row + 1] / LARGEST;
    }
    this.starts = new Int32Array(classes.length + 1);
    this.classOf = new Uint16Array(this.length);
    for (let n = 0; n < classes.length; n += 1) {
      this.starts[n + 1] = this.starts[n] + perClass[n];
      this.classOf.fill(n, this.starts[n], this.starts[n + 1]);
    }
    this.sizes = unpack(sizes).values;
    /** @type {string[]} */
    this.ids = [];
    /** @type {Map<string, number> | null} */
    this.rows = null;
    /** Whether the figures of each class are there. */
    this.known = new Uint8Array(classes.length);
    this.marks = emptyMarks(this.length);
  }

  /**
   * Take what is known of the images of some classes.
   * @param {Record<string, any>} result
   */
  take({ classes, ...columns }) {
    const indices = classes.map((/** @type {string} */ name) => this.classes.indexOf(name));
    for (const [name, packed] of Object.entries(columns)) {
      const { values, shape } = unpack(packed);
      const width = shape[1] ?? 1;
      let from = 0;
      for (const index of indices) {
        const [start, end] = [this.starts[index], this.starts[index + 1]];
        const part = values.subarray(from, from + width * (end - start));
        /** @type {any} */ (this.marks)[name].set(part, width * start);
        from += part.length;
      }
    }
    for (const index of indices) this.known[index] = 1;
  }

  /**
   * Take the ids of all images, which come after their positions.
   * @param {{ ids: Packed }} result
   */
  async takeIds({ ids }) {
    const bytes = /** @type {any} */ (unpack(ids).values);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    this.ids = JSON.parse(await new Response(stream).text());
  }

  /**
   * Return the row of an image, or -1.
   * @param {string} id
   */
  rowOf(id) {
    if (!this.ids.length) return UNKNOWN;
    this.rows ??= new Map(this.ids.map((one, row) => [one, row]));
    return this.rows.get(id) ?? UNKNOWN;
  }

  /**
   * Return width and height of an image's proxy.
   * @param {number} row
   * @returns {Size}
   */
  sizeOf(row) {
    const at = this.sizes.length > 2 ? 2 * row : 0;
    return [this.sizes[at], this.sizes[at + 1]];
  }

  /**
   * Group the rows of a mask by class, as a selection has them.
   * @param {ArrayLike<number>} mask 1 for each image that counts
   */
  groupsOf(mask) {
    /** @type {import("./selection.js").Groups} */
    const groups = {};
    for (let row = 0; row < this.length; row += 1) {
      if (!mask[row]) continue;
      const name = this.classes[this.classOf[row]];
      groups[name] ??= [];
      groups[name].push(this.ids[row]);
    }
    return groups;
  }

  /**
   * Return 1 for each image of some groups.
   * @param {import("./selection.js").Groups} groups
   */
  maskOf(groups) {
    const mask = new Uint8Array(this.length);
    for (const ids of Object.values(groups)) {
      for (const id of ids) {
        const row = this.rowOf(id);
        if (row >= 0) mask[row] = 1;
      }
    }
    return mask;
  }

  /**
   * Return 1 for each image whose id or class contains all words.
   * @param {string} text
   */
  matching(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const mask = new Uint8Array(this.length);
    const names = this.classes.map((name) => name.toLowerCase());
    for (let row = 0; row < this.ids.length; row += 1) {
      const whole = `${this.ids[row].toLowerCase()} ${names[this.classOf[row]]}`;
      if (words.every((word) => whole.includes(word))) mask[row] = 1;
    }
    return mask;
  }
}

/**
 * @param {number} length
 * @returns {Marks}
 */
function emptyMarks(length) {
  const whole = Object.fromEntries(WHOLE.map((name) => [name, new Int32Array(length).fill(UNKNOWN)]));
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, new Float32Array(length).fill(Number.NaN)]));
  const box = new Int16Array(4 * length).fill(UNKNOWN);
  return /** @type {any} */ ({ ...whole, ...numbers, box, kept: new Uint8Array(length) });
}

/**
 * Return the classes whose figures two settings may give differently: all, unless only decisions by hand differ.
 * @param {SelectSettings} before
 * @param {SelectSettings} after
 * @param {MapData} data
 * @returns {number[]}
 */
export function changedClasses(before, after, data) {
  const { pins: a, bans: b, moves: c, ...rest } = before;
  const { pins, bans, moves, ...others } = after;
  if (JSON.stringify(rest) !== JSON.stringify(others)) return data.classes.map((_, n) => n);
  const changed = [
    ...differing(a, pins),
    ...differing(b, bans),
    ...differing(c, moves).map((one) => one.slice(0, one.lastIndexOf("@"))),
  ];
  const found = changed.map((id) => data.rowOf(id)).filter((row) => row >= 0);
  return [...new Set(found.map((row) => data.classOf[row]))];
}

/**
 * Return what only one of two lists has; all, where their order differs.
 * @param {string[]} a
 * @param {string[]} b
 */
function differing(a, b) {
  const [inA, inB] = [new Set(a), new Set(b)];
  const found = [...a.filter((one) => !inB.has(one)), ...b.filter((one) => !inA.has(one))];
  return found.length || a.join("\n") === b.join("\n") ? found : a;
}
