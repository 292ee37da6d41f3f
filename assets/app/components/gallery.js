// The paged gallery of a class's patches, each on its image.

import { createList, empty, fill, h, indexOfFocus, set } from "../lib/dom.js";
import { percentWithError, plural } from "../lib/format.js";
import { fitSquare, placeBox } from "../lib/geometry.js";
import { showImage } from "../lib/images.js";
import { toggleBan, togglePin } from "../lib/overrides.js";
import { FIGURE_HELP, SCORE_HELP, UNIT, withUnit } from "../lib/quantities.js";
import { orderText, rankingError, rankingScore } from "../lib/settings_text.js";
import { clusterMark } from "./cluster_mark.js";
import { createBannedLink, createSkippedLink } from "./excluded_images.js";
import { createPager } from "./pager.js";

/** @type {{ value: string, label: string }[]} */
const ORDERS = [
  { value: "rank", label: "by rank" },
  { value: "score", label: "by score" },
  { value: "picture_score", label: "by picture" },
  { value: "margin", label: "by margin" },
  { value: "cluster", label: "by cluster" },
  { value: "name", label: "by name" },
];

/** @type {Record<string, (store: Store, id: string) => void>} */
const OVERRIDES = { p: togglePin, b: toggleBan };

/** @typedef {{ sort: string, backwards: boolean, page: number, cluster: number }} Listing */
/**
 * @typedef {object} GalleryPage
 * @property {Patch[]} rows
 * @property {number} page
 * @property {number} pages
 * @property {number} total
 * @property {number[]} counts patches of each cluster
 * @property {string[]} banned
 * @property {string[]} order why the ranking does not follow the scores
 */

/** A gallery. `filter()` returns further params of its request, such as a polygon. */
export class Gallery {
  /**
   * @param {App} app
   * @param {{ filter?: () => Record<string, any>, title?: string, rows?: number }} [options]
   */
  constructor(app, { filter = () => ({}), title = "Patches", rows = 60 } = {}) {
    this.app = app;
    this.filter = filter;
    this.title = title;
    this.rows = rows;
    /** @type {Listing} */
    this.listing = { sort: "rank", backwards: false, page: 0, cluster: -1 };
    this.classKey = "";
    this.shownPage = 0;
    this.heading = h("h2", {}, title);
    this.count = h("span.count", { "aria-live": "polite" });
    this.note = h("p.gallery-note.soft");
    this.grid = h("div.cells", { role: "list", "aria-label": title });
    this.grid.addEventListener("keydown", (event) => this.press(event));
    this.cells = createList(this.grid, () => new Cell(app));
    this.pager = createPager((page) => this.refresh({ page }));
    this.order = createOrder((change) => this.refresh({ page: 0, ...change }));
    this.clusters = createClusterPicker((cluster) => this.refresh({ cluster, page: 0 }));
    this.excluded = [createSkippedLink(app), createBannedLink(app)];
    this.element = this.layout();
  }

  layout() {
    const { heading, count, note, clusters, order, pager, excluded } = this;
    const head = h("div.bar-line", {}, heading, count, h("span.grow"), clusters.element, order.element);
    const links = excluded.map((one) => one.element);
    const foot = h("div.bar-line.foot", {}, pager.element, h("span.grow"), links);
    return h("section.gallery", { "aria-label": this.title }, head, note, this.grid, foot);
  }

  /** @param {Partial<Listing>} change */
  refresh(change) {
    Object.assign(this.listing, change);
    return this.app.attempt(() => this.show());
  }

  /**
   * Return whether an image is on the current page.
   * @param {string} id
   */
  contains(id) {
    return this.cells.views.some((cell) => cell.element.isConnected && cell.button.dataset.id === id);
  }

  /**
   * Request the page of patches and show it; with `holding`, the page that contains this image.
   * @param {{ holding?: string }} [more]
   * @returns {Promise<void>}
   */
  async show(more = {}) {
    const { app, listing } = this;
    const key = classKey(app);
    const moved = this.classKey !== key;
    if (moved) Object.assign(listing, { page: 0, cluster: -1 });
    // The focus is on the chosen image, so that the page follows it to another rank.
    const isFocused = !moved && this.grid.contains(document.activeElement);
    const holding = more.holding || (isFocused ? app.store.state.image_id : "");
    const turned = moved || holding || listing.page !== this.shownPage;
    this.classKey = key;
    const params = { ...listing, rows: this.rows, holding, ...this.filter() };
    /** @type {GalleryPage | undefined} */
    const result = await app.latest(`gallery ${this.title}`, () => app.ask("gallery", params));
    if (!result || key !== classKey(app)) return;
    if (listing.cluster >= result.counts.length) {
      await this.refresh({ cluster: -1, page: 0 });
      return;
    }
    listing.page = result.page;
    this.shownPage = result.page;
    this.paint(result);
    if (!turned) return;
    this.grid.scrollTop = 0;
    scrollToCurrent(this.grid);
  }

