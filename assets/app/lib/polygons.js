// Points inside a polygon, of very many points.

/**
 * Return 1 for each point inside a polygon, by the even-odd rule, as dsel/core/lasso.py does.
 * @param {ArrayLike<number>} x
 * @param {ArrayLike<number>} y
 * @param {number[]} polygon corners as x, y, x, y
 */
export function inside(x, y, polygon) {
  const mask = new Uint8Array(x.length);
  const corners = polygon.length / 2;
  if (corners < 3) return mask;
  const across = Float64Array.from({ length: corners }, (_, n) => polygon[2 * n]);
  const up = Float64Array.from({ length: corners }, (_, n) => polygon[2 * n + 1]);
  const [left, right, low, high] = [Math.min(...across), Math.max(...across), Math.min(...up), Math.max(...up)];
  for (let row = 0; row < x.length; row += 1) {
    const [px, py] = [x[row], y[row]];
    if (px < left || px > right || py < low || py > high) continue;
    if (hasOddCrossings(px, py, across, up)) mask[row] = 1;
  }
  return mask;
}

/**
 * Return whether a ray from a point to the right crosses an odd number of edges.
 * @param {number} px
 * @param {number} py
 * @param {Float64Array} x
 * @param {Float64Array} y
 */
function hasOddCrossings(px, py, x, y) {
  let isInside = false;
  for (let n = 0, before = x.length - 1; n < x.length; before = n, n += 1) {
    if (y[n] > py === y[before] > py) continue;
    if (px < ((x[before] - x[n]) * (py - y[n])) / (y[before] - y[n]) + x[n]) isInside = !isInside;
  }
  return isInside;
}

/**
 * Leave out corners of an outline that a hand drew, until no more than so many are left.
 * @param {number[]} polygon corners as x, y, x, y
 * @param {number} most
 */
export function thinned(polygon, most) {
  const step = Math.ceil(polygon.length / 2 / most);
  return polygon.filter((_, n) => Math.floor(n / 2) % step === 0);
}
