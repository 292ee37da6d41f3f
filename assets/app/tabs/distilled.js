// The distilled set: all its images at the current settings, where each patch comes from, and its quality.

import { DistilledRows } from "../components/distilled_rows.js";
import { openOverrides } from "../components/overrides_dialog.js";
import { Quality } from "../components/quality.js";
import { createSegments, options } from "../components/segments.js";
import { SourcePanel } from "../components/source_panel.js";
import { keepOneTabStop, neighbour } from "../components/tile_keys.js";
import { createVerdictLine } from "../components/verdict.js";
import { fill, h, stylesheet } from "../lib/dom.js";
import { plural } from "../lib/format.js";
import { overridesText, removeOverrides, toggleBan, togglePin } from "../lib/overrides.js";

stylesheet(new URL("./distilled.css", import.meta.url));
stylesheet(new URL("../components/set_dialogs.css", import.meta.url));

const NARROW = matchMedia("(max-width: 62rem)");
const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
const SCOPES = [
  { value: false, label: "This class" },
  { value: true, label: "All classes" },
];

/** @type {Tab} */
export const tab = { mount: (root, app) => new DistilledTab(root, app) };

class DistilledTab {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    this.showsAll = true;
    this.nth = 0;
    this.imageId = "";
    this.isOpen = false;
    /** @type {HTMLElement | null} the tile that opened the panel */
    this.origin = null;
    /** @type {HTMLDialogElement | null} */
    this.dialog = null;
    this.rows = new DistilledRows(app, {
      choose: (className, patch, tile) => this.choose(className, patch, tile),
      failed: (error) => this.showProblem(/** @type {Error} */ (error)),
      received: () => fill(this.problem),
    });
    this.quality = new Quality(app, {
      figures: (found) => this.rows.showFigures(found),
      view: (className, patch) => this.choose(className, patch),
    });
    this.panel = new SourcePanel(app, () => this.close());
    this.problem = h("div.notices", { role: "status" });
    this.overrides = h("p.overrides-line", {});
    this.verdict = createVerdictLine(app);
    this.head = createHead(app, {
      showAll: (all) => {
        this.showsAll = all;
        this.show(new Set());
      },
      resize: (size) => this.rows.resize(size),
    });
    this.frame = h("div.set", {}, this.layout(), this.panel.element);
    fill(root, this.frame);
    this.rows.resize("M");
    root.addEventListener("keydown", (event) => this.press(event));
    if (app.store.state.image_id && !NARROW.matches) this.open();
    else this.hidePanel();
  }

  layout() {
    const { head, quality, problem, overrides, verdict, rows } = this;
    const { strip, warning, repeats, table } = quality;
    return h(
      "div.set-main",
      {},
      head.element,
      strip,
      verdict.element,
      warning,
      repeats,
      problem,
      overrides,
      table,
      rows.element,
    );
  }

  /** @param {Change} change */
  show(change) {
    const { app, rows } = this;
    const { class_name: className, image_id: id } = app.store.state;
    if (change.has("run")) rows.clear();
    rows.show(this.showsAll ? app.start.classes.map((one) => one.name) : [className]);
    this.head.show(this.showsAll);
    this.showOverrides();
    rows.mark(className, id);
    if (change.has("image_id") && this.imageId !== id) this.nth = 0;
    const work = [this.isOpen && this.panel.show(this.nth)];
    if (["run", "select", "export"].some((key) => change.has(key))) {
      work.push(rows.refresh());
      this.quality.refresh();
      work.push(this.verdict.request());
    }
    return Promise.all(work);
  }

  /**
   * Show where a patch comes from.
   * @param {string} className
   * @param {Patch} patch
   * @param {HTMLElement | null} [tile]
   */
  choose(className, patch, tile = null) {
    const { store } = this.app;
    Object.assign(this, { nth: patch.nth, imageId: patch.id, origin: tile });
    const { class_name: before, image_id: id } = store.state;
    this.open();
    if (before === className && id === patch.id) this.panel.show(this.nth);
    else store.go({ class_name: className, image_id: patch.id });
  }

  /** Open the panel beside the set, or in a dialog where there is no room. */
  open() {
    this.isOpen = true;
    if (NARROW.matches) {
      this.dialog = this.app.dialog("Patch", this.panel.element);
      this.dialog.addEventListener("close", () => this.closed());
    } else this.frame.append(this.panel.element);
    this.panel.element.hidden = false;
    this.frame.classList.toggle("opened", !NARROW.matches);
  }

  close() {
    if (this.dialog) this.dialog.close();
    else this.closed();
  }

  closed() {
    this.hidePanel();
    if (this.origin?.isConnected) this.origin.focus();
  }

  hidePanel() {
    this.isOpen = false;
    this.dialog = null;
    this.panel.element.hidden = true;
    this.frame.append(this.panel.element);
    this.frame.classList.remove("opened");
  }

  showOverrides() {
    const text = overridesText(this.app.store.state.select);
    const review = h("button.link", { type: "button", onclick: () => openOverrides(this.app) }, "Review…");
    const none = h("span.soft", {}, "No manual overrides.");
    fill(this.overrides, text ? [h("span", {}, `Manual overrides: ${text}`), review] : none);
  }

  /**
   * Explain why the set could not be made, and offer to remove the overrides that do not fit.
   * @param {Error} error
   */
  async showProblem(error) {
    const { app } = this;
    /** @type {Override[]} */
    const found = (await app.attempt(() => app.ask("overrides"))) ?? [];
    const unfit = found.filter((one) => one.problem);
    const label = `Remove ${plural(unfit.length, "override")} that ${unfit.length === 1 ? "does" : "do"} not fit`;
    const onclick = () => removeOverrides(app.store, unfit);
    const remove = h("div.acts", {}, h("button.button", { type: "button", onclick }, label));
    const title = h("strong", {}, "The set cannot be made with these settings: ");
    fill(this.problem, h("div.notice.bad", {}, h("p", {}, title, error.message), unfit.length > 0 && remove));
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = /** @type {HTMLElement} */ (event.target);
    const action = this.actionOf(event.key, target.closest(".tile"));
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  /**
   * @param {string} key
   * @param {HTMLElement | null} tile
   * @returns {(() => void) | null}
   */
  actionOf(key, tile) {
    const { store } = this.app;
    if (key === "Escape") return this.isOpen ? () => this.close() : null;
    if (!tile) return null;
    const id = tile.dataset.id ?? "";
    if (ARROWS.includes(key)) return () => this.step(tile, key);
    if (key === "p") return () => togglePin(store, id);
    return key === "b" ? () => toggleBan(store, id) : null;
  }

  /**
   * @param {HTMLElement} tile
   * @param {string} key
   */
  step(tile, key) {
    const next = neighbour(this.rows.tiles, tile, key);
    if (!next) return;
    keepOneTabStop(this.rows.element, next);
    next.focus();
    next.scrollIntoView({ block: "nearest" });
    if (this.isOpen) next.click();
    else this.app.store.go({ class_name: next.dataset.class, image_id: next.dataset.id });
  }
}

/**
 * @param {App} app
 * @param {{ showAll(all: boolean): void, resize(size: string): void }} handlers
 */
function createHead(app, { showAll, resize }) {
  const count = h("span.count", {});
  const scope = createSegments("Classes", SCOPES, showAll);
  const size = createSegments("Size of the tiles", options(["S", "M", "L"]), (value) => {
    size.show(value);
    resize(value);
  });
  size.show("M");
  const title = h("h2", {}, "Distilled set");
  return {
    element: h("div.bar-line.set-head", {}, title, count, h("span.grow"), size.element, scope.element),
    /** @param {boolean} all */
    show(all) {
      const { ipc, factor, baseline } = app.store.state.select;
      const classes = plural(app.start.classes.length, "class", "classes");
      const mosaics = factor > 1 ? `, ${factor} × ${factor} mosaics` : "";
      const by = baseline === "none" ? "" : `, by the baseline ${baseline}`;
      count.textContent = `${classes}, IPC ${ipc}${mosaics}${by}`;
      scope.show(all);
    },
  };
}
