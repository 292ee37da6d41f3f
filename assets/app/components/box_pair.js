// The boxes of A and of B on one picture: A dashed, B solid.

import { h } from "../lib/dom.js";

/** Put boxes `[x, y, width, height]` of a picture of this size into an element; those there move. */
export function placeBoxes(place, boxes, [width, height], side) {
  const mine = place.getElementsByClassName(`box-${side}`);
  while (mine.length > boxes.length) mine[mine.length - 1].remove();
  while (mine.length < boxes.length) place.append(h(`span.twobox.box-${side}`));
  boxes.forEach(([x, y, w, tall], n) => {
    const at = { left: x / width, top: y / height, width: w / width, height: tall / height };
    for (const [name, share] of Object.entries(at)) mine[n].style[name] = `${100 * share}%`;
  });
}

/** What the two kinds of lines mean. */
export function boxLegend() {
  const key = (side, text) => h("span.key", {}, h(`span.key-line.box-${side}`, { "aria-hidden": "true" }), text);
  return h("span.keys", {}, key("a", "A dashed"), key("b", "B solid"));
}
