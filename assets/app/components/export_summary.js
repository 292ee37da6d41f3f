// What an export of the current settings contains.

import { fill, h } from "../lib/dom.js";
import { bytes, count, plural } from "../lib/format.js";
import { overridesText } from "../lib/overrides.js";
import { EXPORT_HELP } from "../lib/quantities.js";

const LISTED = 4;
const TILES = {
  images: "Images",
  classes: "Classes",
  files: "Files",
  side: "Image size",
  imagesSize: "Image files",
  zipSize: "Zip file",
};

/** The page's words for the reasons why the source's pixels are not used. */
const SOURCE_PROBLEMS = {
  missing: "since the source is not available",
  changed: "since the source has changed after scoring",
  unreadable: "since the source cannot be read",
};

/** Create the summary; `show(found)` fills it, `fail(message)` shows why there is none. */
export function createExportSummary() {
  /** @type {Record<string, ReturnType<typeof createTile>>} */
  const tiles = {};
  for (const [name, label] of Object.entries(TILES)) tiles[name] = createTile(label, EXPORT_HELP[name]);
  const notes = h("div.notices", { role: "status" });
  const problem = h("div.notices", { role: "alert" });
  const facts = h("div.facts-of-set");
  const duplicates = h("div.duplicates-of-set");
  const list = h(
    "dl.tiles",
    {},
    Object.values(tiles).map((one) => one.element),
  );
  const element = h("section.summary", { "aria-label": "Contents" }, list, facts, duplicates, notes, problem);
  return { element, wait, show, showDuplicates, fail };

  function wait() {
    element.setAttribute("aria-busy", "true");
    for (const tile of Object.values(tiles)) tile.wait();
    fill(duplicates);
  }

  /**
   * @param {Figures} found
   * @param {() => void} review
   */
  function showDuplicates({ near_duplicates: near, repeated_tiles: repeated }, review) {
    const title = h("strong", {}, "Near-duplicates");
    const link = h("button.link", { type: "button", onclick: review }, "Review them");
    const tiles = repeated ? ` ${plural(repeated, "tile repeats", "tiles repeat")} a patch of the set.` : "";
    const text = near ? `: ${plural(near, "pair")} of kept patches.` : ": none.";
    fill(duplicates, h("p", {}, title, text, tiles, " ", (near > 0 || repeated > 0) && link));
  }

  /**
   * @param {ExportSummary} found
   * @param {SelectSettings} select
   */
  function show(found, select) {
    element.removeAttribute("aria-busy");
    fill(problem);
    const { images, sampled } = found;
    tiles.images.write(count(images));
    tiles.classes.write(count(found.classes.length));
    tiles.files.write(count(found.files));
    tiles.side.write(`${found.image_px} × ${found.image_px} px`);
    const title = images ? `An estimate from ${plural(sampled, "encoded image")}.` : "";
    tiles.imagesSize.write(images ? `about ${bytes(found.images_bytes)}` : "–", title);
    tiles.zipSize.write(images ? `about ${bytes(found.zip_bytes)}` : "–", title);
    fill(facts, pixelsFact(found), overridesFact(select));
    fill(notes, found.short.length > 0 && shortNotice(found.short, select.ipc));
  }

  /** @param {string} message */
  function fail(message) {
    element.removeAttribute("aria-busy");
    for (const tile of Object.values(tiles)) tile.write("–");
    fill(facts);
    fill(notes);
    const title = h("strong", {}, "The set cannot be exported with these settings: ");
    fill(problem, h("div.notice.bad", {}, title, message));
  }
}

/**
 * @param {string} label
 * @param {string} help
 */
function createTile(label, help) {
  const value = h("dd", {}, "–");
  const element = h("div.tile-figure", { title: help }, h("dt", {}, label), value);
  return {
    element,
    /** @param {string} text */
    write(text, note = "") {
      value.textContent = text;
      element.title = note ? `${help} ${note}` : help;
    },
    /** An earlier figure stays until the next one is known. */
    wait() {
      if (value.textContent === "–") value.textContent = "…";
    },
  };
}

/** @param {ExportSummary} found */
function pixelsFact({ pixels, source_problem: problem, source_message: message }) {
  const title = h("strong", {}, "Pixels");
  if (pixels === "source") return h("p", {}, title, " are cut from the source's own images, at their full resolution.");
  const reason = problem && `, ${SOURCE_PROBLEMS[problem]}`;
  const text = ` are cut from the run's proxies, the images as the prior saw them${reason}.`;
  return h("p", { title: message }, title, text);
}

/** @param {SelectSettings} select */
function overridesFact(select) {
  const text = overridesText(select);
  const title = h("strong", {}, "Manual overrides");
  return h("p", {}, title, text ? `: ${text}; the manifest records them.` : ": none.");
}

/**
 * @param {ExportSummary["short"]} short
 * @param {number} ipc
 */
function shortNotice(short, ipc) {
  const lines = short.map((one) => h("li", {}, `${one.name} gives ${plural(one.images, "image")}.`));
  const help = h("p", {}, "Use a smaller IPC or more patches per image.");
  const title = h("strong", {}, `${plural(short.length, "class falls", "classes fall")} short of IPC ${ipc}`);
  if (short.length <= 2) return h("div.notice", {}, title, h("ul", {}, lines), help);
  const listed = short.slice(0, LISTED).map((one) => `${one.name} (${one.images})`);
  const more = short.length > LISTED ? ` and ${short.length - LISTED} more` : "";
  const summary = h("summary", {}, title, `: ${listed.join(", ")}${more}`);
  return h("details.notice", {}, summary, h("ul", {}, lines), help);
}
