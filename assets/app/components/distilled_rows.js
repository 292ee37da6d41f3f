// The distilled images, a row of tiles per class; only the rows near the viewport are requested and drawn.

import { createList, fill, h } from "../lib/dom.js";
import { distance, plural } from "../lib/format.js";
import { withUnit } from "../lib/quantities.js";
import { rankingScore, tileShare } from "../lib/settings_text.js";
import { PatchCrop } from "./patch_crop.js";
import { keepOneTabStop } from "./tile_keys.js";

const AT_ONCE = 4;
const MARGIN = "700px 0px";
const GAP_PX = 6;
/** @type {Record<string, number>} */
export const TILE_SIDES = { S: 48, M: 76, L: 140 };
/** Up to so many rows stay drawn when they leave the viewport. */
const FEW_ROWS = 30;
const LABELLED_PX = 56;

/**
 * @typedef {object} Handlers
 * @property {(className: string, patch: Patch, tile: HTMLElement) => void} choose
 * @property {(error: unknown) => void} failed
 * @property {() => void} received
 */
/** How the tiles are drawn: their size, and the sides of a mosaic's columns. */
/** @typedef {{ size: string, version: number, sides: number[] }} Look */

export class DistilledRows {
  /**
   * @param {App} app
   * @param {Handlers} handlers
   */
  constructor(app, handlers) {
    this.app = app;
    this.handlers = handlers;
    this.element = h("div.set-rows", {});
    /** @type {Map<string, ClassRow>} */
    this.rows = new Map();
    /** @type {Map<string, ClassFigures>} */
    this.figures = new Map();
    /** @type {Look} */
    this.look = { size: "M", version: 0, sides: [1] };
    const options = { rootMargin: MARGIN, scrollMargin: MARGIN };
    this.observer = new IntersectionObserver((entries) => this.observe(entries), options);
    this.element.addEventListener("focusin", ({ target }) => {
      const tile = /** @type {HTMLElement} */ (target);
      if (tile.matches(".tile")) keepOneTabStop(this.element, tile);
    });
  }

  /** @returns {HTMLElement[]} */
  get tiles() {
    return [...this.element.querySelectorAll(".tile")].map((one) => /** @type {HTMLElement} */ (one));
  }

  /**
   * Show rows of these classes in this order.
   * @param {string[]} names
   */
  show(names) {
    const shown = [...this.rows.keys()];
    if (shown.length === names.length && shown.every((name, n) => name === names[n])) return;
    this.observer.disconnect();
    const rows = names.map((name) => this.rows.get(name) ?? this.createRow(name));
    this.rows = new Map(rows.map((row) => [row.name, row]));
    fill(
      this.element,
      rows.map((row) => row.element),
    );
    for (const row of rows) this.observer.observe(row.element);
  }

  /** @param {string} name */
  createRow(name) {
    const row = new ClassRow(this.app, name, this.look, this.handlers.choose);
    const figures = this.figures.get(name);
    if (figures) row.showFigures(figures);
    return row;
  }

  /** Request the rows again after a change of settings, the visible ones first. */
  refresh() {
    this.look.version += 1;
    this.element.setAttribute("aria-busy", "true");
    return this.request();
  }

  /** Forget the rows of another run. */
  clear() {
    this.observer.disconnect();
    this.rows.clear();
    this.figures.clear();
    fill(this.element);
  }

  /** @param {string} size */
  resize(size) {
    this.look.size = size;
    this.element.style.setProperty("--cell", `${TILE_SIDES[size]}px`);
    for (const row of this.rows.values()) row.paint();
  }

  /** @param {IntersectionObserverEntry[]} entries */
  observe(entries) {
    for (const { target, isIntersecting } of entries) {
      const row = this.rows.get(/** @type {HTMLElement} */ (target).dataset.name ?? "");
      row?.setNear(isIntersecting, this.rows.size > FEW_ROWS && this.element.offsetParent != null);
    }
    this.request();
  }

