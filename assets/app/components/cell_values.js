// The values of one cell of the heat map: at each counted timestep, and their mean.

import { fill, h } from "../lib/dom.js";
import { column, percentColumn } from "../lib/format.js";
import { LOSS, locatingMap, UNIT, withUnit } from "../lib/quantities.js";
import { titleCells } from "../lib/tooltips.js";

const COLUMNS = [
  { name: "timestep", label: "timestep", help: "noise level of the training schedule, from 0" },
  { name: "conditional", label: "cond.", help: `conditional loss: ${LOSS}, with the class named` },
  { name: "unconditional", label: "uncond.", help: `unconditional loss: ${LOSS}, with the null prompt` },
  { name: "gap", label: "gap", help: "unconditional − conditional loss of the cell" },
  { name: "difference", label: "diff.", help: "squared difference of the two predictions" },
  {
    name: "combined",
    label: "map",
    help: `what the box search uses: the map that locates, in ${UNIT}`,
  },
];

/** Create the table; `show(values, select)` fills it and null empties it. */
export function createCellValues() {
  const title = h("span.soft", {});
  const spoken = h("p.sr", { "aria-live": "polite" });
  const heads = COLUMNS.map(({ label, help }, n) =>
    h(n ? "th.figure" : "th", { scope: "col" }, h("abbr", { title: help }, label)),
  );
  const rows = h("tbody", {});
  const table = h("table", { hidden: true }, h("thead", {}, h("tr", {}, heads)), rows);
  const hint = h("p.hint", {}, "Click on the image, or focus it and use the arrow keys.");
  const head = h("div.bar-line", {}, h("h3", {}, "Values"), title);
  const label = { "aria-label": "Values of a cell" };
  const element = h("section.cell-values.card", label, head, hint, table, spoken);
  return { element, show };

  /**
   * @param {CellValues | null} cell
   * @param {SelectSettings} select
   */
  function show(cell, select) {
    hint.hidden = cell != null;
    table.hidden = cell == null;
    title.textContent = cell ? `row ${cell.row + 1}, column ${cell.column + 1}` : "";
    spoken.textContent = cell
      ? `Row ${cell.row + 1}, column ${cell.column + 1}: mean ${locatingMap(select)} ${withUnit(cell.mean.combined)}`
      : "";
    fill(rows, cell ? createRows(cell) : []);
    titleCells(table);
  }
}

/** @param {CellValues} cell */
function createRows({ timesteps, values, mean }) {
  const one = values.length === 1;
  const lines = one ? values : [mean, ...values];
  const names = one ? timesteps : ["mean", ...timesteps];
  const [conditional, unconditional, gap, difference, combined] = [
    column(lines.map((line) => line.conditional)),
    column(lines.map((line) => line.unconditional)),
    column(
      lines.map((line) => line.gap),
      2,
    ),
    column(
      lines.map((line) => line.difference),
      2,
    ),
    percentColumn(
      lines.map((line) => line.combined),
      2,
    ),
  ];
  return names.map((name, n) => {
    const texts = [conditional[n], unconditional[n], gap[n], difference[n], combined[n]];
    const cells = texts.map((text) => h("td.figure", {}, text));
    const head = h("th", { scope: "row" }, String(name));
    return h("tr", { className: name === "mean" ? "mean" : "" }, head, cells);
  });
}
