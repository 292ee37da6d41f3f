// Patches that could replace one of the distilled set: the chosen one is pinned, the replaced one banned.

import { empty, h } from "../lib/dom.js";
import { percent } from "../lib/format.js";
import { replaceImage } from "../lib/overrides.js";
import { rankingScore } from "../lib/settings_text.js";
import { PatchCrop } from "./patch_crop.js";

/**
 * Offer replacements for the chosen image.
 * @param {App} app
 */
export async function openReplacements(app) {
  const { class_name: className, image_id: id } = app.store.state;
  /** @type {{ cluster: Patch[], others: Patch[] } | undefined} */
  const found = await app.attempt(() => app.ask("replacements"));
  if (!found) return;
  /** @param {Patch} patch */
  const choose = (patch) => {
    dialog.close();
    replaceImage(app.store, id, patch.id);
    app.store.go({ image_id: patch.id });
  };
  /**
   * @param {string} title
   * @param {Patch[]} patches
   */
  const part = (title, patches) => {
    const buttons = patches.map((patch) => createCandidate(app, className, patch, () => choose(patch)));
    return patches.length > 0 && [h("h3", {}, title), h("div.candidates", {}, buttons)];
  };
  const isEmpty = !found.cluster.length && !found.others.length;
  const none = isEmpty && empty("No replacements", "All images of this class are kept or banned.");
  const text = h("p.soft", {}, "The patch that you choose is pinned, and ", h("strong", {}, id), " is banned. ");
  text.append("Both are one step of undo.");
  const cluster = part("Next best of its cluster", found.cluster);
  const dialog = app.dialog("Replace a patch", text, cluster, part("Next best of other clusters", found.others), none);
}

/**
 * @param {App} app
 * @param {string} className
 * @param {Patch} patch
 * @param {() => void} onclick
 */
function createCandidate(app, className, patch, onclick) {
  const crop = new PatchCrop(app);
  crop.show(patch, className);
  const facts = `score ${percent(rankingScore(patch, app.store.state.select))} · cluster ${patch.cluster + 1}`;
  const props = { type: "button", onclick, title: patch.id, "aria-label": `Take ${patch.id}, ${facts}` };
  return h("button.candidate", props, crop.element, h("span", {}, facts));
}
