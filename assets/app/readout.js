// The values of the cell that was pointed at: per counted timestep, and their mean.

import { fill, h, number, percent } from "./dom.js";

const COLUMNS = [
  ["timestep", "timestep"],
  ["cond.", "conditional loss"],
  ["uncond.", "unconditional loss"],
  ["gap", "unconditional − conditional loss"],
  ["share", "what locating uses: the gap as a share of the timestep's mean loss, without its negative part unless signed"],
];

/** The readout; `show(reading)` fills it, null empties it. */
export function createReadout() {
  const title = h("span.soft", {});
  const said = h("p.sr", { "aria-live": "polite" });
  const head = h("tr", {}, COLUMNS.map(([text, words], n) => h(n ? "th.figure" : "th", { scope: "col" }, h("abbr", { title: words }, text))));
  const rows = h("tbody", {});
  const table = h("table", { hidden: true }, h("thead", {}, head), rows);
  const hint = h("p.hint", {}, "Click on the picture, or focus it and use the arrow keys.");
  const element = h("section.readout.card", { "aria-label": "Values of a cell" }, h("div.bar-line", {}, h("h3", {}, "Values"), title), hint, table, said);
  return { element, show };

  function show(reading) {
    hint.hidden = Boolean(reading);
    table.hidden = !reading;
    title.textContent = reading ? `row ${reading.row + 1}, column ${reading.column + 1}` : "";
    said.textContent = reading ? `Row ${reading.row + 1}, column ${reading.column + 1}: mean gap ${number(reading.mean.gap)}` : "";
    if (!reading) return fill(rows);
    const lines = reading.timesteps.map((timestep, n) => line(String(timestep), reading.values[n]));
    return fill(rows, lines.length > 1 && line("mean", reading.mean, "mean"), lines);
  }
}

function line(name, { conditional, unconditional, gap, combined }, kind = "") {
  const figures = [number(conditional), number(unconditional), number(gap), percent(combined)];
  return h("tr", { className: kind }, h("th", { scope: "row" }, name), figures.map((text) => h("td.figure", {}, text)));
}
