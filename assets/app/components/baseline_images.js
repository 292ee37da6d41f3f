// A column of distilled images whose patches, or cuts, are made of their images by the browser.

import { createList, empty, fill, h } from "../lib/dom.js";
import { tileShare } from "../lib/settings_text.js";
import { PatchCrop } from "./patch_crop.js";

/**
 * Create the column; region: what it shows of a patch, its box or what is exported around it.
 * @param {App} app
 * @param {string} label
 * @param {"box" | "cut"} [region]
 */
export function createBaselineImages(app, label, region = "box") {
  const element = h("ol.images", { "aria-label": `Distilled images: ${label}` });
  const images = createList(element, () => createImage(app, region));
  return {
    element,
    /** @param {Patch[][]} shown */
    show(shown) {
      element.querySelector(".empty")?.parentElement?.remove();
      const views = images.resize(shown.length);
      shown.forEach((patches, n) => {
        views[n].show(patches, `${label}, image ${n + 1}`);
      });
      if (!shown.length) fill(element, h("li", {}, empty("No images")));
    },
    /** @param {string} id */
    mark(id) {
      for (const one of element.querySelectorAll("button")) {
        one.setAttribute("aria-current", String(one.dataset.id === id));
      }
    },
  };
}

/**
 * @param {App} app
 * @param {"box" | "cut"} region
 */
function createImage(app, region) {
  const element = h("li.distilled");
  const patches = createList(element, () => createPatch(app, region));
  return {
    element,
    /**
     * @param {Patch[]} shown
     * @param {string} label
     */
    show(shown, label) {
      element.style.setProperty("--factor", String(Math.round(Math.sqrt(shown.length))));
      const views = patches.resize(shown.length);
      shown.forEach((patch, n) => {
        views[n].show(patch, label);
      });
    },
  };
}

/**
 * @param {App} app
 * @param {"box" | "cut"} region
 */
function createPatch(app, region) {
  const crop = new PatchCrop(app);
  const element = h("button.patch", { type: "button" }, crop.element);
  element.addEventListener("click", () => app.store.go({ image_id: element.dataset.id }));
  return {
    element,
    /**
     * @param {Patch} patch
     * @param {string} label
     */
    show(patch, label) {
      element.dataset.id = patch.id;
      element.title = patch.id;
      element.setAttribute("aria-label", `${label}, from ${patch.id}`);
      const isCut = region === "cut";
      const share = isCut ? tileShare(app.store.state.select, patch.cut[2] / Math.min(...patch.size)) : 1;
      crop.show({ ...patch, box: patch[region] }, undefined, share);
    },
  };
}
