// The boxes of A and of B on one image: A dashed, B solid.

import { createList, h } from "../lib/dom.js";
import { placeBox } from "../lib/geometry.js";

/**
 * Create what draws the boxes of one side into an element.
 * @param {HTMLElement} element
 * @param {"a" | "b"} side
 */
export function createSideBoxes(element, side) {
  const list = createList(element, () => ({ element: h(`span.pair-box.box-${side}`) }));
  return {
    /** @param {ChangeRow} row */
    show(row) {
      const boxes = row[side]?.boxes ?? [];
      const views = list.resize(boxes.length);
      boxes.forEach((box, n) => {
        placeBox(views[n].element, box, row.size);
      });
    },
  };
}

/** Create the legend of the two kinds of lines. */
export function boxLegend() {
  /**
   * @param {string} side
   * @param {string} text
   */
  const key = (side, text) => h("span.key", {}, h(`span.key-line.box-${side}`, { "aria-hidden": "true" }), text);
  return h("span.keys", {}, key("a", "A dashed"), key("b", "B solid"));
}
