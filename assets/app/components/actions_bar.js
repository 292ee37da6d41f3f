// What to do with the selected images, at the foot of every tab: pin, ban, list, copy, export, keep as a slice.

import { h, icon, iconButton, stylesheet } from "../lib/dom.js";
import { downloadText } from "../lib/downloads.js";
import { count, plural } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { banMany, pinMany, releaseMany } from "../lib/overrides.js";
import { saveWhenDone } from "./job_download.js";
import { openSlices } from "./slices_dialog.js";

stylesheet(new URL("./actions_bar.css", import.meta.url));

/**
 * Create the bar, which is seen while images are selected (`app.selection`).
 * @param {App} app
 */
export function createActionsBar(app) {
  const { selection, store } = app;
  const facts = h("p.facts", { role: "status" });
  /**
   * @param {string | string[]} paths
   * @param {string} text
   * @param {string} title
   * @param {() => unknown} action
   */
  const button = (paths, text, title, action) => {
    const onclick = () => app.attempt(action);
    return h("button.quiet", { type: "button", title, onclick }, icon(paths), text);
  };
  const free = button(ICONS.reset, "Release", "Neither pin nor ban them any more", () => {
    releaseMany(store, selection.ids);
    app.toast(`Released ${plural(selection.count, "image")}`);
  });
  const gallery = button(ICONS.grid, "Gallery", "List them in the gallery of Inspect", () => openGallery(app));
  const buttons = [
    button(ICONS.pin, "Pin", "Keep them first in their classes", () => act(app, pinMany, "Pinned")),
    button(ICONS.ban, "Ban", "Never keep them", () => act(app, banMany, "Banned")),
    free,
    gallery,
    button(ICONS.copy, "Copy ids", "Copy their ids, one a line", () => copyIds(app)),
    button(ICONS.download, "Table", "Download a CSV of them, with their scores, clusters and boxes", () => table(app)),
    button(ICONS.download, "Export", "Write their cuts as a zip file, in the formats of the Export tab", () =>
      exported(app),
    ),
    button(ICONS.slice, "Slice", "Save them under a name, or select others that have one", () => openSlices(app)),
  ];
  const close = iconButton(ICONS.close, "Clear the selection", () => selection.clear());
  const element = h(
    "section.actions-bar",
    { "aria-label": "Selected images", hidden: true },
    facts,
    h("div.actions", {}, buttons),
    close,
  );
  selection.subscribe(show);
  store.subscribe((change) => change.has("select") && show());
  return { element };

  function show() {
    element.hidden = !selection.count;
    if (element.hidden) return;
    const classes = Object.keys(selection.groups);
    const where = classes.length > 1 ? ` of ${count(classes.length)} classes` : ` of ${classes[0]}`;
    const name = selection.slice ? ` · ${selection.slice}` : selection.label && ` · ${selection.label}`;
    facts.textContent = `${plural(selection.count, "image")}${where}${name}`;
    facts.title = facts.textContent;
    const { pins, bans } = store.state.select;
    const overridden = new Set([...pins, ...bans]);
    free.hidden = !selection.ids.some((id) => overridden.has(id));
    gallery.setAttribute("aria-pressed", String(selection.inGallery));
  }
}

/**
 * Pin or ban the selected images, and offer to take it back.
 * @param {App} app
 * @param {(store: Store, ids: string[]) => void} override
 * @param {string} done
 */
function act(app, override, done) {
  const { selection, store, toast } = app;
  const before = store.state.select;
  override(store, selection.ids);
  if (store.state.select === before) {
    toast(`${done} already: ${plural(selection.count, "image")}`);
    return;
  }
  const note = toast(`${done} ${plural(selection.count, "image")}`);
  const onclick = () => {
    store.undo();
    note.remove();
  };
  const undo = h("button.link", { type: "button", onclick }, "Undo");
  note.append(undo);
  // It takes back this step alone: after another one it would take back that.
  const stop = store.subscribe((change) => {
    if (!change.has("select")) return;
    stop();
    undo.remove();
  });
}

/**
 * Show the selected images alone in the gallery, or all again. The class is changed where it has none of them.
 * @param {App} app
 */
function openGallery({ selection, store }) {
  const shown = !(selection.inGallery && store.state.tab === "inspect");
  selection.showInGallery(shown);
  if (!shown) return;
  const { class_name: name, image_id: id } = store.state;
  const here = selection.of(name).length ? name : largestClass(selection.groups);
  const ids = selection.of(here);
  store.go({ tab: "inspect", class_name: here, image_id: ids.includes(id) ? id : ids[0] });
}

/** @param {import("../lib/selection.js").Groups} groups */
function largestClass(groups) {
  const names = Object.keys(groups);
  return names.reduce((best, one) => (groups[one].length > groups[best].length ? one : best), names[0]);
}

/** @param {App} app */
function copyIds({ selection, copy }) {
  return copy(selection.ids.join("\n"), plural(selection.count, "id"));
}

/** @param {App} app */
async function table({ selection, ask }) {
  const { csv } = await ask("selected_csv", { ids: selection.ids });
  downloadText(csv, `${selection.slice || "selected"}.csv`, "text/csv");
}

/**
 * Write the selected images as a zip file, by a job like that of the Export tab, and save it.
 * @param {App} app
 */
async function exported(app) {
  const { selection, ask, toast } = app;
  const { token } = await ask("export_start", { ids: selection.ids });
  toast(`Writing ${plural(selection.count, "image")} as a zip file …`);
  await saveWhenDone(app, "export", token, { chosen: true });
}
