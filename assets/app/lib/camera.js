// What part of a plane is seen: fitting, moving and zooming, in pixels of an element.

/** @typedef {import("./map_raster.js").Camera} Camera */
/** @typedef {{ x: number, y: number }} Point */
/** @typedef {{ width: number, height: number }} Sides */
/** @typedef {ArrayLike<number>} Values */

const MARGIN = 0.06;
/** How far one can zoom in and out of what shows all points. */
const NEAREST = 400;
const FARTHEST = 0.5;

/**
 * Show all points.
 * @param {{ x: Values, y: Values }} points
 * @param {Sides} sides
 * @returns {Camera}
 */
export function fitted({ x, y }, { width, height }) {
  if (!x.length) return { x: 0, y: 0, scale: 1 };
  const [left, right] = ends(x);
  const [low, high] = ends(y);
  const across = Math.max(right - left, 1e-6);
  const up = Math.max(high - low, 1e-6);
  const scale = (1 - 2 * MARGIN) * Math.min(width / across, height / up);
  return { x: (left + right) / 2, y: (low + high) / 2, scale };
}

/**
 * Return the pixel of a point of the plane.
 * @param {Camera} camera
 * @param {Sides} sides
 * @param {number} x
 * @param {number} y
 * @returns {Point}
 */
export function pixelOf(camera, { width, height }, x, y) {
  return { x: width / 2 + (x - camera.x) * camera.scale, y: height / 2 - (y - camera.y) * camera.scale };
}

/**
 * Return the point of the plane at a pixel.
 * @param {Camera} camera
 * @param {Sides} sides
 * @param {Point} pixel
 * @returns {Point}
 */
export function pointAt(camera, { width, height }, pixel) {
  return { x: camera.x + (pixel.x - width / 2) / camera.scale, y: camera.y - (pixel.y - height / 2) / camera.scale };
}

/**
 * Move what is seen by pixels, as a hand moves a sheet of paper.
 * @param {Camera} camera
 * @param {number} across
 * @param {number} down
 * @returns {Camera}
 */
export function moved(camera, across, down) {
  return { ...camera, x: camera.x - across / camera.scale, y: camera.y + down / camera.scale };
}

/**
 * Zoom; the point at a pixel stays there.
 * @param {Camera} camera
 * @param {Sides} sides
 * @param {number} factor above 1 zooms in
 * @param {Point} pixel
 * @param {Camera} whole the camera that shows all points
 * @returns {Camera}
 */
export function zoomed(camera, sides, factor, pixel, whole) {
  const scale = Math.min(Math.max(camera.scale * factor, FARTHEST * whole.scale), NEAREST * whole.scale);
  const under = pointAt(camera, sides, pixel);
  return {
    x: under.x - (pixel.x - sides.width / 2) / scale,
    y: under.y + (pixel.y - sides.height / 2) / scale,
    scale,
  };
}

/** @param {Values} values */
function ends(values) {
  let [low, high] = [Infinity, -Infinity];
  for (let n = 0; n < values.length; n += 1) {
    if (values[n] < low) low = values[n];
    if (values[n] > high) high = values[n];
  }
  return [low, high];
}
