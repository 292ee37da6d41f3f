// The manual overrides of the ranking, each with a button that removes it.

import { empty, fill, h } from "../lib/dom.js";
import { plural } from "../lib/format.js";
import { clearOverrides, removeOverrides } from "../lib/overrides.js";
import { PatchCrop } from "./patch_crop.js";

const DONE = { pin: "pinned", ban: "banned", move: "moved" };
const LABELS = { pin: "Pinned", ban: "Banned", move: "Box moved" };

/**
 * Open the dialog.
 * @param {App} app
 */
export async function openOverrides(app) {
  const list = h("ul.overrides-list", {});
  const status = h("p.soft", { role: "status" });
  const removeAll = h("button.button", { type: "button" }, "Remove all");
  removeAll.addEventListener("click", () => {
    clearOverrides(app.store);
    refresh();
  });
  const head = h("div.bar-line", {}, status, h("span.grow"), removeAll);
  app.dialog("Manual overrides", h("div.overrides-dialog", {}, head, list));
  await refresh();

  async function refresh() {
    /** @type {Override[] | undefined} */
    const found = await app.attempt(() => app.ask("overrides"));
    if (!found) return;
    const count = plural(found.length, "override");
    status.textContent = found.length
      ? `${count}, part of the link and recorded in the export's manifest.`
      : "No overrides: the ranking decides.";
    removeAll.disabled = !found.length;
    const none = h("li.alone", {}, empty("No manual overrides", "Pin, ban or replace a patch of the set."));
    fill(list, found.length ? found.map((one) => createItem(app, one, remove)) : none);
  }

  /** @param {Override} one */
  async function remove(one) {
    removeOverrides(app.store, [one]);
    await refresh();
    (list.querySelector("button") ?? removeAll).focus();
  }
}

/**
 * @param {App} app
 * @param {Override} one
 * @param {(one: Override) => void} remove
 */
function createItem(app, one, remove) {
  const { kind, image_id: id, class_name: className, problem } = one;
  const crop = new PatchCrop(app);
  if (className && !problem) crop.showWhole(className, id);
  const text = [h("span.kind", {}, LABELS[kind]), h("span.id", { title: id }, id)];
  const label = `Remove: ${id} ${DONE[kind]}`;
  const button = h("button.button", { type: "button", onclick: () => remove(one), "aria-label": label }, "Remove");
  return h(
    "li",
    {},
    crop.element,
    h("div.override-facts", {}, text, problem && h("span.problem", {}, problem)),
    button,
  );
}
