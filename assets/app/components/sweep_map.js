// The sweeps of the run as heat maps; a click on a cell loads its settings into the page.

import { fill, h } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { same } from "../lib/links.js";
import { labelOf, textOf } from "../lib/settings_text.js";
import { axesFor, bestCell, gridOf, isLessBetter, scaleOf, valuesOf } from "../lib/sweeps.js";

/** @typedef {import("../lib/sweeps.js").Sweep} Sweep */
/** @typedef {import("../lib/sweeps.js").Axes} Axes */
/** @typedef {import("../lib/sweeps.js").Cell} Cell */

export class SweepMap {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    /** @type {Sweep[]} */
    this.sweeps = [];
    this.nth = 0;
    /** @type {Partial<Axes>} */
    this.wanted = {};
    this.controls = h("div.sweep-controls", {});
    this.map = h("div.wide", {});
    this.note = h("p.hint", {});
    const title = h("h2", {}, "Sweep");
    this.element = h("section.sweep.card", { "aria-label": "Sweep" }, title, this.controls, this.map, this.note);
    this.element.hidden = true;
  }

  /** @param {Sweep[]} sweeps the newest first */
  show(sweeps) {
    this.sweeps = sweeps.filter((one) => one.settings.length && one.figures.length);
    this.nth = 0;
    this.wanted = {};
    this.element.hidden = !this.sweeps.length;
    this.paint();
  }

  /** Follow the settings of the page: the cell that has them is marked. */
  paint() {
    const sweep = this.sweeps[this.nth];
    if (!sweep) return;
    const axes = axesFor(sweep, this.wanted);
    fill(this.controls, this.createControls(sweep, axes));
    fill(this.map, this.createGrid(sweep, axes));
    const better = isLessBetter(axes.figure) ? "Lower is better. " : "";
    this.note.textContent = `${better}Click a cell to load its settings. The best one of the sweep has a star.`;
  }

  /** @param {Partial<Axes>} change */
  turn(change) {
    Object.assign(this.wanted, change);
    this.paint();
  }

  /**
   * @param {Sweep} sweep
   * @param {Axes} axes
   */
  createControls(sweep, axes) {
    const { app } = this;
    /** @param {string} name */
    const label = (name) => labelOf(app, name);
    const settings = sweep.settings.map((value) => ({ value, label: label(value) }));
    const figures = sweep.figures.map((value) => ({ value, label: figureText(value) }));
    const others = settings.filter(({ value }) => value !== axes.across);
    const held = Object.entries(axes.held).map(([name, value]) => {
      const values = valuesOf(sweep.cells, name).map((one) => ({ value: one, label: this.text(name, one) }));
      return createSelect(label(name), values, value, (chosen) =>
        this.turn({ held: { ...axes.held, [name]: chosen } }),
      );
    });
    const sweeps = this.sweeps.map((one, n) => ({ value: n, label: `${n + 1}: ${one.cells.length} cells` }));
    return [
      sweeps.length > 1 && createSelect("Sweep", sweeps, this.nth, (n) => this.choose(n)),
      createSelect("Colour", figures, axes.figure, (figure) => this.turn({ figure })),
      createSelect("Across", settings, axes.across, (across) => this.turn({ across })),
      others.length > 0 && createSelect("Down", others, axes.down, (down) => this.turn({ down })),
      held,
    ];
  }

  /** @param {number} n */
  choose(n) {
    this.nth = n;
    this.wanted = {};
    this.paint();
  }

  /**
   * Format a value of a setting as the sidebar does.
   * @param {string} name
   * @param {any} value
   */
  text(name, value) {
    return textOf(this.app, name, { ...this.app.store.state.select, [name]: value });
  }

  /**
   * @param {Sweep} sweep
   * @param {Axes} axes
   */
  createGrid(sweep, axes) {
    const { columns, rows, grid } = gridOf(sweep, axes);
    const share = scaleOf(sweep.cells, axes.figure);
    const best = bestCell(sweep.cells, axes.figure);
    const heads = columns.map((value) => {
      return h(
        "th",
        { scope: "col", title: `${labelOf(this.app, axes.across)} of the column.` },
        this.text(axes.across, value),
      );
    });
    const corner = axes.down ? `${labelOf(this.app, axes.down)} ↓` : "";
    const body = rows.map((row, n) => {
      const head = h(
        "th",
        { scope: "row", title: axes.down ? `${labelOf(this.app, axes.down)} of the row.` : "" },
        axes.down ? this.text(axes.down, row) : "",
      );
      return h(
        "tr",
        {},
        head,
        grid[n].map((cell) => h("td", {}, cell && this.createCell(sweep, axes, cell, share, best))),
      );
    });
    const top = h("tr", {}, h("td.corner", {}, corner), heads);
    const caption = h("caption.sr", {}, `${figureText(axes.figure)} by ${labelOf(this.app, axes.across)}`);
    return h("table.sweep-grid", {}, caption, h("thead", {}, top), h("tbody", {}, body));
  }

  /**
   * @param {Sweep} sweep
   * @param {Axes} axes
   * @param {Cell} cell
   * @param {(value: number) => number} share
   * @param {Cell | undefined} best
   */
  createCell({ settings }, { figure }, cell, share, best) {
    const { store } = this.app;
    const value = cell[figure];
    const chosen = Object.fromEntries(settings.map((name) => [name, defaulted(this.app, name, cell[name])]));
    const isCurrent = settings.every((name) => same(store.state.select[name], chosen[name]));
    const described = settings.map((name) => `${labelOf(this.app, name)} ${this.text(name, cell[name])}`).join(", ");
    const strength = value == null ? 0 : share(value);
    const props = {
      type: "button",
      title: `${described}: ${figureText(figure)} ${number(value)}`,
      "aria-label": `${described}: ${figureText(figure)} ${number(value)}`,
      "aria-pressed": String(isCurrent),
      className: "sweep-cell",
      style: { "--share": strength.toFixed(2) },
      onclick: () => store.select(chosen, `sweep ${described}`),
    };
    return h("button", props, number(value), cell === best && h("span", { "aria-hidden": "true" }, " ★"));
  }
}

/**
 * Write a value that the default stands for in this run as the default, as the sidebar does.
 * @param {App} app
 * @param {string} name
 * @param {any} value
 */
function defaulted(app, name, value) {
  const widget = app.start.widgets.select.find((one) => one.name === name);
  return widget?.shown != null && value === widget.shown ? widget.default : value;
}

/** @param {string} figure */
function figureText(figure) {
  const words = figure.replaceAll("_", " ").replace(/\bauc\b/, "AUC");
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

/**
 * Create a list to choose a value from, with its label.
 * @template V
 * @param {string} label
 * @param {{ value: V, label: string }[]} options
 * @param {V} current
 * @param {(value: V) => void} choose
 */
export function createSelect(label, options, current, choose) {
  const items = options.map((one, n) => h("option", { value: n, selected: same(one.value, current) }, one.label));
  const select = h("select", { onchange: () => choose(options[select.selectedIndex].value) }, items);
  return h("label.choice", {}, h("span", {}, label), select);
}