  /**
   * Move the selection with the focus; P and B act on the cell that has it.
   * @param {KeyboardEvent} event
   */
  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const cells = cellsOf(this.grid);
    const current = indexOfFocus(cells);
    const next = cells[nextIndex(event.key, cells, current)];
    const action = OVERRIDES[event.key];
    if (current < 0 || !(action || event.key in STEPS)) return;
    event.preventDefault();
    event.stopPropagation();
    if (action) action(this.app.store, cells[current].dataset.id ?? "");
    else if (next) focusCell(cells, next);
    next?.click();
  }

  /**
   * Keep the focus on the chosen image, which may have another rank now; if it was banned, choose the one in its place.
   * @param {string[]} banned
   */
  keepFocus(banned) {
    const { image_id: id } = this.app.store.state;
    const cells = cellsOf(this.grid);
    const focused = cells[indexOfFocus(cells)];
    if (!focused || focused.dataset.id === id) return;
    const chosen = cells.find((cell) => cell.dataset.id === id);
    if (chosen) focusCell(cells, chosen);
    else if (banned.includes(id)) focused.click();
  }

  /** @param {GalleryPage} result */
  paint(result) {
    this.count.textContent = plural(result.total, "patch", "patches");
    this.pager.show(result);
    this.order.show(this.listing);
    this.note.textContent = noteOf(result.order, this.listing.sort);
    this.clusters.show(result.counts, this.listing.cluster);
    for (const one of this.excluded) one.show(result.banned);
    this.grid.querySelector(".empty")?.remove();
    const cells = this.cells.resize(result.rows.length);
    result.rows.forEach((patch, n) => {
      cells[n].show(patch);
    });
    if (!result.rows.length) {
      fill(this.grid, this.nothing());
      return;
    }
    keepOneTabStop(this.grid);
    this.keepFocus(result.banned);
  }

  nothing() {
    const { scored } = this.app.class();
    const reason = scored ? "No patch of this class is in this selection." : "No image of this class was scored.";
    return empty("No patches", reason);
  }
}

/**
 * Name the unit of the scores, and say why they do not fall along the ranking.
 * @param {string[]} order
 * @param {string} sort
 */
function noteOf(order, sort) {
  const reason = sort === "rank" && orderText(order);
  return `Scores in ${UNIT}.${reason ? ` By rank, ${reason}.` : ""}`;
}

/** @param {App} app */
function classKey({ store }) {
  return `${store.state.run} ${store.state.class_name}`;
}

class Cell {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.image = h("img", { alt: "", draggable: false });
    this.box = h("span.box");
    this.shot = h("span.shot", {}, this.image, this.box);
    this.caption = h("span.caption");
    this.badge = h("span.badge");
    this.override = h("span.badge.override");
    const frame = h("span.frame", {}, this.shot, this.override, this.badge);
    this.button = h("button.cell", { type: "button", onclick: () => this.choose() }, frame, this.caption);
    this.element = h("div.item", { role: "listitem" }, this.button);
    /** @type {Patch | null} */
    this.patch = null;
  }

  /** @param {Patch} patch */
  show(patch) {
    this.patch = patch;
    const { id, cluster, rank, kept, size, box } = patch;
    const score = rankingScore(patch, this.app.store.state.select);
    fitSquare(this.shot, size);
    placeBox(this.box, box, size);
    showImage(this.app, this.image, id);
    const override = patch.pinned ? "pinned" : patch.moved ? "moved" : "";
    this.override.textContent = override;
    this.badge.textContent = kept.length ? `kept ${kept[0] + 1}` : "";
    const mark = set(clusterMark(cluster), { title: `cluster ${cluster + 1}` });
    const error = rankingError(patch, this.app.store.state.select);
    const title = error ? `${SCORE_HELP} ± standard error` : SCORE_HELP;
    const value = h("span.value", { title }, percentWithError(score, error));
    fill(this.caption, h("span.rank", { title: FIGURE_HELP.rank }, `${rank + 1}`), mark, value);
    const facts = [id, `rank ${rank + 1}`, `score ${withUnit(score, error)}`, `cluster ${cluster + 1}`];
    if (kept.length) facts.push(`kept as image ${kept[0] + 1}`);
    if (override) facts.push(override);
    this.button.classList.toggle("kept", kept.length > 0);
    this.button.title = id;
    this.button.dataset.id = id;
    this.button.setAttribute("aria-label", facts.join(", "));
    this.button.setAttribute("aria-current", String(id === this.app.store.state.image_id));
  }

  /** An image may have several patches, so the event carries the box of this one. */
  choose() {
    if (!this.patch) return;
    const { id, box } = this.patch;
    this.button.dispatchEvent(new CustomEvent("patch", { bubbles: true, detail: box }));
    this.app.store.go({ image_id: id });
  }
}

