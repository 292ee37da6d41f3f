// The formats of an export: a checkbox for each, with what it is for.

import { h, uid } from "../lib/dom.js";

/** The files of each format, and what they are. */
const FILES = /** @type {Record<string, [string, string][]>} */ ({
  folder: [
    ["train/", "one folder per class, with images only"],
    ["  CLASS/CLASS_id00000.png", "the images of each class, numbered from 0"],
    ["classes.json", "the class order"],
    ["patches.parquet", "one row per patch: image, boxes, cut, scores, margin, cluster, rank"],
  ],
  parquet: [
    ["data/train-00000.parquet", "images and labels, the config default"],
    ["patches/train-00000.parquet", "one row per patch, the config patches"],
    ["preview.webp", "the first images of some classes, for the card in README.md"],
  ],
  webdataset: [["train-00000.tar", "each image with its class index and its patches"]],
  coco: [["coco.json", "boxes of the chosen patches on the source's pictures"]],
  croissant: [
    ["croissant.json", "what images.parquet contains, in the format of MLCommons"],
    ["images.parquet", "images and labels"],
  ],
  csv: [["selection.csv", "one row per patch: image, boxes, cut, scores, margin, cluster, rank"]],
  rded: [["00000/class00000_id00000.jpg", "the images by the numbers of their classes"]],
  sre2l: [["new000/class000_id000.jpg", "the images by the numbers of their classes"]],
  minimax: [["CLASS/0.png", "the images of each class, numbered from 0"]],
  ddranking: [
    ["images.pt", "a tensor of all images, in 0 to 1"],
    ["labels.pt", "their class indices"],
  ],
});
const ALWAYS = [
  ["README.md", "what the set is, and how to load it"],
  ["manifest.json", "every setting, version and fingerprint; the overrides; the source of every pixel"],
];

/**
 * Create the checkboxes; `show()` updates them. One of them is always checked.
 * @param {Store} store
 * @param {Widget} widget
 */
export function createFormats(store, { label, help, choices }) {
  const boxes = choices.map((one) => createBox(one, () => write()));
  const rows = boxes.map((one) => one.element);
  const legend = h("legend.label", {}, label);
  const hint = h("p.hint", {}, `${help.charAt(0).toUpperCase()}${help.slice(1)}.`);
  return {
    element: h("fieldset.widget.wide.formats", {}, legend, h("div.format-list", {}, rows), hint),
    show() {
      const chosen = store.state.export.format;
      for (const { input } of boxes) {
        input.checked = chosen.includes(input.value);
        input.disabled = input.checked && chosen.length === 1;
      }
    },
  };

  function write() {
    store.exporting({ format: boxes.filter((one) => one.input.checked).map((one) => one.input.value) });
  }
}

/**
 * @param {Choice} choice
 * @param {() => void} changed
 */
function createBox({ value, label, hint }, changed) {
  const [id, hintId] = [uid("format"), uid("format-hint")];
  const input = h("input", { type: "checkbox", id, value, "aria-describedby": hintId });
  input.addEventListener("change", changed);
  const text = h("label", { htmlFor: id }, label);
  return { input, element: h("div.format-row", {}, input, text, h("span.soft", { id: hintId }, hint)) };
}

/**
 * List the files of an export in these formats; several have a folder each.
 * @param {string[]} formats
 * @returns {[string, string][]}
 */
export function filesOf(formats) {
  if (formats.length === 1) return [...FILES[formats[0]], .../** @type {[string, string][]} */ (ALWAYS)];
  return formats.flatMap((name) => [
    /** @type {[string, string]} */ ([`${name}/`, "with a README.md and a manifest.json of its own"]),
    ...FILES[name].map(([file, text]) => /** @type {[string, string]} */ ([`  ${file}`, text])),
  ]);
}
