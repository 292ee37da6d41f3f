// Patches that could replace one of the distilled set: the chosen one is pinned, the replaced one banned.

import { empty, h } from "../lib/dom.js";
import { percent, plural } from "../lib/format.js";
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
  const ids = [...found.cluster, ...found.others].map((patch) => patch.id);
  const dialog = app.dialog("Replace a patch", text, cluster, part("Next best of other clusters", found.others), none);
  if (ids.length) await app.attempt(() => showEffects(app, dialog, ids));
}

/** @typedef {{ image_id: string, joining: string[], leaving: string[] }} SwapEffect */

/**
 * Say at each candidate what else it changes, since a ban changes the clusters of its class.
 * @param {App} app
 * @param {HTMLElement} dialog
 * @param {string[]} ids
 */
async function showEffects(app, dialog, ids) {
  /** @type {SwapEffect[]} */
  const effects = await app.ask("swap_effects", { ids });
  for (const effect of effects) {
    const button = [...dialog.querySelectorAll("button.candidate")].find(
      (one) => /** @type {HTMLElement} */ (one).title === effect.image_id,
    );
    const text = effectText(effect);
    button?.append(h("span.effect", { title: effectDetails(effect) }, text));
    button?.setAttribute("aria-label", `${button.getAttribute("aria-label")}, ${text}`);
  }
}

/** @param {SwapEffect} effect */
function effectText({ joining, leaving }) {
  if (!joining.length && !leaving.length) return "changes nothing else";
  return `this also changes ${plural(Math.max(joining.length, leaving.length), "other image")} of the set`;
}

/** @param {SwapEffect} effect */
function effectDetails({ joining, leaving }) {
  const parts = [joining.length && `join: ${joining.join(", ")}`, leaving.length && `leave: ${leaving.join(", ")}`];
  return parts.filter(Boolean).join("; ");
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