  waiting() {
    const stale = [...this.rows.values()].filter((row) => row.isNear && row.version !== this.look.version);
    return stale.slice(0, AT_ONCE);
  }

  async request() {
    try {
      await this.app.latest("distilled", async () => {
        for (let next = this.waiting(); next.length; next = this.waiting()) await this.requestRows(next);
        this.element.removeAttribute("aria-busy");
      });
    } catch (error) {
      this.element.removeAttribute("aria-busy");
      this.handlers.failed(error);
    }
  }

  /** @param {ClassRow[]} rows */
  async requestRows(rows) {
    const { version } = this.look;
    /** @type {{ sides: number[], classes: { images: Patch[][] }[] }} */
    const result = await this.app.ask("distilled", { classes: rows.map((row) => row.name) });
    this.look.sides = result.sides;
    result.classes.forEach(({ images }, n) => {
      rows[n].take(images, version);
    });
    if (!this.element.querySelector(".tile[tabindex='0']")) {
      this.element.querySelector(".tile")?.setAttribute("tabindex", "0");
    }
    this.handlers.received();
  }

  /**
   * Mark the tiles of the chosen image.
   * @param {string} className
   * @param {string} id
   */
  mark(className, id) {
    for (const tile of this.tiles) {
      const isCurrent = tile.dataset.id === id && tile.dataset.class === className;
      tile.setAttribute("aria-current", String(isCurrent));
    }
  }

  /** @param {ClassFigures[]} found */
  showFigures(found) {
    for (const one of found) {
      this.figures.set(one.name, one);
      this.rows.get(one.name)?.showFigures(one);
    }
  }
}

/** The distilled images of one class. */
class ClassRow {
  /**
   * @param {App} app
   * @param {string} name
   * @param {Look} look
   * @param {Handlers["choose"]} choose
   */
  constructor(app, name, look, choose) {
    this.app = app;
    this.name = name;
    this.look = look;
    this.version = -1;
    this.isNear = false;
    /** @type {Patch[][] | null} */
    this.images = null;
    this.facts = h("p.facts", {});
    this.place = h("div.images", { role: "group", "aria-label": `Distilled images of ${name}` });
    this.list = createList(this.place, () => new DistilledImage(app, name, choose));
    const head = h("div.class-head", {}, h("h3", { title: name }, name), this.facts);
    this.element = h("section.set-row", { data: { name }, "aria-label": name }, head, this.place);
  }

  /**
   * @param {boolean} near
   * @param {boolean} release whether a row that left the viewport is emptied
   */
  setNear(near, release) {
    this.isNear = near;
    if (near) this.paint();
    else if (release) {
      this.place.style.minHeight = `${this.place.offsetHeight}px`;
      this.list.resize(0);
    }
  }

  /**
   * @param {Patch[][]} images
   * @param {number} version
   */
  take(images, version) {
    this.images = images;
    this.version = version;
    this.paint();
  }

  paint() {
    const { images, place, look, list } = this;
    if (!images) {
      place.style.minHeight = `${this.expectedHeight()}px`;
      return;
    }
    if (!this.isNear && !place.children.length) return;
    place.style.minHeight = "";
    place.querySelector(".none")?.remove();
    const views = list.resize(images.length);
    const shows = countRanks(images);
    images.forEach((patches, n) => {
      views[n].show(patches, n, look, shows);
    });
    const reason = "No patches: this class has no scored images that are not banned.";
    if (!images.length) fill(place, h("p.soft.none", {}, reason));
  }

  expectedHeight() {
    const side = TILE_SIDES[this.look.size] + GAP_PX;
    const columns = Math.max(1, Math.floor(((this.place.clientWidth || 600) + GAP_PX) / side));
    return Math.ceil(this.app.store.state.select.ipc / columns) * side;
  }

