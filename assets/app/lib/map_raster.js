// Draws very many points on an array of pixels. It needs no graphics processor: 100,000 points take some milliseconds.

/**
 * What part of the plane is seen: the point in the middle, and CSS pixels per unit of the plane.
 * @typedef {{ x: number, y: number, scale: number }} Camera
 */
/**
 * The points: where they are, which colour each has, and its style (see `STYLES`).
 * @typedef {{ x: Float32Array, y: Float32Array, shade: Uint16Array, style: Uint8Array }} Points
 */
/**
 * The points that are seen, by style: those of style s are from starts[s] on. Places are in pixels.
 * @typedef {{ x: Int32Array, y: Int32Array, row: Int32Array, starts: number[], count: number }} Seen
 */
/** @typedef {{ pixels: Uint32Array, width: number, height: number }} Canvas */

/** How a point is drawn; those of a later style lie above the others. */
export const STYLES = { hidden: 0, dimmed: 1, usual: 2, kept: 3 };

const ALPHA = 0xff000000;
/** Cells of the density are so many pixels wide. */
const CELL = 2;
/** From so many points on, discs have no smooth edges. */
const CROWD = 15000;
/** How far beyond the canvas points still reach into it, in pixels. */
const MARGIN = 32;
/** The share of the ink that one point puts in its cell. */
const INK = 0.42;

/**
 * Pack a colour of three bytes as a canvas stores it on little-endian machines: all that browsers run on.
 * @param {number} red
 * @param {number} green
 * @param {number} blue
 */
