// The clusters at a glance: a legend whose counts follow the selection, and a card of each.

import { fill, h, number, plural } from "../lib/dom.js";
import { clusterMark } from "./cluster_mark.js";
import { makeCrop } from "./patch_crop_lazy.js";

/** The legend; `pick(cluster)` is called for the entry that is pressed. */
export function makeLegend(pick) {
  const element = h("ul.cluster-legend", { "aria-label": "Clusters; press one to select it" });
  return { element, show };

  /** counts: patches of each cluster; chosen: of each, those selected; cluster: the one selected, or -1. */
  function show(counts, chosen, cluster) {
    while (element.children.length > counts.length) element.lastChild.remove();
    while (element.children.length < counts.length) element.append(makeEntry(element.children.length));
    counts.forEach((size, n) => {
      const { button, count } = element.children[n];
      count.textContent = chosen ? `${chosen[n] ?? 0} of ${size}` : `${size}`;
      button.setAttribute("aria-pressed", String(n === cluster));
      button.classList.toggle("none", Boolean(chosen) && !chosen[n]);
    });
  }

  function makeEntry(n) {
    const count = h("span.soft");
    const button = h(
      "button",
      { type: "button", onclick: () => pick(n) },
      clusterMark(n),
      h("span", {}, `cluster ${n + 1}`),
      count,
    );
    return Object.assign(h("li", {}, button), { button, count });
  }
}

/** The cards; `pick.group(n)` and `pick.image(id)` are called for what is pressed. */
export function makeCards(app, pick) {
  const element = h("div.cluster-cards");
  return { element, show, mark };

  /** sizes: of each image by its id, the proxy's width and height. */
  function show(cards, sizes) {
    while (element.children.length > cards.length) element.lastChild.remove();
    while (element.children.length < cards.length) element.append(makeCard(app, pick, element.children.length));
    cards.forEach((card, n) => element.children[n].show(card, sizes));
  }

  function mark(cluster, imageId) {
    [...element.children].forEach((card, n) => card.head.setAttribute("aria-pressed", String(n === cluster)));
    for (const one of element.querySelectorAll(".patch"))
      one.setAttribute("aria-current", String(one.dataset.id === imageId));
  }
}

function makeCard(app, pick, n) {
  const facts = h("span.soft");
  const head = h(
    "button.card-head",
    { type: "button", onclick: () => pick.group(n) },
    clusterMark(n),
    h("strong", {}, `Cluster ${n + 1}`),
    facts,
  );
  const rows = {
    discriminative: makeRow(app, pick, "Most discriminative"),
    central: makeRow(app, pick, "Most central"),
  };
  const element = h(
    "article.cluster-card",
    { "aria-label": `Cluster ${n + 1}` },
    head,
    rows.discriminative.element,
    rows.central.element,
  );
  element.head = head;
  element.show = (card, sizes) => {
    facts.textContent = `${plural(card.size, "patch", "patches")} · ${card.kept} kept · median ${number(card.median)}`;
    for (const name of ["discriminative", "central"]) rows[name].show(card[name], sizes);
  };
  return element;
}

function makeRow(app, pick, label) {
  const crops = h("div.crops");
  const element = h("div.crop-row", {}, h("span.soft", {}, label), crops);
  return {
    element,
    show(patches, sizes) {
      while (crops.children.length > patches.length) crops.lastChild.remove();
      while (crops.children.length < patches.length) crops.append(makePatch(app, pick));
      patches.forEach((patch, n) => crops.children[n].show(patch, label, sizes));
    },
  };
}

function makePatch(app, pick) {
  const crop = makeCrop(app);
  const element = h("button.patch", { type: "button", onclick: () => pick.image(element.dataset.id) }, crop);
  element.show = ({ id, box, rank, score }, label, sizes) => {
    element.dataset.id = id;
    element.title = `${id}, rank ${rank + 1}, score ${number(score)}`;
    element.setAttribute(
      "aria-label",
      `${id}, rank ${rank + 1}, score ${number(score)}, among the ${label.toLowerCase()} of its cluster`,
    );
    element.setAttribute("aria-current", String(app.store.state.image_id === id));
    crop.show({ id, box, size: sizes.get(id) });
  };
  return element;
}

/** The floating card of the point under the pointer. */
export function makeHover(app, place) {
  const crop = makeCrop(app);
  const words = h("div.hover-words");
  const element = h("div.hover-card", { hidden: true }, crop, words);
  place.append(element);
  return {
    hide: () => (element.hidden = true),
    /** at: where the point lies in the place, in CSS pixels. */
    show({ id, box, size, rank, score, cluster, kept }, at) {
      crop.hidden = cluster < 0;
      if (cluster >= 0) crop.show({ id, box, size });
      const lines =
        cluster < 0
          ? ["no patch: the image is banned"]
          : [`rank ${rank + 1} · score ${number(score)}`, kept ? "kept" : ""];
      const mark = cluster >= 0 && h("p.of-cluster", {}, clusterMark(cluster), `cluster ${cluster + 1}`);
      fill(
        words,
        h("p.name", {}, id),
        mark,
        lines.filter(Boolean).map((line) => h("p.soft", {}, line)),
      );
      element.hidden = false;
      const { clientWidth: width, clientHeight: height } = place;
      const left = at.x + 14 + element.offsetWidth > width ? at.x - 14 - element.offsetWidth : at.x + 14;
      const top = Math.min(Math.max(at.y - element.offsetHeight / 2, 4), height - element.offsetHeight - 4);
      Object.assign(element.style, { left: `${Math.max(left, 4)}px`, top: `${top}px` });
    },
  };
}
