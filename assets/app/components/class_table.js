// A table of all classes, sorted by any column; a click on a class opens it.

import { unpack } from "../lib/arrays.js";
import { fill, h, stylesheet } from "../lib/dom.js";
import { matchingClasses, sortedRows } from "../lib/find.js";
import { count, percentColumn, plural } from "../lib/format.js";
import { UNIT } from "../lib/quantities.js";
import { createPager } from "./pager.js";

stylesheet(new URL("./class_table.css", import.meta.url));

const ROWS = 100;

/** @typedef {Record<string, ArrayLike<number>>} Figures by name, one number per class */
/** @typedef {ArrayLike<number | string>} Values */
/**
 * @typedef {object} Column
 * @property {string} name
 * @property {string} label
 * @property {string} help
 * @property {(values: number[]) => string[]} write
 * @property {boolean} [rising] sorted from the lowest first
 * @property {boolean} [boxes] only where the run has true boxes
 */

/** @param {number[]} values */
const counts = (values) => values.map((one) => (Number.isFinite(one) ? count(one) : "–"));
/**
 * @param {number} digits
 * @returns {(values: number[]) => string[]}
 */
const decimals = (digits) => (values) => values.map((one) => (Number.isFinite(one) ? one.toFixed(digits) : "–"));
/** @param {number[]} values */
const shares = (values) => percentColumn(values.map((one) => (Number.isFinite(one) ? one : null)));

const FIRST = { name: "", label: "Class", help: "The order of the run, or by name from z to a." };
/** @type {Column[]} */
const COLUMNS = [
  { name: "scored", label: "Images", help: "Scored images.", write: counts },
  { name: "skipped", label: "Skipped", help: "Images that were not scored.", write: counts },
  { name: "score", label: "Mean score", help: `The mean over its images, in ${UNIT}.`, write: shares, rising: true },
  {
    name: "error",
    label: "± each",
    help: `The mean standard error of the score of one image, in ${UNIT}.`,
    write: shares,
  },
  {
    name: "negative",
    label: "Below 0",
    help: "The share of its images whose score is below 0: naming the class does not help the prior there.",
    write: shares,
  },
  {
    name: "auc",
    label: "Label AUC",
    help: "How well the prior tells its images from those of other classes by name: 0.5 is chance, 1 is always right.",
    write: decimals(2),
    rising: true,
  },
  {
    name: "nearer",
    label: "Like others",
    help: "Images whose patch has features nearer to the mean of another class.",
    write: counts,
  },
  {
    name: "accuracy",
    label: "Accuracy",
    help:
      "The mean accuracy of students on its held-out images, after their last step, in the evaluation of these " +
      "settings.",
    write: shares,
    rising: true,
  },
  { name: "kept", label: "Kept", help: "Images of the distilled set.", write: counts },
  {
    name: "coverage",
    label: "Coverage distance",
    help: "The mean distance of a patch to the nearest kept one (0 to 2): the smaller, the better it is covered.",
    write: decimals(2),
  },
  { name: "uncovered", label: "Clusters missed", help: "Clusters without a kept patch.", write: counts },
  { name: "duplicates", label: "Near-duplicates", help: "Images with a near-duplicate in the class.", write: counts },
  {
    name: "hit",
    label: "Hit rate",
    help: "The share of images whose patch hits the true box.",
    write: shares,
    rising: true,
    boxes: true,
  },
];

/** Why there are no accuracies, by code. @type {Record<string, string>} */
const NO_ACCURACY = {
  not_evaluated: "Unknown: these settings were not evaluated at this IPC. The Evaluate tab can do it.",
  not_stored: "Unknown: the evaluation was stored by a version that did not measure classes. Evaluate again.",
};

/** A table of classes. `open(name)` is called for a class that is chosen, `list(name)` to list its images. */
export class ClassTable {
  /**
   * @param {App} app
   * @param {{ open(name: string): void, list(name: string): void }} acts
   */
  constructor(app, acts) {
    this.app = app;
    this.acts = acts;
    this.order = { sort: "", falling: false };
    this.page = 0;
    /** @type {Figures} */
    this.figures = {};
    this.noAccuracy = "";
    const label = { "aria-label": "Search classes" };
    this.words = h("input.find-words", { type: "search", placeholder: "search classes", ...label });
    this.words.addEventListener("input", () => this.turn(0));
    this.total = h("span.count", { role: "status" });
    this.pager = createPager((page) => this.turn(page));
    this.heads = [FIRST, ...COLUMNS].map((column) => this.createHead(column));
    this.body = h("tbody", {});
    this.element = this.layout();
  }

