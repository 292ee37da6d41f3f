// Help: what the app does, its keys, and its terms.

import { h } from "../lib/dom.js";
import { MEAN_LOSS, UNIT } from "../lib/quantities.js";
import { isDemo, showExamples } from "./examples.js";
import { WHAT } from "./intro.js";
import { startTour, startTourOnce } from "./tour.js";

const ABOUT = [
  `${WHAT}.`,
  "A pretrained diffusion model, the prior, predicts the noise in each image twice: with the class named in the " +
    "prompt, and without it. Where naming the class lowers the loss, the image is discriminative: this gap is the " +
    "heat map.",
  "dsel locates the patch of each image where naming the class matters most, clusters the patches of a class by " +
    "their features, ranks them, and exports a cut around as many as the IPC allows: a small set of real pixels.",
];
const KEYS = [
  ["←  →", "Previous image, next image"],
  ["[  ]", "Previous class, next class"],
  ["C", "Choose a class by name"],
  ["1 to 9, 0", "Tabs, in their order"],
  ["P", "Pin the chosen image: its patch is kept first"],
  ["B", "Ban the chosen image: it is never kept"],
  ["Ctrl+Z", "Undo; with Shift, redo"],
  ["S", "Hide or show the settings"],
  ["D", "Compact or roomy page (density)"],
  ["Esc", "Close, or clear the selection"],
  ["?", "This help"],
];
const TERMS = [
  ["Gap", "unconditional minus conditional loss: positive where naming the class helps"],
  [
    "Difference",
    "the squared difference of the two predictions: large where naming the class matters, whether it helps or not. " +
      "It locates patches with few evaluations, and never ranks them, since it is as large for a wrong name",
  ],
  ["Mean loss", MEAN_LOSS],
  ["Patch", "the square box of an image where the class shows"],
  [
    "Score",
    `the mean gap inside the patch, in ${UNIT}, with the same weight for every timestep: how large the gap is beside ` +
      "an average image. The first figure of the sentence is how much of the patch's own loss it is",
  ],
  ["Picture score", "the same mean over the whole picture"],
  ["Rank", "the order in which patches are kept: clusters take turns, so the scores need not fall along it"],
  ["Cut", "what is exported around a patch: the patch, the patch with context, or the whole picture"],
  ["Cluster", "one k-means cluster of a class's patches"],
  ["IPC", "images per class in the distilled set"],
  ["Timestep", "how much noise the prior saw: a small timestep is little noise, 999 is pure noise"],
  ["Mosaic", "one distilled image made of several cuts, its tiles"],
  ["Student", "a model that is trained from scratch on the set, to measure what the set is worth"],
  ["Baseline", "another way to choose or cut, at equal budget"],
];

/**
 * Add the help to the page: its key, its button, and the tour on the first visit.
 * @param {App} app
 */
export function mountHelp(app) {
  const open = () => openHelp(app);
  app.help = open;
  app.keys.set("?", open);
  startTourOnce(app);
}

/** @param {App} app */
function openHelp(app) {
  if (app.root.querySelector("dialog.help")) return;
  const tour = h("button.button", { type: "button" }, "Show the tour again");
  tour.addEventListener("click", () => {
    dialog.close();
    startTour(app);
  });
  const examples = h("button.button", { type: "button" }, "Things to try");
  examples.addEventListener("click", () => {
    dialog.close();
    showExamples(app);
  });
  const keys = KEYS.map(([key, text]) => [key.split("  ").map((one) => h("kbd", {}, one)), text]);
  const dialog = app.dialog(
    "Help",
    ABOUT.map((text) => h("p.help-text", {}, text)),
    h("h3", {}, "Keys"),
    list(keys),
    h("h3", {}, "Terms"),
    list(TERMS),
    h("p.help-text", {}, tour, " ", isDemo(app) && examples),
    h("p.soft", {}, `dsel ${app.start.version}`),
  );
  dialog.classList.add("help");
}

/** @param {any[][]} pairs */
function list(pairs) {
  const rows = pairs.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]);
  return h("dl.help-list", {}, rows);
}
