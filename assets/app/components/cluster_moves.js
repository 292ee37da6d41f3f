// How clusters move from A to B: a table of counts, whose cells choose the images listed.

import { fill, h, percent, plural } from "../lib/dom.js";

const MOST = 40;
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** The table; `choose(a, b)` is called with the clusters of a cell, or -1 and -1 to choose none. */
export function createMoves(choose) {
  const table = h("table.moves", { onkeydown: move });
  const note = h("p.soft", {});
  const scroll = h("div.moves-scroll", { role: "group", "aria-label": "How clusters move" }, table);
  const element = h(
    "section.card.moves-card",
    { "aria-label": "How clusters move" },
    h("h2", {}, "How clusters move"),
    note,
    scroll,
  );
  let shown = "";
  return { element, show };

  function show(moves, { cluster_a: a, cluster_b: b }) {
    const key = JSON.stringify(moves);
    if (key !== shown) build(moves);
    shown = key;
    for (const button of table.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(Number(button.dataset.a) === a && Number(button.dataset.b) === b));
    rove();
  }

  function build(moves) {
    if (!moves.length || !moves[0].length) {
      fill(table);
      fill(note, "No image has a patch in both A and B.");
      return;
    }
    const columns = ordered(moves).slice(0, MOST);
    const head = h(
      "tr",
      {},
      h("td.corner", {}),
      columns.map((g) => h("th", { scope: "col" }, `B ${g + 1}`)),
      h("th.sum", { scope: "col" }, "all"),
    );
    const body = moves.slice(0, MOST).map((row, g) => line(row, g, columns));
    fill(
      table,
      h("caption.sr", {}, "Images by their cluster in A (rows) and in B (columns)"),
      h("thead", {}, head),
      h("tbody", {}, body),
    );
    const cut = moves.length > MOST || moves[0].length > MOST ? ` The first ${MOST} clusters of each are shown.` : "";
    fill(
      note,
      `Images by their cluster in A (rows) and in B (columns, beside the A cluster that most of them come from). Darker: a larger share of the row. Click a number to list its images.${cut}`,
    );
  }

  function line(row, g, columns) {
    const all = row.reduce((sum, count) => sum + count, 0);
    const cell = (to) => h("td", {}, row[to] ? number(row[to], all, g, to) : h("span.none", {}, "·"));
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, `A ${g + 1}`),
      columns.map(cell),
      h("td.sum", {}, all.toLocaleString("en")),
    );
  }

  function number(count, all, from, to) {
    const words = `${plural(count, "image")} of cluster ${from + 1} of A in cluster ${to + 1} of B, ${percent(count / all, 2)} of cluster ${from + 1}`;
    const button = h(
      "button",
      {
        type: "button",
        title: words,
        "aria-label": words,
        data: { a: from, b: to },
        style: { "--share": count / all },
      },
      count.toLocaleString("en"),
    );
    button.addEventListener("click", () =>
      button.getAttribute("aria-pressed") === "true" ? choose(-1, -1) : choose(from, to),
    );
    return button;
  }

  /** One cell is in the order of tabs; arrows lead to the others. */
  function rove() {
    const buttons = [...table.querySelectorAll("button")];
    const first = buttons.find((one) => one.getAttribute("aria-pressed") === "true") ?? buttons[0];
    for (const button of buttons) button.tabIndex = button === first ? 0 : -1;
  }
}

/** Columns beside the row that most of their images come from. */
function ordered(moves) {
  const main = moves[0].map((_, column) =>
    moves.reduce((best, row, g) => (row[column] > moves[best][column] ? g : best), 0),
  );
  return moves[0]
    .map((_, column) => column)
    .sort((p, q) => main[p] - main[q] || moves[main[q]][q] - moves[main[p]][p] || p - q);
}

function move(event) {
  const step = ARROWS[event.key];
  const cell = event.target.closest("td");
  if (!step || !cell) return;
  event.preventDefault();
  event.stopPropagation();
  const next = neighbour(cell, step);
  if (!next) return;
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

/** The next cell with a number in a direction. */
function neighbour(cell, [down, right]) {
  const rows = [...cell.closest("tbody").rows];
  let [row, column] = [rows.indexOf(cell.parentElement) + down, cell.cellIndex + right];
  for (; rows[row]?.cells[column]; row += down, column += right) {
    const button = rows[row].cells[column].querySelector("button");
    if (button) return button;
  }
  return null;
}
