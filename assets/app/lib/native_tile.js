// A cut at the scale of its picture: centred in its tile, with its edge pixels repeated to fill it.

/**
 * Return where a cut is in a tile of whole pixels, as `dsel.core.cut_boxes` places it.
 * @param {number} tile
 * @param {number} share the share of the tile's side that the cut fills
 */
export function placeContent(tile, share) {
  const content = Math.max(1, Math.min(Math.round(share * tile), tile));
  return { content, start: Math.floor((tile - content) / 2) };
}

/**
 * Draw a cut of an image on a canvas, and extend its edges.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} image
 * @param {{ box: Box, size: Size, share: number }} cut the box in pixels of an image of this size
 * @param {number} sidePx of the tile, in device pixels
 */
export function drawTile(canvas, image, { box, size, share }, sidePx) {
  const side = Math.max(1, Math.round(sidePx));
  const { content, start } = placeContent(side, share);
  const [across, down] = [image.naturalWidth / size[0], image.naturalHeight / size[1]];
  const [x, y, width, height] = [box[0] * across, box[1] * down, box[2] * across, box[3] * down];
  canvas.width = side;
  canvas.height = side;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(image, x, y, width, height, start, start, content, content);
  const end = start + content;
  // Whole pixels, which smoothing would blend with their neighbours.
  context.imageSmoothingEnabled = false;
  /** @type {(from: number, to: number, length: number) => void} */
  const extendAcross = (from, to, length) =>
    context.drawImage(canvas, from, start, 1, content, to, start, length, content);
  /** @type {(from: number, to: number, length: number) => void} */
  const extendDown = (from, to, length) => context.drawImage(canvas, 0, from, side, 1, 0, to, side, length);
  for (const extend of [extendAcross, extendDown]) {
    if (start > 0) extend(start, 0, start);
    if (end < side) extend(end - 1, end, side - end);
  }
}
