// Find: a filter over all images of the run, patches similar to one, and a table of all classes.

import { ClassTable, unpackFigures } from "../components/class_table.js";
import { createFindFilters } from "../components/find_filters.js";
import { FoundImages } from "../components/found_images.js";
import { createPager } from "../components/pager.js";
import { createSegments } from "../components/segments.js";
import { SimilarPatches } from "../components/similar_patches.js";
import { empty, fill, h, iconButton, stylesheet } from "../lib/dom.js";
import { filterText, NOTHING, presetOf, readFind, requestOf, SORTS, writeFind } from "../lib/find.js";
import { count, plural } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { UNIT } from "../lib/quantities.js";

stylesheet(new URL("./find.css", import.meta.url));

const ROWS = 60;
const VIEWS = [
  { value: "images", label: "Images" },
  { value: "classes", label: "Classes" },
];

/** @typedef {import("../lib/find.js").Find} Find */
/** @typedef {import("../components/found_images.js").FoundImage} FoundImage */
/**
 * The response of "find".
 * @typedef {object} FoundPage
 * @property {FoundImage[]} rows
 * @property {number} page
 * @property {number} pages
 * @property {number} total
 * @property {number} ready classes that have been read
 * @property {number} classes
 * @property {Record<string, [number | null, number | null]>} ranges
 */

/** @type {Tab} */
export const tab = { mount: (root, app) => new FindTab(root, app) };