  /** @param {ClassFigures} figures */
  showFigures(figures) {
    const { images, short, clusters, clusters_covered: covered, coverage_distance: meanDistance } = figures;
    const { near_duplicates, repeated_tiles: repeated } = figures;
    const count = short ? `${images} of ${images + short} images` : plural(images, "image");
    fill(
      this.facts,
      h("span", { className: short ? "short" : "" }, count),
      h("span", {}, `${covered} of ${plural(clusters, "cluster")}`),
      h("span", { title: "Coverage distance: the lower, the better" }, `distance ${distance(meanDistance)}`),
      near_duplicates > 0 && h("span.short", {}, plural(near_duplicates, "near-duplicate")),
      repeated > 0 && h("span.short", {}, plural(repeated, "repeated tile")),
    );
  }
}

/**
 * Count the tiles that show each patch, by its rank.
 * @param {Patch[][]} images
 */
function countRanks(images) {
  /** @type {Map<number, number>} */
  const shows = new Map();
  for (const { rank } of images.flat()) shows.set(rank, (shows.get(rank) ?? 0) + 1);
  return shows;
}

/** One distilled image: its patches row by row, as they are composed. */
class DistilledImage {
  /**
   * @param {App} app
   * @param {string} className
   * @param {Handlers["choose"]} choose
   */
  constructor(app, className, choose) {
    this.element = h("div.mosaic", {});
    this.list = createList(this.element, () => new Tile(app, className, choose));
  }

  /**
   * @param {Patch[]} patches
   * @param {number} index
   * @param {Look} look
   * @param {Map<number, number>} shows how many tiles of the class show the patch of a rank
   */
  show(patches, index, { sides, size }, shows) {
    const isMosaic = patches.length > 1;
    this.element.style.setProperty("--columns", sides.map((side) => `${side}fr`).join(" "));
    this.element.classList.toggle("joined", isMosaic);
    const tiles = this.list.resize(patches.length);
    patches.forEach((patch, n) => {
      const part = isMosaic ? `, part ${n + 1}` : "";
      tiles[n].show(patch, `image ${index + 1}${part}`, TILE_SIDES[size] / sides.length, shows.get(patch.rank) ?? 1);
    });
  }
}

class Tile {
  /**
   * @param {App} app
   * @param {string} className
   * @param {Handlers["choose"]} choose
   */
  constructor(app, className, choose) {
    this.app = app;
    this.className = className;
    this.crop = new PatchCrop(app);
    this.override = h("span.override", { "aria-hidden": "true" });
    this.times = h("span.times", { "aria-hidden": "true" });
    const props = { type: "button", tabIndex: -1, data: { class: className } };
    this.element = h("button.tile", props, this.crop.element, this.override, this.times);
    /** @type {Patch | null} */
    this.patch = null;
    this.element.addEventListener("click", () => this.patch && choose(className, this.patch, this.element));
  }

  /**
   * @param {Patch} patch
   * @param {string} position
   * @param {number} side
   * @param {number} times how many tiles show the patch
   */
  show(patch, position, side, times) {
    this.patch = patch;
    const { select } = this.app.store.state;
    const cutShare = patch.cut[2] / Math.min(...patch.size);
    this.crop.show({ ...patch, box: patch.cut }, this.className, tileShare(select, cutShare));
    const override = [patch.pinned && "pinned", patch.moved && "moved"].filter(Boolean).join(", ");
    this.override.textContent = side < LABELLED_PX ? "" : override;
    const { element } = this;
    const facts = [
      `${position}: ${patch.id}`,
      `score ${withUnit(rankingScore(patch, select))}`,
      `cluster ${patch.cluster + 1}`,
    ];
    facts.push(`rank ${patch.rank + 1}`, ...(override ? [override] : []));
    if (times > 1) facts.push(`repeated: ${times} tiles show it`);
    this.times.textContent = times > 1 ? `${times} ×` : "";
    element.title = facts.join(", ");
    element.setAttribute("aria-label", facts.join(", "));
    element.classList.toggle("overridden", override !== "");
    element.dataset.id = patch.id;
    element.dataset.pinned = String(patch.pinned);
    const { class_name: name, image_id: id } = this.app.store.state;
    element.setAttribute("aria-current", String(patch.id === id && name === this.className));
  }
}
