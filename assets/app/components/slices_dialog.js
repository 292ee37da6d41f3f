// The dialog of named slices: save the selection as one, select one, delete one.

import { empty, fill, h } from "../lib/dom.js";
import { plural } from "../lib/format.js";
import { Slices } from "../lib/slices.js";

const LONGEST = 80;
const WHERE = {
  run: "Slices are stored with the run: a link to one works for everybody who opens this run.",
  browser: "Slices are stored in this browser: a link to one works here only.",
};

/** @typedef {import("../lib/slices.js").SliceFacts} SliceFacts */

/**
 * Open the dialog.
 * @param {App} app
 */
export async function openSlices(app) {
  const slices = new Slices(app);
  const { isWritable } = await slices.list();
  const table = h("tbody", {});
  const none = empty("No slices", "Select images, and save them under a name.");
  const save = createSaver(app, async (name) => {
    const { groups, label } = app.selection;
    await slices.save(name, groups, isWritable);
    app.selection.set(groups, label, name);
    app.toast(`Saved ${plural(app.selection.count, "image")} as ${name}`);
    await show();
  });
  const where = h("p.hint", {}, isWritable ? WHERE.run : WHERE.browser);
  const dialog = app.dialog("Slices", save, h("table.slices", {}, table), none, where);
  await show();

  async function show() {
    const { slices: all } = await slices.list();
    none.hidden = all.length > 0;
    const rows = all.map((one) => createRow(one, { open: () => open(one), remove: () => remove(one) }));
    fill(table, rows);
  }

  /** @param {SliceFacts} slice */
  async function open({ name }) {
    app.selection.set(await slices.read(name), "", name);
    dialog.close();
  }

  /** @param {SliceFacts} slice */
  async function remove(slice) {
    await slices.remove(slice);
    if (app.selection.slice === slice.name) app.selection.set(app.selection.groups, slice.name);
    await show();
  }

  /**
   * @param {SliceFacts} slice
   * @param {{ open(): Promise<void>, remove(): Promise<void> }} actions
   */
  function createRow({ name, count, isShared }, actions) {
    /**
     * @param {string} text
     * @param {() => Promise<void>} action
     */
    const link = (text, action) => {
      const onclick = () => app.attempt(action);
      return h("button.link", { type: "button", "aria-label": `${text} ${name}`, onclick }, text);
    };
    const isOthers = isShared && !isWritable;
    const end = h("td.figure", {}, link("Select", actions.open), " ", !isOthers && link("Delete", actions.remove));
    return h("tr", {}, h("td", {}, name), h("td.figure", {}, plural(count, "image")), end);
  }
}

/**
 * Create the form that names the selection; null without one.
 * @param {App} app
 * @param {(name: string) => Promise<void>} save
 */
function createSaver(app, save) {
  const { selection } = app;
  if (!selection.count) return null;
  const name = h("input", { type: "text", maxLength: LONGEST, required: true, "aria-label": "Name of the slice" });
  name.placeholder = `Name for the ${plural(selection.count, "selected image")}`;
  name.value = selection.slice;
  /** @param {Event} event */
  const onsubmit = (event) => {
    event.preventDefault();
    const text = name.value.trim();
    if (text) app.attempt(() => save(text));
  };
  return h("form.slice-form", { onsubmit }, name, h("button.primary", { type: "submit" }, "Save"));
}