/**
 * @param {HTMLElement} grid
 * @returns {HTMLElement[]}
 */
function cellsOf(grid) {
  return [...grid.querySelectorAll(".cell")].map((cell) => /** @type {HTMLElement} */ (cell));
}

/**
 * Make one cell the tab stop of the grid: the focused one, the current one, or the first.
 * @param {HTMLElement} grid
 */
function keepOneTabStop(grid) {
  const cells = cellsOf(grid);
  const focused = cells.find((cell) => cell === document.activeElement);
  const stop = focused ?? cells.find((cell) => cell.getAttribute("aria-current") === "true") ?? cells[0];
  for (const cell of cells) cell.tabIndex = cell === stop ? 0 : -1;
}

/** @type {Record<string, (current: number, columns: number, last: number) => number>} */
const STEPS = {
  ArrowLeft: (current) => current - 1,
  ArrowRight: (current) => current + 1,
  ArrowUp: (current, columns) => current - columns,
  ArrowDown: (current, columns) => current + columns,
  Home: () => 0,
  End: (_, __, last) => last,
};

/**
 * Return the index of the cell that a key leads to; none for other keys and beyond the ends.
 * @param {string} key
 * @param {HTMLElement[]} cells
 * @param {number} current
 */
function nextIndex(key, cells, current) {
  if (!(key in STEPS) || current < 0) return -1;
  const top = cells[0].offsetTop;
  const wrap = cells.findIndex((cell) => cell.offsetTop > top + 1);
  return STEPS[key](current, Math.max(1, wrap), cells.length - 1);
}

/**
 * Focus a cell, which becomes the tab stop of its grid.
 * @param {HTMLElement[]} cells
 * @param {HTMLElement} next
 */
function focusCell(cells, next) {
  for (const cell of cells) cell.tabIndex = cell === next ? 0 : -1;
  next.focus();
}

/**
 * Scroll a grid to its current cell; the page itself does not scroll.
 * @param {HTMLElement} grid
 */
function scrollToCurrent(grid) {
  const cell = grid.querySelector('.cell[aria-current="true"]');
  if (!cell || grid.scrollHeight <= grid.clientHeight + 1) return;
  const [outer, inner] = [grid.getBoundingClientRect(), cell.getBoundingClientRect()];
  if (inner.top < outer.top) grid.scrollTop += inner.top - outer.top - 8;
  else if (inner.bottom > outer.bottom) grid.scrollTop += inner.bottom - outer.bottom + 8;
}

/**
 * Mark the chosen image among the cells of an element, without a request.
 * @param {HTMLElement} element
 * @param {string} imageId
 */
export function markCurrent(element, imageId) {
  for (const cell of cellsOf(element)) cell.setAttribute("aria-current", String(cell.dataset.id === imageId));
  for (const one of element.querySelectorAll(".cells")) {
    const grid = /** @type {HTMLElement} */ (one);
    const cells = cellsOf(grid);
    const chosen = cells.find((cell) => cell.dataset.id === imageId);
    const focused = cells[indexOfFocus(cells)];
    if (!focused) keepOneTabStop(grid);
    else if (chosen && focused.dataset.id !== imageId) focusCell(cells, chosen);
    scrollToCurrent(grid);
  }
}

/** @param {(change: Partial<Listing>) => unknown} change */
function createOrder(change) {
  const options = ORDERS.map(({ value, label }) => h("option", { value }, label));
  const select = h("select", { "aria-label": "Order", onchange: () => change({ sort: select.value }) }, options);
  const reverse = h(
    "button.tool",
    { type: "button", title: "Reverse the order", "aria-label": "Reverse the order" },
    "⇅",
  );
  reverse.addEventListener("click", () => change({ backwards: reverse.getAttribute("aria-pressed") !== "true" }));
  return {
    element: h("span.pair", {}, select, reverse),
    /** @param {Listing} listing */
    show({ sort, backwards }) {
      select.value = sort;
      reverse.setAttribute("aria-pressed", String(backwards));
    },
  };
}

/** @param {(cluster: number) => unknown} choose */
function createClusterPicker(choose) {
  const element = h("select", { "aria-label": "Cluster", hidden: true, onchange: () => choose(Number(element.value)) });
  let shown = "";
  return {
    element,
    /**
     * @param {number[]} counts
     * @param {number} cluster
     */
    show(counts, cluster) {
      element.hidden = !counts.length;
      // Refilling an open list would close it.
      if (shown !== String(counts)) {
        shown = String(counts);
        const options = counts.map((size, n) => h("option", { value: n }, `cluster ${n + 1} (${size})`));
        fill(element, h("option", { value: -1 }, `all ${plural(counts.length, "cluster")}`), options);
      }
      element.value = String(cluster);
    },
  };
}
