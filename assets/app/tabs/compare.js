// Settings A and B side by side: figures, images by disagreement, one image under both, clusters.

import { boxLegend } from "../components/box_pair.js";
import { ChangeList, keptText, rankText } from "../components/change_list.js";
import { ClusterMoves } from "../components/cluster_moves.js";
import { ComparedSettings, pinAsA } from "../components/compared_settings.js";
import { Wipe } from "../components/wipe.js";
import { fill, h, icon, stylesheet } from "../lib/dom.js";
import { count, number, percent, plural } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { imageQuery, selectQuery } from "../lib/links.js";

stylesheet(new URL("./compare.css", import.meta.url));
stylesheet(new URL("../components/wipe.css", import.meta.url));

const REST_MS = 350;
/** @type {ChangeListing} */
const FRESH = { cluster_a: -1, cluster_b: -1, keeping: "any", backwards: false, page: 0 };
const STEPS = [
  "Pin the current settings: they become A.",
  "Move the sliders: they are B.",
  "See which boxes and clusters change, and how much of the distilled set stays the same.",
];

/** @typedef {Record<string, number>} Found */
/** @type {{ label: string, value(found: Found): string, text(found: Found): string, help: string }[]} */
const FIGURES = [
  {
    label: "Same images kept",
    value: (found) => percent(found.image_share),
    text: (found) => `${found.same_images} of ${plural(Math.max(found.a, found.b), "patch", "patches")}`,
    help: "Share of the distilled set whose patches come from the same images.",
  },
  {
    label: "Same boxes kept",
    value: (found) => percent(found.box_share),
    text: (found) => `${found.same_boxes} of ${plural(Math.max(found.a, found.b), "patch", "patches")}`,
    help: "Share of the distilled set that shows the same region: boxes of an image that overlap by more than half.",
  },
  {
    label: "Overlap of boxes",
    value: (found) => percent(found.overlap),
    text: (found) => `mean of ${plural(found.images, "image")}`,
    help: "Area that the boxes of A and B share, divided by the area that both cover.",
  },
  {
    label: "Changed boxes",
    value: (found) => count(found.images - found.unchanged),
    text: (found) => `of ${plural(found.images, "image")}`,
    help: "Images whose box is not exactly the same.",
  },
  {
    label: "Clusters agree",
    value: (found) => number(found.rand_index),
    text: () => "1 the same, 0 by chance",
    help: "Adjusted Rand index: how often two images that share a cluster in A also share one in B, beyond chance.",
  },
];

/** @type {Tab} */
export const tab = { mount: (root, app) => new CompareTab(root, app) };

class CompareTab {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.root = root;
    this.app = app;
    this.listing = { ...FRESH };
    /** @type {CompareResult | null} */
    this.result = null;
    this.classKey = "";
    this.timer = 0;
    /** Counts the requests, so that figures of earlier settings are not shown as those of the current ones. */
    this.requests = 0;
    this.head = new ComparedSettings(app);
    this.figures = createFigures();
    this.list = new ChangeList(app, (change) => this.refresh(change));
    this.moves = new ClusterMoves((a, b) => this.refresh({ cluster_a: a, cluster_b: b, page: 0 }));
    this.detail = createDetail(app);
    this.problem = h("div.notice.bad", { role: "alert", hidden: true });
    const detail = h("div.compare-detail", {}, this.detail.element, this.moves.element);
    const split = h("div.split", {}, this.list.element, detail);
    this.body = h("div.compare-body", {}, this.figures.element, split);
    this.comparison = h("div.compare", {}, this.head.element, this.problem, this.body);
    this.start = createStart(app);
  }

  /** @param {Change} change */
  async show(change) {
    const { store } = this.app;
    const child = store.state.a ? this.comparison : this.start.element;
    if (this.root.firstChild !== child) fill(this.root, child);
    if (!store.state.a) {
      this.start.show();
      return;
    }
    this.head.show(change.has("a") ? null : (this.result?.a ?? null));
    const isOnlyTheImage = [...change].every((key) => key === "image_id" || key === "tab");
    if (isOnlyTheImage && this.result && this.showChosen(this.result, false)) return;
    await this.request();
  }

  hide() {
    clearTimeout(this.timer);
  }

  /** @param {Partial<ChangeListing>} change */
  refresh(change) {
    Object.assign(this.listing, change);
    return this.app.attempt(() => this.request());
  }

  /** @returns {Promise<void>} */
  async request() {
    const { app, listing } = this;
    const { run, class_name: name, a } = app.store.state;
    const classKey = JSON.stringify([run, name]);
    if (classKey !== this.classKey) Object.assign(listing, FRESH);
    this.classKey = classKey;
    this.requests += 1;
    this.figures.markStale();
    const result = await app.latest("compare", () => this.compare(a));
    if (!result) return;
    const [clustersA, clustersB] = [result.moves.length, result.moves[0]?.length ?? 0];
    if (listing.cluster_a >= clustersA || listing.cluster_b >= clustersB) {
      await this.refresh({ cluster_a: -1, cluster_b: -1 });
      return;
    }
    listing.page = result.page;
    this.result = result;
    this.paint(result);
    this.requestOverall();
  }

  /**
   * Request the comparison. Where A of the link is not valid, say so in the tab, beside the button that forgets A.
   * @param {string} a
   * @returns {Promise<CompareResult | null>}
   */
  async compare(a) {
    try {
      const result = await this.app.ask("compare", { ...this.listing });
      this.problem.hidden = true;
      this.body.hidden = false;
      return result;
    } catch (error) {
      if (a === this.app.store.state.a) {
        const advice = "Change the settings, pin others as A, or forget A.";
        fill(this.problem, h("p", {}, /** @type {Error} */ (error).message), h("p", {}, advice));
        this.problem.hidden = false;
        this.body.hidden = true;
      }
      return null;
    }
  }

  /** @param {CompareResult} result */
  paint(result) {
    this.head.show(result.a);
    this.figures.show(result.figures);
    this.list.show(result, this.listing);
    this.moves.show(result.moves, this.listing);
    this.showChosen(result, true);
  }

  /**
   * Show the chosen image large; return false where its row is not known here and can be requested.
   * @param {CompareResult} result
   * @param {boolean} isFresh
   */
  showChosen({ rows, chosen }, isFresh) {
    const row = [chosen, ...rows].find((one) => one?.id === this.app.store.state.image_id);
    if (!row && !isFresh) return false;
    const shown = row ?? chosen;
    this.list.mark(shown?.id);
    this.detail.show(shown);
    return true;
  }

  /** Request the figures of all classes once the settings are at rest. */
  requestOverall() {
    const { app, requests } = this;
    clearTimeout(this.timer);
    const request = async () => {
      const found = await app.latest("compare overall", () => app.ask("compare_overall"));
      if (found && requests === this.requests) this.figures.showOverall(found);
    };
    this.timer = window.setTimeout(() => app.attempt(request), REST_MS);
  }
}

