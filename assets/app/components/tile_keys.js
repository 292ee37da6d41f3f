// Moving the focus between tiles with the arrow keys.

/**
 * Make one tile the tab stop of all; the arrow keys lead to the others.
 * @param {HTMLElement} element
 * @param {HTMLElement} tile
 */
export function keepOneTabStop(element, tile) {
  for (const one of element.querySelectorAll(".tile[tabindex='0']")) /** @type {HTMLElement} */ (one).tabIndex = -1;
  tile.tabIndex = 0;
}

/**
 * Return the tile that an arrow key leads to.
 * @param {HTMLElement[]} tiles
 * @param {HTMLElement} from
 * @param {string} key
 * @returns {HTMLElement | undefined}
 */
export function neighbour(tiles, from, key) {
  const index = tiles.indexOf(from);
  if (key === "ArrowLeft") return tiles[index - 1];
  if (key === "ArrowRight") return tiles[index + 1];
  return key === "ArrowDown"
    ? nearest(tiles.slice(index + 1), from, true)
    : nearest(tiles.slice(0, Math.max(index, 0)).reverse(), from, false);
}

/**
 * Return the tile of the nearest line above or below that is closest to the middle of a tile.
 * @param {HTMLElement[]} tiles
 * @param {HTMLElement} from
 * @param {boolean} down
 */
function nearest(tiles, from, down) {
  const start = from.getBoundingClientRect();
  const middle = start.left + start.width / 2;
  /** @type {{ tile: HTMLElement, offset: number, line: number } | null} */
  let best = null;
  for (const tile of tiles) {
    const box = tile.getBoundingClientRect();
    if (down ? box.top < start.bottom - 1 : box.bottom > start.top + 1) continue;
    const line = down ? box.top : -box.bottom;
    if (best && line > best.line + 2) break;
    const offset = Math.abs(box.left + box.width / 2 - middle);
    if (!best || offset < best.offset) best = { tile, offset, line };
  }
  return best?.tile;
}