class FindTab {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    this.root = root;
    this.page = 0;
    /** @type {Find} */
    this.find = NOTHING;
    const change = (/** @type {Partial<Find>} */ values) => this.change(values);
    this.filters = createFindFilters(app, change);
    this.views = createSegments("What to show", VIEWS, (show) => change({ show: /** @type {any} */ (show), like: "" }));
    this.count = h("span.count", { role: "status" });
    this.reading = h("span.soft.reading", { role: "status", hidden: true });
    this.about = h("p.hint.find-about", {});
    this.order = createOrder(change);
    this.all = h("button.button", { type: "button", onclick: () => app.attempt(() => this.selectAll()) });
    this.pager = createPager((page) => this.turn(page));
    this.images = new FoundImages(app, "Found images", this.acts());
    this.nothing = h("div", { hidden: true });
    this.table = new ClassTable(app, {
      open: (name) => app.store.go({ tab: "inspect", class_name: name, image_id: "" }),
      list: (name) => change({ ...NOTHING, classes: [name] }),
    });
    this.similar = new SimilarPatches(app, this.acts(), () => change({ like: "", like_class: "" }));
    const head = h("div.bar-line", {}, this.views.element, this.count, this.reading, h("span.grow"));
    head.append(this.all, this.order.element);
    const foot = h("div.bar-line.foot", {}, this.pager.element);
    const found = [this.about, this.images.element, this.nothing, foot];
    this.list = h("section.find-list", { "aria-label": "Found images" }, found);
    const parts = [this.filters.element, head, this.list, this.similar.element, this.table.element];
    fill(root, h("div.find-tab", {}, parts));
    app.selection.subscribe(() => this.mark());
  }

  acts() {
    return {
      toggle: (/** @type {FoundImage} */ image) => this.toggle(image),
      similar: (/** @type {FoundImage} */ { id, class_name: name }) => this.change({ like: id, like_class: name }),
      looks: () => Boolean(this.find.looks) || presetOf(this.find)?.about !== undefined || this.find.sort === "looks",
    };
  }

  /** @param {Change} change */
  async show(change) {
    const { app } = this;
    if (!["run", "select", "find"].some((key) => change.has(key))) return;
    const names = app.start.classes.map((one) => one.name);
    const { find, left } = readFind(app.store.state.find ?? "", names);
    if (left.length) app.toast(`Left out of the filter, since this run does not know it: ${left.join(", ")}`, "error");
    if (writeFind(find) !== writeFind(this.find)) this.page = 0;
    this.find = find;
    await this.refresh();
  }

  /** @param {Partial<Find>} values */
  change(values) {
    this.page = 0;
    this.app.store.go({ find: writeFind({ ...this.find, ...values }) });
  }

  /** @param {number} page */
  turn(page) {
    this.page = page;
    this.app.attempt(() => this.refresh());
    this.root.closest(".stage")?.scrollTo({ top: 0 });
  }

  /** Show the parts of what is asked for, and what is found. */
  async refresh() {
    const { app, find } = this;
    const [isTable, isSimilar] = [find.show === "classes", find.like !== ""];
    this.views.show(find.show);
    const ofImages = [this.filters.element, this.all, this.order.element, this.list];
    for (const part of ofImages) part.hidden = isTable || isSimilar;
    this.table.element.hidden = !isTable || isSimilar;
    this.similar.element.hidden = !isSimilar;
    if (await this.answer()) app.attempt(() => this.follow());
  }

  /** Ask again while classes are still being read, and show what else is found. */
  async follow() {
    while (await this.answer());
  }

  /** Ask once, and show the answer; return whether more is to come. */
  async answer() {
    const { app, find } = this;
    const [isTable, isSimilar, key] = [find.show === "classes", find.like !== "", this.key()];
    const work = () => (isSimilar ? this.similar.ask(find) : isTable ? this.askTable() : this.askImages());
    const result = await app.latest("find", work);
    if (!result || key !== this.key()) return false;
    this.showReading(result);
    if (isSimilar) this.similar.show(result);
    else if (isTable) this.table.show(unpackFigures(result.figures), result.no_accuracy);
    else this.paint(result);
    return result.ready < result.classes;
  }

  /** What the answer depends on: an answer to something else is dropped. */
  key() {
    return `${this.app.store.state.tab} ${this.app.store.query()} ${this.page}`;
  }

  askTable() {
    return this.app.ask("class_figures", { tokens: this.app.jobs.tokens("evaluate") });
  }

  askImages() {
    return this.app.ask("find", { ...requestOf(this.find), page: this.page, rows: ROWS });
  }

  /** @param {{ ready: number, classes: number }} progress */
  showReading({ ready, classes }) {
    this.reading.hidden = ready >= classes;
    this.reading.textContent = `Reading classes: ${count(ready)} of ${count(classes)} …`;
    if (this.find.show === "classes" || this.find.like) this.count.replaceChildren();
  }

  /** @param {FoundPage} result */
  paint(result) {
    const { find } = this;
    this.page = result.page;
    this.filters.show(find, result.ranges);
    this.order.show(find);
    this.count.replaceChildren(plural(result.total, "image"));
    this.about.textContent = presetOf(find)?.about ?? `Scores in ${UNIT}.`;
    this.images.show(result.rows);
    this.pager.show(result);
    this.all.textContent = `Select all ${count(result.total)}`;
    this.all.disabled = !result.total || find.status === "skipped";
    const isEmpty = !result.total && result.ready >= result.classes;
    this.nothing.hidden = !isEmpty;
    fill(this.nothing, isEmpty && empty("Nothing found", `No image of this run is ${filterText(find)}.`));
  }

  mark() {
    this.images.mark();
    this.similar.mark();
  }

  /**
   * Add an image to the selection, or take it out.
   * @param {FoundImage} image
   */
  toggle({ id, class_name: name }) {
    const { selection } = this.app;
    const ids = selection.of(name);
    const next = ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id];
    selection.set({ ...selection.groups, [name]: next }, "chosen by hand");
  }

  async selectAll() {
    const { app, find } = this;
    const { groups, total, most } = await app.ask("find_all", requestOf(find));
    const isCut = total > most;
    if (isCut)
      app.toast(`The first ${count(most)} of ${count(total)} images are selected: narrow the filter for others.`);
    app.selection.set(groups, filterText(find) || presetOf(find)?.label || "all images");
  }
}

/** @param {(values: Partial<Find>) => void} change */
function createOrder(change) {
  const options = Object.entries(SORTS).map(([value, text]) => h("option", { value }, text));
  const select = h("select", { "aria-label": "Order", onchange: () => change({ sort: select.value }) }, options);
  const reverse = iconButton(ICONS.reverse, "Reverse the order", () => {
    change({ backwards: reverse.getAttribute("aria-pressed") !== "true" });
  });
  return {
    element: h("span.pair", {}, select, reverse),
    /** @param {Find} find */
    show({ sort, backwards }) {
      select.value = sort;
      reverse.setAttribute("aria-pressed", String(backwards));
    },
  };
}