/**
 * Create what is shown before A is pinned.
 * @param {App} app
 */
function createStart(app) {
  const { store } = app;
  /** @param {SelectSettings} select */
  const queryOf = (select) => selectQuery(store.defaults, select);
  const withDefaults = h("button.button", { type: "button" }, "Compare with the defaults");
  withDefaults.addEventListener("click", () => store.go({ a: queryOf(store.defaults.select) }));
  const onclick = () => pinAsA(app);
  const pin = h("button.primary", { type: "button", onclick }, icon(ICONS.pin), "Pin the current settings as A");
  const steps = STEPS.map((text) => h("li", {}, text));
  const title = h("h2", {}, "Compare two settings");
  const buttons = h("div.bar-line", {}, pin, withDefaults);
  return {
    element: h("section.compare-start", { "aria-label": "Compare" }, title, h("ol", {}, steps), buttons),
    show() {
      withDefaults.disabled = queryOf(store.state.select) === queryOf(store.defaults.select);
    },
  };
}

function createFigures() {
  const tiles = FIGURES.map(({ label, help }) => {
    const [value, text, overall] = [h("dd.big"), h("dd.soft"), h("dd.all")];
    return { value, text, overall, element: h("div.tile", { title: help }, h("dt", {}, label), value, text, overall) };
  });
  const element = h(
    "dl.tiles",
    { "aria-label": "Figures" },
    tiles.map((one) => one.element),
  );
  return {
    element,
    /** @param {Found} found */
    show(found) {
      FIGURES.forEach((figure, n) => {
        tiles[n].value.textContent = figure.value(found);
        tiles[n].text.textContent = figure.text(found);
      });
    },
    /** @param {Found} found */
    showOverall(found) {
      element.classList.remove("stale");
      FIGURES.forEach((figure, n) => {
        tiles[n].overall.textContent = `all classes ${figure.value(found)}`;
      });
    },
    markStale: () => element.classList.add("stale"),
  };
}

/**
 * Create the chosen image under both settings.
 * @param {App} app
 */
function createDetail(app) {
  const title = h("h2", {}, "Chosen image");
  const facts = h("p.soft", {});
  const wipe = new Wipe(app);
  const sentences = ["A", "B"].map((letter) => ({ letter, element: h("p.sentence", {}) }));
  const head = h("div.bar-line", {}, title, h("span.grow"), boxLegend());
  const element = h(
    "section.card.compare-image",
    { "aria-label": "Chosen image under A and B" },
    [head, facts, wipe.element],
    sentences.map((one) => one.element),
  );
  return { element, show };

  /** @param {ChangeRow | null} row */
  function show(row) {
    element.hidden = !row;
    if (!row) return;
    title.textContent = row.id;
    title.title = row.id;
    const kept = keptText(row) || "kept in neither";
    facts.textContent = [`overlap ${percent(row.overlap)}`, `rank ${rankText(row)}`, clusterText(row), kept].join(
      " · ",
    );
    wipe.show(row);
    app.attempt(() => requestMaps(row.id));
  }

  /** @param {string} id */
  async function requestMaps(id) {
    const { state, query } = app.store;
    const views = [state.a, query()].map((one) => imageQuery(one, state.class_name, id));
    const both = () => Promise.all(views.map((view) => app.ask("image", {}, { view })));
    const images = await app.latest("compare image", both);
    if (!images || images[0].image_id !== title.textContent) return;
    wipe.showMaps(images[0], images[1]);
    sentences.forEach((one, n) => {
      fill(one.element, h("b", {}, one.letter), ` ${images[n].explanation.sentence}`);
    });
  }
}

/** @param {ChangeRow} row */
function clusterText({ a, b }) {
  return `cluster A ${a ? a.cluster + 1 : "none"} → B ${b ? b.cluster + 1 : "none"}`;
}
