// Images without a patch in the gallery: skipped while scoring, or banned.

import { h } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { toggleBan } from "../lib/overrides.js";
import { createTable } from "./dialog.js";

const MOST_PAGES = 10;

const WHY = "Images that were not scored, and the reasons";

/**
 * A link with the number of skipped images, which opens the list of reasons.
 * @param {App} app
 */
export function createSkippedLink(app) {
  const element = h("button.link", { type: "button", hidden: true, title: WHY });
  element.addEventListener("click", () => app.attempt(() => showSkipped(app)));
  return {
    element,
    show() {
      const { skipped } = app.class();
      element.hidden = !skipped;
      element.textContent = `${count(skipped)} skipped`;
    },
  };
}

/** @param {App} app */
async function showSkipped(app) {
  /** @type {{ image_id: string, reason: string }[]} */
  const rows = [];
  let total = 0;
  for (let page = 0, pages = 1; page < pages && page < MOST_PAGES; page += 1) {
    const result = await app.ask("skipped", { page });
    rows.push(...result.rows);
    ({ pages, total } = result);
  }
  const body = rows.map((row) => h("tr", {}, h("td", {}, row.image_id), h("td", {}, row.reason)));
  const cut = `The first ${count(rows.length)} of ${count(total)} are shown; images.parquet in the run lists all.`;
  const note = total > rows.length && h("p.hint", {}, cut);
  app.dialog(`Skipped images of ${app.class().name}`, createTable(["Image", "Reason"], body), note);
}

/**
 * A link with the number of banned images, which opens a list to view and allow them.
 * @param {App} app
 */
export function createBannedLink(app) {
  /** @type {string[]} */
  let banned = [];
  const element = h("button.link", { type: "button", hidden: true, onclick: () => showBanned(app, banned) });
  return {
    element,
    /** @param {string[]} ids */
    show(ids) {
      banned = ids;
      element.hidden = !ids.length;
      element.textContent = `${count(ids.length)} banned`;
    },
  };
}

/**
 * @param {App} app
 * @param {string[]} banned
 */
function showBanned(app, banned) {
  /**
   * @param {string} text
   * @param {string} label
   * @param {() => void} action
   */
  const link = (text, label, action) => {
    const onclick = () => {
      dialog.close();
      action();
    };
    return h("button.link", { type: "button", onclick, "aria-label": label }, text);
  };
  const rows = banned.map((id) => {
    const view = link("View", `View ${id}`, () => app.store.go({ image_id: id }));
    const allow = link("Allow again", `Allow ${id} again`, () => toggleBan(app.store, id));
    return h("tr", {}, h("td", {}, id), h("td.figure", {}, view, " ", allow));
  });
  const dialog = app.dialog(`Banned images of ${app.class().name}`, h("table", {}, h("tbody", {}, rows)));
}
