// The clusters at a glance: a legend with counts, and a card for each cluster.

import { createList, h } from "../lib/dom.js";
import { percent, plural } from "../lib/format.js";
import { CLUSTER_HELP, withUnit } from "../lib/quantities.js";
import { rankingScore } from "../lib/settings_text.js";
import { clusterMark } from "./cluster_mark.js";
import { PatchCrop } from "./patch_crop.js";

/**
 * @typedef {object} ClusterCard
 * @property {number} size
 * @property {number} kept
 * @property {number | null} median
 * @property {Patch[]} discriminative
 * @property {Patch[]} central
 */
/** @typedef {{ cluster(n: number): void, image(id: string): void }} Pick */

/**
 * Create the legend; `pick(cluster)` is called when an entry is pressed.
 * @param {(cluster: number) => void} pick
 */
export function createClusterLegend(pick) {
  const element = h("ul.cluster-legend", { "aria-label": "Clusters; press one to select it" });
  let made = 0;
  const entries = createList(element, () => createEntry(made++, pick));
  return { element, show };

  /**
   * @param {number[]} sizes patches of each cluster
   * @param {number[] | null} selected how many of them are selected
   * @param {number} cluster the selected cluster, or -1
   */
  function show(sizes, selected, cluster) {
    made = Math.min(made, sizes.length);
    const views = entries.resize(sizes.length);
    sizes.forEach((size, n) => {
      const { button, count } = views[n];
      count.textContent = selected ? `${selected[n] ?? 0} of ${size}` : `${size}`;
      button.setAttribute("aria-pressed", String(n === cluster));
      button.classList.toggle("none", selected != null && !selected[n]);
    });
  }
}

/**
 * @param {number} n
 * @param {(cluster: number) => void} pick
 */
function createEntry(n, pick) {
  const count = h("span.soft", { title: CLUSTER_HELP });
  const name = h("span", {}, `cluster ${n + 1}`);
  const button = h("button", { type: "button", onclick: () => pick(n) }, clusterMark(n), name, count);
  return { element: h("li", {}, button), button, count };
}

/**
 * Create the cards.
 * @param {App} app
 * @param {Pick} pick
 */
export function createClusterCards(app, pick) {
  const element = h("div.cluster-cards");
  let made = 0;
  const cards = createList(element, () => createCard(app, pick, made++));
  return {
    element,
    /** @param {ClusterCard[]} shown */
    show(shown) {
      made = Math.min(made, shown.length);
      const views = cards.resize(shown.length);
      shown.forEach((card, n) => {
        views[n].show(card);
      });
    },
    /**
     * @param {number} cluster
     * @param {string} imageId
     */
    mark(cluster, imageId) {
      cards.views.forEach((card, n) => {
        card.head.setAttribute("aria-pressed", String(n === cluster));
      });
      for (const one of element.querySelectorAll(".patch")) {
        one.setAttribute("aria-current", String(/** @type {HTMLElement} */ (one).dataset.id === imageId));
      }
    },
  };
}

/**
 * @param {App} app
 * @param {Pick} pick
 * @param {number} n
 */
function createCard(app, pick, n) {
  const facts = h("span.soft");
  const name = h("strong", {}, `Cluster ${n + 1}`);
  const head = h("button.card-head", { type: "button", onclick: () => pick.cluster(n) }, clusterMark(n), name, facts);
  const discriminative = createRow(app, pick, "Most discriminative");
  const central = createRow(app, pick, "Most central");
  const label = { "aria-label": `Cluster ${n + 1}` };
  return {
    element: h("article.cluster-card", label, head, discriminative.element, central.element),
    head,
    /** @param {ClusterCard} card */
    show(card) {
      const size = plural(card.size, "patch", "patches");
      facts.textContent = `${size} · ${card.kept} kept · median score ${percent(card.median)}`;
      discriminative.show(card.discriminative);
      central.show(card.central);
    },
  };
}

/**
 * @param {App} app
 * @param {Pick} pick
 * @param {string} label
 */
function createRow(app, pick, label) {
  const element = h("div.crops");
  const crops = createList(element, () => createPatch(app, pick, label));
  return {
    element: h("div.crop-row", {}, h("span.soft", {}, label), element),
    /** @param {Patch[]} patches */
    show(patches) {
      const views = crops.resize(patches.length);
      patches.forEach((patch, n) => {
        views[n].show(patch);
      });
    },
  };
}

/**
 * @param {App} app
 * @param {Pick} pick
 * @param {string} label
 */
function createPatch(app, pick, label) {
  const crop = new PatchCrop(app, { lazy: true });
  const element = h("button.patch", { type: "button" }, crop.element);
  element.addEventListener("click", () => pick.image(element.dataset.id ?? ""));
  return {
    element,
    /** @param {Patch} patch */
    show(patch) {
      const score = withUnit(rankingScore(patch, app.store.state.select));
      const facts = `${patch.id}, rank ${patch.rank + 1}, score ${score}`;
      element.dataset.id = patch.id;
      element.title = facts;
      element.setAttribute("aria-label", `${facts}, ${label.toLowerCase()} of its cluster`);
      element.setAttribute("aria-current", String(app.store.state.image_id === patch.id));
      crop.show(patch);
    },
  };
}
