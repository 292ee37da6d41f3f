// The pages of a list.

import { h, iconButton } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";

/**
 * Create the buttons of a paged list; they are hidden where one page holds all.
 * @param {(page: number) => unknown} open
 */
export function createPager(open) {
  let current = 0;
  const previous = iconButton(ICONS.left, "Previous page", () => open(current - 1));
  const next = iconButton(ICONS.right, "Next page", () => open(current + 1));
  const text = h("span", {});
  const element = h("span.pager", {}, previous, text, next);
  return {
    element,
    /** @param {{ page: number, pages: number }} result */
    show({ page, pages }) {
      current = page;
      text.textContent = `page ${page + 1} of ${pages}`;
      previous.disabled = page === 0;
      next.disabled = page + 1 >= pages;
      element.hidden = pages < 2;
    },
  };
}