  layout() {
    const { words, total, pager, heads, body } = this;
    const row = heads.map((one) => one.element);
    const table = h("table.class-table", {}, h("thead", {}, h("tr", {}, row)), body);
    return h(
      "section.classes-part",
      { "aria-label": "Classes" },
      h("div.bar-line", {}, words, total, h("span.grow"), pager.element),
      h("div.table-scroll", { tabIndex: 0, role: "region", "aria-label": "Table of classes" }, table),
    );
  }

  /**
   * @param {Figures} found
   * @param {string} noAccuracy why the accuracies are unknown, as a code
   */
  show(found, noAccuracy) {
    this.figures = completed(this.app.start.classes, found);
    this.noAccuracy = NO_ACCURACY[noAccuracy] ?? "";
    this.paint();
  }

  /** @param {number} page */
  turn(page) {
    this.page = page;
    this.paint();
  }

  /** @param {Pick<Column, "name" | "label" | "help" | "rising" | "boxes">} column */
  createHead(column) {
    const { name, label, help, rising } = column;
    const button = h("button", { type: "button", title: help }, label);
    button.addEventListener("click", () => {
      const isAgain = this.order.sort === name;
      this.order = { sort: name, falling: isAgain ? !this.order.falling : name !== "" && !rising };
      this.turn(0);
    });
    return { column, element: h("th", { scope: "col" }, button) };
  }

  /** Return the rows that are searched for, in the chosen order. */
  rows() {
    const { sort, falling } = this.order;
    const names = this.app.start.classes.map((one) => one.name);
    const values = sort ? this.figures[sort] : falling ? names : names.map((_, n) => n);
    const wanted = new Set(matchingClasses(this.app.start.classes, this.words.value).map((one) => one.name));
    return sortedRows(values, falling).filter((n) => wanted.has(names[n]));
  }

  paint() {
    const { start } = this.app;
    /** @param {{ boxes?: boolean }} column */
    const isShown = ({ boxes }) => !boxes || Boolean(start.run.objects);
    const rows = this.rows();
    const [all, pages] = [start.classes.length, Math.max(1, Math.ceil(rows.length / ROWS))];
    const some = rows.length < all ? `${count(rows.length)} of ` : "";
    this.total.textContent = `${some}${plural(all, "class", "classes")}`;
    this.pager.show({ page: this.page, pages });
    for (const { column, element } of this.heads) {
      element.setAttribute("aria-sort", this.orderOf(column.name));
      element.hidden = !isShown(column);
    }
    const shown = rows.slice(this.page * ROWS, (this.page + 1) * ROWS);
    const columns = COLUMNS.filter(isShown);
    const texts = columns.map((one) => one.write(shown.map((n) => this.figures[one.name][n])));
    const lines = shown.map((n, at) =>
      this.createRow(
        start.classes[n].name,
        texts.map((column, number) => ({ text: column[at], help: this.helpOf(columns[number]) })),
      ),
    );
    fill(this.body, lines);
  }

  /** @param {Column} column */
  helpOf({ name, help }) {
    return (name === "accuracy" && this.noAccuracy) || help;
  }

  /** @param {string} name */
  orderOf(name) {
    const { sort, falling } = this.order;
    if (sort !== name || (!name && !falling)) return "none";
    return falling ? "descending" : "ascending";
  }

  /**
   * @param {string} name
   * @param {{ text: string, help: string }[]} figures
   */
  createRow(name, [{ text: images }, ...others]) {
    const { acts, app } = this;
    const open = h("button.link", { type: "button", title: `Open ${name} in Inspect` }, name);
    open.addEventListener("click", () => acts.open(name));
    const list = h("button.link", { type: "button", title: `List the images of ${name}` }, images);
    list.setAttribute("aria-label", `List ${images} images of ${name}`);
    list.addEventListener("click", () => acts.list(name));
    const cells = others.map(({ text, help }) => h("td.figure", { title: help }, text));
    const current = { "aria-current": name === app.store.state.class_name ? "true" : null };
    return h("tr", current, h("th", { scope: "row" }, open), h("td.figure", {}, list), cells);
  }
}

/**
 * Add what the page knows of the classes since its start.
 * @param {ClassSummary[]} classes
 * @param {Figures} found
 * @returns {Figures}
 */
function completed(classes, found) {
  const { clusters, clusters_covered: covered } = found;
  return {
    ...found,
    scored: classes.map((one) => one.scored),
    skipped: classes.map((one) => one.skipped),
    auc: classes.map((one) => one.knowledge?.auc ?? Number.NaN),
    uncovered: Array.from(clusters, (all, n) => all - covered[n]),
  };
}

/**
 * Unpack the response of "class_figures".
 * @param {Record<string, Packed>} packed
 * @returns {Figures}
 */
export function unpackFigures(packed) {
  return Object.fromEntries(Object.entries(packed).map(([name, one]) => [name, unpack(one).values]));
}
