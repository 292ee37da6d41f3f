// Things to try in the demo: links into it, with a sentence each.

import { h } from "../lib/dom.js";

/** @typedef {{ title: string, text: string, view: Record<string, string>, thumbnail?: string }} Example */
/** @type {Example[]} */
const EXAMPLES = [
  {
    title: "Why this patch?",
    text: "The loss with the class named and without it, and the box where naming the class helps most.",
    view: { tab: "inspect", class: "teapot" },
  },
  {
    title: "Where the name matters",
    text: "The difference map locates with less noise than the gap; compare its box with the usual one.",
    view: { tab: "inspect", class: "rocket", locate: "difference", smooth: "1" },
  },
  {
    title: "Which patches are alike",
    text: "The patches of a class as points by likeness: draw a lasso around some and see them below.",
    view: { tab: "clusters", class: "mushroom" },
  },
  {
    title: "Four tiles an image",
    text: "Mosaics show more pictures at the same number of images; students unpack them.",
    view: { tab: "distilled", class: "castle", factor: "2" },
  },
  {
    title: "What another setting changes",
    text: "Patches of a quarter of the image as A beside the usual ones as B, with a slider between them.",
    view: { tab: "compare", class: "cactus", a: "patch_px=32" },
  },
  {
    title: "Better than chance?",
    text: "The chosen patches beside random ones, the centre and the whole images, with hit rates on true boxes.",
    view: { tab: "baselines", class: "robot" },
  },
  {
    title: "Does it train better models?",
    text: "Accuracy of students on this set and on random images of equal number.",
    view: { tab: "evaluate", class: "car" },
  },
  {
    title: "A picture of your own",
    text: "Name what it shows, score it, and replay how the box settled draw by draw.",
    view: { tab: "score", class: "snowman" },
  },
];

/**
 * Return whether the open run is the shipped demo, which the examples are of.
 * @param {App} app
 */
export function isDemo({ start, store }) {
  const names = start.classes.map((one) => one.name);
  const known = EXAMPLES.every(({ view }) => names.includes(view.class));
  return !store.state.run && start.run.dataset === "toybox" && known;
}

/**
 * Show the examples; each opens its view, with the default settings besides.
 * @param {App} app
 */
export function showExamples(app) {
  const cards = EXAMPLES.map(({ title, text, view }) => {
    const onclick = () => {
      dialog.close();
      app.attempt(() => app.openRun("", view));
    };
    return h(
      "li",
      {},
      h("button.one-to-try", { type: "button", onclick }, h("strong", {}, title), h("span.soft", {}, text)),
    );
  });
  const dialog = app.dialog("Things to try", h("ul.to-try", {}, cards));
}
