// The images of a class by how far the boxes of A and B overlap, a page at a time.

import { createList, empty, fill, h } from "../lib/dom.js";
import { percent, plural } from "../lib/format.js";
import { fitSquare } from "../lib/geometry.js";
import { showImage } from "../lib/images.js";
import { OVERLAP_HELP } from "../lib/quantities.js";
import { boxLegend, createSideBoxes } from "./box_pair.js";
import { createPager } from "./pager.js";

const KEEPING = {
  any: "all images",
  a: "kept in A only",
  b: "kept in B only",
  both: "kept in both",
  neither: "kept in neither",
};
const ORDERS = { least: "least overlap first", most: "most overlap first" };
const TITLE = "Images by disagreement";

export class ChangeList {
  /**
   * @param {App} app
   * @param {(change: Partial<ChangeListing>) => unknown} refresh
   */
  constructor(app, refresh) {
    this.count = h("span.count", { "aria-live": "polite" });
    this.keeping = picker("Which images", KEEPING, (keeping) => refresh({ keeping, page: 0 }));
    this.order = picker("Order", ORDERS, (order) => refresh({ backwards: order === "most", page: 0 }));
    this.clear = h("button.link", { type: "button" });
    this.clear.addEventListener("click", () => refresh({ cluster_a: -1, cluster_b: -1, page: 0 }));
    this.grid = h("div.cells.changes", { role: "list", "aria-label": TITLE });
    this.cells = createList(this.grid, () => new ChangeCell(app));
    this.pager = createPager((page) => refresh({ page }));
    const head = h("div.bar-line", {}, h("h2", {}, TITLE), h("span.grow"), boxLegend());
    const filters = h("div.bar-line", {}, this.keeping, this.order, this.count, this.clear);
    const foot = h("div.bar-line.foot", {}, this.pager.element);
    this.element = h("section.change-list", { "aria-label": TITLE }, head, filters, this.grid, foot);
  }

  /**
   * @param {CompareResult} result
   * @param {ChangeListing} listing
   */
  show(result, listing) {
    this.count.textContent = plural(result.total, "image");
    this.keeping.value = listing.keeping;
    this.order.value = listing.backwards ? "most" : "least";
    this.clear.hidden = listing.cluster_a < 0;
    const clusters = `cluster ${listing.cluster_a + 1} of A in cluster ${listing.cluster_b + 1} of B`;
    this.clear.textContent = `${clusters}: show all`;
    this.pager.show(result);
    this.grid.querySelector(".empty")?.remove();
    const cells = this.cells.resize(result.rows.length);
    result.rows.forEach((row, n) => {
      cells[n].show(row);
    });
    if (!result.rows.length) fill(this.grid, empty("No images", "No image of this class is in this selection."));
  }

  /** @param {string | undefined} id */
  mark(id) {
    for (const { button } of this.cells.views) button.setAttribute("aria-current", String(button.dataset.id === id));
  }
}

/**
 * @param {string} label
 * @param {Record<string, string>} choices
 * @param {(value: string) => unknown} choose
 */
function picker(label, choices, choose) {
  const options = Object.entries(choices).map(([value, text]) => h("option", { value }, text));
  const select = h("select", { "aria-label": label, onchange: () => choose(select.value) }, options);
  return select;
}

class ChangeCell {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.image = h("img", { alt: "", draggable: false });
    this.shot = h("span.shot", {}, this.image);
    this.boxes = [createSideBoxes(this.shot, "a"), createSideBoxes(this.shot, "b")];
    this.badge = h("span.badge");
    this.overlap = h("span.rank", { title: OVERLAP_HELP });
    this.ranks = h("span");
    this.button = h(
      "button.cell",
      { type: "button" },
      h("span.frame", {}, this.shot, this.badge),
      h("span.caption", {}, this.overlap, h("span", {}, "overlap")),
      h("span.caption", {}, this.ranks),
    );
    this.button.addEventListener("click", () => app.store.go({ image_id: this.button.dataset.id }));
    this.element = h("div.item", { role: "listitem" }, this.button);
  }

  /** @param {ChangeRow} row */
  show(row) {
    const { id, size } = row;
    fitSquare(this.shot, size);
    showImage(this.app, this.image, id);
    for (const side of this.boxes) side.show(row);
    const [kept, ranks, overlap] = [keptText(row), rankText(row), percent(row.overlap, 2)];
    this.badge.textContent = kept;
    this.overlap.textContent = overlap;
    this.ranks.textContent = ranks;
    this.button.dataset.id = id;
    this.button.title = id;
    const facts = [id, `overlap ${overlap}`, `rank ${ranks.replace("→", "to")}`, kept].filter(Boolean);
    this.button.setAttribute("aria-label", facts.join(", "));
  }
}

/**
 * Return in which distilled sets an image is kept; empty for none.
 * @param {ChangeRow} row
 */
export function keptText({ a, b }) {
  const [inA, inB] = [a, b].map((side) => Boolean(side?.kept.length));
  if (inA && inB) return "kept in both";
  if (inA) return "kept in A";
  return inB ? "kept in B" : "";
}

/**
 * Return an image's ranks in A and in B.
 * @param {ChangeRow} row
 */
export function rankText({ a, b }) {
  return `A ${a ? a.rank + 1 : "none"} → B ${b ? b.rank + 1 : "none"}`;
}
