// The values of the cell that was pointed at: per counted timestep, and their mean.

import { column, fill, h, number } from "../lib/dom.js";

const COLUMNS = [
  ["timestep", "timestep"],
  ["cond.", "conditional loss"],
  ["uncond.", "unconditional loss"],
  ["gap", "unconditional − conditional loss"],
  [
    "share",
    "what locating uses: the gap as a share of the timestep's mean loss, without its negative part unless signed",
  ],
];

/** The readout; `show(reading)` fills it, null empties it. */
export function createReadout() {
  const title = h("span.soft", {});
  const said = h("p.sr", { "aria-live": "polite" });
  const head = h(
    "tr",
    {},
    COLUMNS.map(([text, words], n) => h(n ? "th.figure" : "th", { scope: "col" }, h("abbr", { title: words }, text))),
  );
  const rows = h("tbody", {});
  const table = h("table", { hidden: true }, h("thead", {}, head), rows);
  const hint = h("p.hint", {}, "Click on the picture, or focus it and use the arrow keys.");
  const element = h(
    "section.readout.card",
    { "aria-label": "Values of a cell" },
    h("div.bar-line", {}, h("h3", {}, "Values"), title),
    hint,
    table,
    said,
  );
  return { element, show };

  function show(reading) {
    hint.hidden = Boolean(reading);
    table.hidden = !reading;
    title.textContent = reading ? `row ${reading.row + 1}, column ${reading.column + 1}` : "";
    said.textContent = reading
      ? `Row ${reading.row + 1}, column ${reading.column + 1}: mean gap ${number(reading.mean.gap)}`
      : "";
    if (!reading) return fill(rows);
    const { values, mean } = reading;
    const one = values.length === 1;
    const all = one ? values : [mean, ...values];
    const names = one ? reading.timesteps : ["mean", ...reading.timesteps];
    const columns = ["conditional", "unconditional", "gap", "combined"].map((name) =>
      column(
        all.map((line) => line[name] * (name === "combined" ? 100 : 1)),
        name === "gap" || name === "combined" ? 2 : 3,
      ),
    );
    const cells = (n) => columns.map((texts, place) => h("td.figure", {}, place === 3 ? `${texts[n]} %` : texts[n]));
    return fill(
      rows,
      names.map((name, n) =>
        h("tr", { className: name === "mean" ? "mean" : "" }, h("th", { scope: "row" }, String(name)), cells(n)),
      ),
    );
  }
}
