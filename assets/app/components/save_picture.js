// Saves what a view shows, with its title and its scale, as a picture.

import { h, icon } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { savePicture } from "../lib/picture.js";
import { plotTheme } from "../lib/plotly.js";
import { fileWord } from "../lib/saving.js";

/** @typedef {import("../lib/picture.js").Drawing} Drawing */
/** @typedef {Omit<Drawing, "theme">} Content */

/**
 * Create the buttons; `draw()` returns what is shown now, or null, and the name of the file.
 * @param {App} app
 * @param {() => Promise<{ content: Content, name: string } | null>} draw
 */
export function createPictureSaver(app, draw) {
  /** @param {"png" | "svg"} kind */
  const button = (kind) => {
    const label = `Save the picture as ${kind.toUpperCase()}`;
    const onclick = () => app.attempt(() => save(kind));
    return h("button.quiet", { type: "button", title: label, "aria-label": label, onclick }, kind.toUpperCase());
  };
  const element = h("span.picture-saver", { role: "group", "aria-label": "Save the picture" });
  element.append(icon(ICONS.download), button("png"), button("svg"));
  return { element };

  /** @param {"png" | "svg"} kind */
  async function save(kind) {
    const found = await draw();
    if (!found) return;
    const theme = /** @type {Drawing["theme"]} */ (plotTheme(app.root, ["ink", "soft", "surface"]));
    await savePicture({ ...found.content, theme }, kind, fileWord(found.name));
  }
}

/**
 * Return a canvas as a data URL; a dimming one in the black that its style shows.
 * @param {HTMLCanvasElement} canvas
 */
export function canvasUrl(canvas) {
  if (!canvas.classList.contains("dim")) return canvas.toDataURL("image/png");
  const copy = h("canvas", { width: canvas.width, height: canvas.height });
  const context = /** @type {CanvasRenderingContext2D} */ (copy.getContext("2d"));
  context.drawImage(canvas, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillRect(0, 0, copy.width, copy.height);
  return copy.toDataURL("image/png");
}

/**
 * Name the run in a line below the title.
 * @param {App} app
 */
export function runLine({ start, store }) {
  const { dataset, prior } = start.run;
  return `${dataset}, class ${store.state.class_name}, prior ${prior}`;
}