export function packColor(red, green, blue) {
  return (ALPHA | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * Read a colour such as "#4e79a7".
 * @param {string} text
 */
export function parseColor(text) {
  const value = Number.parseInt(text.slice(1), 16);
  return packColor(value >> 16, (value >> 8) & 255, value & 255);
}

/**
 * Draw each point as a disc, in the order of the styles; points of the style "kept" are larger and have an outline.
 * @param {Canvas} canvas
 * @param {Seen} seen
 * @param {Points} points
 * @param {{ table: Uint32Array, dimmed: number, outline: number, edge: number, radius: number }} look
 */
export function drawDiscs(canvas, seen, { shade }, { table, dimmed, outline, edge, radius }) {
  // Smooth edges cost more than the rest, and nobody sees them in a crowd.
  const isSoft = seen.count < CROWD;
  const usual = createStamp(radius, isSoft);
  const halo = createStamp(radius + 1, isSoft);
  const kept = [createStamp(1.35 * radius + 2, isSoft), createStamp(1.35 * radius, isSoft)];
  const { x, y, row, starts } = seen;
  for (let n = starts[STYLES.dimmed]; n < starts[STYLES.usual]; n += 1) stamp(canvas, usual, x[n], y[n], dimmed);
  const hasHalo = radius >= 3.5;
  for (let n = starts[STYLES.usual]; n < starts[STYLES.kept]; n += 1) {
    if (hasHalo) stamp(canvas, halo, x[n], y[n], edge);
    stamp(canvas, usual, x[n], y[n], table[shade[row[n]]]);
  }
  for (let n = starts[STYLES.kept]; n < seen.count; n += 1) {
    stamp(canvas, kept[0], x[n], y[n], outline);
    stamp(canvas, kept[1], x[n], y[n], table[shade[row[n]]]);
  }
}

/**
 * Draw how dense the points are: the more of them, the more ink, in the mean of their colours.
 * @param {Canvas} canvas
 * @param {Seen} seen
 * @param {Points} points
 * @param {{ table: Uint32Array, dimmed: number }} look
 */
export function drawDensity(canvas, seen, { shade }, { table, dimmed }) {
  const [columns, rows] = [Math.ceil(canvas.width / CELL), Math.ceil(canvas.height / CELL)];
  const sums = new Float32Array(4 * columns * rows);
  const { x, y, row, starts } = seen;
  for (let n = 0; n < seen.count; n += 1) {
    const [column, line] = [x[n] >> 1, y[n] >> 1];
    if (column < 0 || line < 0 || column >= columns || line >= rows) continue;
    addInk(sums, 4 * (line * columns + column), n < starts[STYLES.usual] ? dimmed : table[shade[row[n]]]);
  }
  const spread = blurred(blurred(sums, 4, 4 * columns, columns, rows), 4 * columns, 4, rows, columns);
  writeInk(canvas, spread, columns);
}

/**
 * @param {Float32Array} sums
 * @param {number} at
 * @param {number} color
 */
function addInk(sums, at, color) {
  sums[at] += color & 255;
  sums[at + 1] += (color >> 8) & 255;
  sums[at + 2] += (color >> 16) & 255;
  sums[at + 3] += 1;
}

/**
 * Blur along lines with the weights 1, 2, 1; four values a cell.
 * @param {Float32Array} from
 * @param {number} step between neighbours of a line
 * @param {number} lineStep between lines
 * @param {number} length of a line
 * @param {number} lines
 */
function blurred(from, step, lineStep, length, lines) {
  const to = new Float32Array(from.length);
  for (let line = 0; line < lines; line += 1) {
    for (let n = 0; n < length; n += 1) {
      const at = line * lineStep + n * step;
      const before = n ? at - step : at;
      const after = n < length - 1 ? at + step : at;
      if (from[before + 3] + from[at + 3] + from[after + 3] === 0) continue;
      for (let channel = 0; channel < 4; channel += 1) {
        to[at + channel] = (from[before + channel] + 2 * from[at + channel] + from[after + channel]) / 4;
      }
    }
  }
  return to;
}

/**
 * @param {Canvas} canvas
 * @param {Float32Array} sums
 * @param {number} columns
 */
function writeInk({ pixels, width, height }, sums, columns) {
  for (let y = 0; y < height; y += 1) {
    const line = (y >> 1) * columns;
    for (let x = 0; x < width; x += 1) {
      const at = 4 * (line + (x >> 1));
      const count = sums[at + 3];
      if (!count) continue;
      const alpha = Math.round(255 * (1 - Math.exp(-4 * INK * count)));
      const [red, green, blue] = [sums[at] / count, sums[at + 1] / count, sums[at + 2] / count];
      pixels[y * width + x] = ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    }
  }
}

/**
 * Find the points that are seen, sorted by their styles.
 * @param {{ width: number, height: number }} canvas
 * @param {Points} points
 * @param {Camera} camera in pixels of the canvas
 * @returns {Seen}
 */
export function findSeen({ width, height }, points, camera) {
  const { x, y, style } = points;
  const { scale } = camera;
  const [left, top] = [width / 2 - camera.x * scale, height / 2 + camera.y * scale];
  const found = new Int32Array(x.length);
  const counts = [0, 0, 0, 0];
  let count = 0;
  for (let row = 0; row < x.length; row += 1) {
    const [across, down] = [left + x[row] * scale, top - y[row] * scale];
    const isSeen = across > -MARGIN && across < width + MARGIN && down > -MARGIN && down < height + MARGIN;
    if (!isSeen || !style[row]) continue;
    found[count] = row;
    count += 1;
    counts[style[row]] += 1;
  }
  const starts = [0, 0, counts[1], counts[1] + counts[2]];
  const next = [...starts];
  const seen = { x: new Int32Array(count), y: new Int32Array(count), row: new Int32Array(count), starts, count };
  for (let n = 0; n < count; n += 1) {
    const row = found[n];
    const at = next[style[row]];
    next[style[row]] += 1;
    seen.x[at] = left + x[row] * scale;
    seen.y[at] = top - y[row] * scale;
    seen.row[at] = row;
  }
  return seen;
}

/**
 * A disc: the pixels that it covers around its middle, and how much of each, in 0 to 255.
 * @typedef {{ dx: Int32Array, dy: Int32Array, cover: Uint8Array, reach: number, isSoft: boolean }} Stamp
 */

/** @type {Map<string, Stamp>} */
const stamps = new Map();

/**
 * Create a disc, or return the one that was.
 * @param {number} radius in pixels
 * @param {boolean} isSoft whether its edge is smooth
 * @returns {Stamp}
 */
export function createStamp(radius, isSoft) {
  const key = `${radius} ${isSoft}`;
  const known = stamps.get(key);
  if (known) return known;
  const reach = Math.ceil(radius + 0.5);
  /** @type {number[][]} */
  const cells = [];
  for (let dy = -reach; dy <= reach; dy += 1) {
    for (let dx = -reach; dx <= reach; dx += 1) {
      const cover = Math.min(Math.max(radius + 0.5 - Math.hypot(dx, dy), 0), 1);
      if (isSoft ? cover > 0 : cover >= 0.5) cells.push([dx, dy, isSoft ? Math.round(255 * cover) : 255]);
    }
  }
  const [dx, dy] = [0, 1].map((n) => Int32Array.from(cells, (cell) => cell[n]));
  const made = { dx, dy, cover: Uint8Array.from(cells, (cell) => cell[2]), reach, isSoft };
  stamps.set(key, made);
  return made;
}

/**
 * Draw a disc around a pixel.
 * @param {Canvas} canvas
 * @param {Stamp} disc
 * @param {number} x
 * @param {number} y
 * @param {number} color
 */
function stamp({ pixels, width, height }, { dx, dy, cover, reach, isSoft }, x, y, color) {
  const isInside = x >= reach && y >= reach && x < width - reach && y < height - reach;
  const middle = y * width + x;
  if (isInside && !isSoft) {
    for (let n = 0; n < dx.length; n += 1) pixels[middle + dy[n] * width + dx[n]] = color;
    return;
  }
  for (let n = 0; n < dx.length; n += 1) {
    const [px, py] = [x + dx[n], y + dy[n]];
    if (px < 0 || py < 0 || px >= width || py >= height) continue;
    const at = py * width + px;
    pixels[at] = cover[n] === 255 ? color : mixed(pixels[at], color, cover[n]);
  }
}

/**
 * Lay a colour over a pixel, which may be transparent.
 * @param {number} below
 * @param {number} color opaque
 * @param {number} cover of 255
 */
export function mixed(below, color, cover) {
  const under = below >>> 24;
  if (!under) return ((color & 0xffffff) | (cover << 24)) >>> 0;
  // Where the pixel below is opaque, which is nearly always, this is exact.
  const rest = 255 - cover;
  const red = ((color & 255) * cover + (below & 255) * rest) / 255;
  const green = (((color >> 8) & 255) * cover + ((below >> 8) & 255) * rest) / 255;
  const blue = (((color >> 16) & 255) * cover + ((below >> 16) & 255) * rest) / 255;
  const alpha = cover + (under * rest) / 255;
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
