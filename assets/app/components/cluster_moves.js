// How images move between clusters from A to B: a table of counts, whose cells choose the images of the list.

import { fill, h } from "../lib/dom.js";
import { count, percent, plural } from "../lib/format.js";
import { MOVED_HELP } from "../lib/quantities.js";

const MOST = 40;
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const TITLE = "How clusters change";
const CAPTION = "Images by their cluster in A (rows) and in B (columns)";

/** The table; `choose(a, b)` gets the clusters of a cell, or -1 and -1 to choose none. */
export class ClusterMoves {
  /** @param {(a: number, b: number) => unknown} choose */
  constructor(choose) {
    this.choose = choose;
    this.table = h("table.moves", {});
    this.table.addEventListener("keydown", moveFocus);
    this.note = h("p.soft", {});
    this.shown = "";
    const scroll = h("div.moves-scroll", { role: "group", "aria-label": TITLE }, this.table);
    this.element = h("section.card.moves-card", { "aria-label": TITLE }, h("h2", {}, TITLE), this.note, scroll);
  }

  get buttons() {
    return [...this.table.querySelectorAll("button")];
  }

  /**
   * @param {number[][]} moves
   * @param {ChangeListing} listing
   */
  show(moves, { cluster_a: a, cluster_b: b }) {
    const key = JSON.stringify(moves);
    if (key !== this.shown) this.build(moves);
    this.shown = key;
    for (const button of this.buttons) {
      const pressed = Number(button.dataset.a) === a && Number(button.dataset.b) === b;
      button.setAttribute("aria-pressed", String(pressed));
    }
    this.keepOneTabStop();
  }

  /** @param {number[][]} moves */
  build(moves) {
    if (!moves.length || !moves[0].length) {
      fill(this.table);
      fill(this.note, "No image has a patch in both A and B.");
      return;
    }
    const columns = ordered(moves).slice(0, MOST);
    const heads = columns.map((one) => h("th", { scope: "col" }, `B ${one + 1}`));
    const head = h("tr", {}, h("td.corner", {}), heads, h("th.sum", { scope: "col" }, "all"));
    const body = moves.slice(0, MOST).map((row, n) => this.row(row, n, columns));
    fill(this.table, h("caption.sr", {}, CAPTION), h("thead", {}, head), h("tbody", {}, body));
    const isCut = moves.length > MOST || moves[0].length > MOST;
    const cut = isCut ? ` The first ${MOST} clusters of each are shown.` : "";
    const order = "Each column is beside the A cluster that most of its images come from.";
    fill(this.note, `${CAPTION}. ${order} Darker: a larger share of the row. Click a number to list its images.${cut}`);
  }

  /**
   * @param {number[]} row
   * @param {number} from
   * @param {number[]} columns
   */
  row(row, from, columns) {
    const total = row.reduce((sum, one) => sum + one, 0);
    const cells = columns.map((to) => {
      return h("td", {}, row[to] ? this.number(row[to], total, from, to) : h("span.none", {}, "·"));
    });
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, `A ${from + 1}`),
      cells,
      h("td.sum", { title: MOVED_HELP }, count(total)),
    );
  }

  /**
   * @param {number} images
   * @param {number} total
   * @param {number} from
   * @param {number} to
   */
  number(images, total, from, to) {
    const where = `${plural(images, "image")} of cluster ${from + 1} of A in cluster ${to + 1} of B`;
    const label = `${where}, ${percent(images / total, 2)} of cluster ${from + 1}`;
    const props = { type: "button", title: label, "aria-label": label, data: { a: from, b: to } };
    const button = h("button", { ...props, style: { "--share": images / total } }, count(images));
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-pressed") === "true") this.choose(-1, -1);
      else this.choose(from, to);
    });
    return button;
  }

  /** Make one cell the tab stop of the table; the arrow keys lead to the others. */
  keepOneTabStop() {
    const { buttons } = this;
    const stop = buttons.find((one) => one.getAttribute("aria-pressed") === "true") ?? buttons[0];
    for (const button of buttons) button.tabIndex = button === stop ? 0 : -1;
  }
}

/**
 * Order the columns by the row that most of their images come from.
 * @param {number[][]} moves
 */
function ordered(moves) {
  const main = moves[0].map((_, column) =>
    moves.reduce((best, row, n) => (row[column] > moves[best][column] ? n : best), 0),
  );
  const columns = moves[0].map((_, column) => column);
  return columns.sort((p, q) => main[p] - main[q] || moves[main[q]][q] - moves[main[p]][p] || p - q);
}

/** @param {KeyboardEvent} event */
function moveFocus(event) {
  const step = ARROWS[event.key];
  const target = /** @type {HTMLElement} */ (event.target);
  const cell = target.closest("td");
  if (!step || !cell) return;
  event.preventDefault();
  event.stopPropagation();
  const next = neighbour(cell, step);
  if (!next) return;
  target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

/**
 * Return the next number in a direction.
 * @param {HTMLTableCellElement} cell
 * @param {[number, number]} step
 */
function neighbour(cell, [down, right]) {
  const rows = [...(cell.closest("tbody")?.rows ?? [])];
  let row = rows.indexOf(/** @type {HTMLTableRowElement} */ (cell.parentElement)) + down;
  let column = cell.cellIndex + right;
  for (; rows[row]?.cells[column]; row += down, column += right) {
    const button = rows[row].cells[column].querySelector("button");
    if (button) return button;
  }
  return null;
}
