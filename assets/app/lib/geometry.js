// Boxes on images, in per cent: where a box is drawn, and how an image is cut to a box.

/**
 * Place a box of an image in per cent of the element that shows the image.
 * @param {HTMLElement} element
 * @param {Box} box
 * @param {Size} size
 */
export function placeBox(element, box, size) {
  apply(element, boxShares(box, size));
}

/**
 * Place the outline of what is exported around a patch; it is hidden where that is the patch itself.
 * @param {HTMLElement} element
 * @param {{ box: Box, cut: Box } | null} patch
 * @param {Size} size
 */
export function placeCut(element, patch, size) {
  element.hidden = !patch || sameBox(patch.box, patch.cut);
  if (patch) placeBox(element, patch.cut, size);
}

/**
 * Cut an image to a box: move and enlarge it inside a frame that has the shape of the box.
 * @param {HTMLElement} image
 * @param {Box} box
 * @param {Size} size
 */
export function cropImage(image, box, size) {
  apply(image, cropShares(box, size));
}

/**
 * Fit an image of any shape into a square frame.
 * @param {HTMLElement} element
 * @param {Size} size
 */
export function fitSquare(element, [width, height]) {
  const longest = Math.max(width, height);
  element.style.setProperty("--w", String(width / longest));
  element.style.setProperty("--h", String(height / longest));
}

/**
 * @param {Box} box
 * @param {Size} size
 */
export function boxShares([x, y, width, height], [across, down]) {
  return { left: x / across, top: y / down, width: width / across, height: height / down };
}

/**
 * @param {Box} box
 * @param {Size} size
 */
export function cropShares([x, y, width, height], [across, down]) {
  return { left: -x / width, top: -y / height, width: across / width, height: down / height };
}

/**
 * @param {HTMLElement} element
 * @param {Record<string, number>} shares
 */
function apply(element, shares) {
  for (const [name, share] of Object.entries(shares)) element.style.setProperty(name, percentOf(share));
}

/** @param {number} share */
export function percentOf(share) {
  return `${100 * share}%`;
}

/**
 * Return the nearest box inside an image whose corner is at whole pixels.
 * @param {Box} box
 * @param {Size} size
 * @returns {Box}
 */
export function clampBox([x, y, width, height], [across, down]) {
  return [clamp(Math.round(x), across - width), clamp(Math.round(y), down - height), width, height];
}

/**
 * Clamp a value between 0 and a maximum.
 * @param {number} value
 * @param {number} maximum
 */
export function clamp(value, maximum) {
  return Math.min(Math.max(value, 0), maximum);
}

/**
 * Return whether two boxes have the same corner.
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 */
export function sameCorner(a, b) {
  return a[0] === b[0] && a[1] === b[1];
}

/**
 * Return whether two boxes are the same.
 * @param {Box} a
 * @param {Box} b
 */
export function sameBox(a, b) {
  return a.every((value, n) => value === b[n]);
}

/**
 * Return a box as corner, width and height.
 * @param {BoxRecord} box
 * @returns {Box}
 */
export function boxOf({ x, y, width, height }) {
  return [x, y, width, height];
}

/**
 * Return the size of an image's proxy.
 * @param {Frame} frame
 * @returns {Size}
 */
export function proxySize({ proxy_width: width, proxy_height: height }) {
  return [width, height];
}

/**
 * Return the area that two boxes share, divided by the area that both cover.
 * @param {Box} a
 * @param {Box} b
 */
export function overlapOf(a, b) {
  /** @param {0 | 1} axis */
  const shared = (axis) => {
    const end = Math.min(a[axis] + a[axis + 2], b[axis] + b[axis + 2]);
    return Math.max(0, end - Math.max(a[axis], b[axis]));
  };
  const area = shared(0) * shared(1);
  return area / (a[2] * a[3] + b[2] * b[3] - area);
}
