// Near-duplicates of the distilled set side by side.

import { h } from "../lib/dom.js";
import { percent } from "../lib/format.js";
import { toggleBan } from "../lib/overrides.js";
import { rankingScore } from "../lib/settings_text.js";
import { PatchCrop } from "./patch_crop.js";

export const NEAR_DUPLICATES =
  "Pairs of kept patches of a class with nearly the same features (cosine of 0.95 or more).";
const ADVICE = " Ban one of a pair, and the next best patch replaces it.";

/**
 * Open the dialog; `view(className, patch)` is called for a patch that is clicked.
 * @param {App} app
 * @param {ClassFigures[]} classes
 * @param {(className: string, patch: Patch) => void} view
 */
export function openDuplicates(app, classes, view) {
  const parts = classes.filter((one) => one.pairs.length).map((one) => createPart(app, one, act));
  const dialog = app.dialog("Near-duplicates", h("p.soft", {}, NEAR_DUPLICATES, ADVICE), parts);

  /**
   * @param {string} className
   * @param {Patch} patch
   * @param {boolean} ban
   */
  function act(className, patch, ban) {
    dialog.close();
    if (ban) toggleBan(app.store, patch.id);
    else view(className, patch);
  }
}

/**
 * @param {App} app
 * @param {ClassFigures} figures
 * @param {(className: string, patch: Patch, ban: boolean) => void} act
 */
function createPart(app, { name, pairs, near_duplicates: total }, act) {
  const hidden = total - pairs.length;
  const items = pairs.map((pair) =>
    h(
      "li",
      {},
      pair.map((patch) => createPatch(app, name, patch, act)),
    ),
  );
  return [h("h3", {}, name), h("ul.pairs", {}, items), hidden > 0 && h("p.soft", {}, `and ${hidden} more`)];
}

/**
 * @param {App} app
 * @param {string} className
 * @param {Patch} patch
 * @param {(className: string, patch: Patch, ban: boolean) => void} act
 */
function createPatch(app, className, patch, act) {
  const crop = new PatchCrop(app);
  crop.show(patch, className);
  const numbers = patch.kept.map((one) => one + 1).join(", ");
  const facts = h("span", {}, `image ${numbers} · score ${percent(rankingScore(patch, app.store.state.select))}`);
  const show = h("button.candidate", { type: "button", "aria-label": `Show ${patch.id}`, title: patch.id });
  show.append(crop.element, facts);
  show.addEventListener("click", () => act(className, patch, false));
  const ban = h("button.button", { type: "button", "aria-label": `Ban ${patch.id}` }, "Ban");
  ban.addEventListener("click", () => act(className, patch, true));
  return h("div.side-of-pair", {}, show, ban);
}
