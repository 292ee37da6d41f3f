// One image to score, under one name or several: from a file, the clipboard, a camera, or an example of this run.

import { decode } from "../lib/arrays.js";
import { fill, h, icon, iconButton, uid } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { unknownClassText } from "../lib/knowledge.js";
import { imageQuery } from "../lib/links.js";
import { Dropzone } from "./dropzone.js";
import { suggest } from "./form_fields.js";

const CLASS_HELP =
  "Any name that the prior can be given, such as a class of this run: the heat map shows where the name helps. With " +
  "several names, all are scored on the same noise, and the one that lowers the loss the most is the best.";
const MOST_NAMES = 16;
const EXAMPLES = 4;
/** Where a camera is likely. */
const WITH_CAMERA = "(pointer: coarse), (max-width: 40rem)";

/** @typedef {import("./sources.js").Pane} Pane */
/** @typedef {{ class_name: string, id: string, names: string[] }} Example an image of the current run, and its names */

/**
 * @param {App} app
 * @param {import("./sources.js").Options} options
 * @param {() => void} changed
 * @returns {Pane}
 */
export function createPicturePane(app, { pictures: kinds, upload_bytes: most }, changed) {
  const zone = new Dropzone(app, { what: "an image", kinds, most, preview: true, changed });
  const names = createNames(changed);
  const known = h("p.hint.unknown-class", { hidden: true, role: "status" });
  const hint = h("p.hint", { id: names.helpId }, CLASS_HELP);
  const examples = h("div.examples", { role: "group", "aria-label": "Examples of this run" });
  const element = h("div.pane", {}, zone.element, createCamera(zone), examples, names.element, hint, known);
  document.addEventListener("paste", (event) => element.checkVisibility() && paste(event, zone));
  const take = (/** @type {Example} */ example) => takeExample(app, example, zone, names.set);
  let listed = "";
  return {
    element,
    images: () => 1,
    names: () => names.values().length,
    showKnown(list) {
      known.textContent =
        names
          .values()
          .map((name) => unknownClassText(name, list))
          .find(Boolean) ?? "";
      known.hidden = !known.textContent;
    },
    ready: () => (names.values().length ? named(names.values()) : null),
    suggest(list) {
      names.suggest(list);
      const { run } = app.store.state;
      if (listed === `run ${run}`) return;
      listed = `run ${run}`;
      showExamples(app, examples, take);
    },
    take,
    async source() {
      if (zone.file && !names.values().length) {
        names.focus();
        throw new Error("Enter a class name: the heat map shows where this name helps.");
      }
      return { path: await zone.send(), ...named(names.values()) };
    },
  };
}

/** @param {string[]} names */
function named(names) {
  return names.length > 1 ? { class_names: names } : { class_name: names[0] ?? "" };
}

/**
 * Create the fields of the names: one, and as many as are added to compare.
 * @param {() => void} changed
 */
function createNames(changed) {
  const helpId = uid("names-help");
  const list = h("div.names", {});
  /** @type {string[]} */
  let suggested = [];
  const add = h(
    "button.quiet",
    { type: "button", onclick: () => append("").focus() },
    icon(ICONS.plus),
    "Compare with another name",
  );
  const inputs = () => /** @type {HTMLInputElement[]} */ ([...list.querySelectorAll("input")]);
  append("");
  return {
    element: h("div.field.widget", {}, list, add),
    helpId,
    focus: () => inputs()[0].focus(),
    values,
    set,
    suggest: offer,
  };

  function values() {
    const texts = inputs().map((one) => one.value.trim());
    return [...new Set(texts.filter(Boolean))];
  }

  /** @param {string} value */
  function append(value) {
    const [id, isFirst] = [uid("source"), !list.children.length];
    const input = h("input", { type: "text", id, value, maxLength: 200, autocomplete: "off", oninput: changed });
    input.setAttribute("aria-describedby", helpId);
    const number = list.children.length + 1;
    const label = h("label", { htmlFor: id }, isFirst ? "Class name" : `Name ${number}`);
    const remove = iconButton(ICONS.close, `Remove name ${number}`, () => {
      row.remove();
      update();
    });
    const row = h("div.name-row", {}, label, h("span.name-input", {}, input, !isFirst && remove));
    list.append(row);
    if (suggested.length) suggest(input, suggested);
    update();
    return input;
  }

  function update() {
    add.disabled = list.children.length >= MOST_NAMES;
    changed();
  }

  /** @param {string[]} names */
  function set(names) {
    fill(list);
    for (const name of names) append(name);
  }

  /** @param {string[]} names */
  function offer(names) {
    suggested = names;
    for (const input of inputs()) suggest(input, names);
  }
}

/**
 * Create a button for the camera of a phone; null elsewhere.
 * @param {Dropzone} zone
 */
function createCamera(zone) {
  if (!matchMedia(WITH_CAMERA).matches) return null;
  const input = h("input.zone-input", { type: "file", accept: "image/*", "aria-label": "Take a photo" });
  input.setAttribute("capture", "environment");
  input.addEventListener("change", () => zone.take(input.files?.[0]));
  return h("label.button.camera", {}, input, icon(ICONS.camera), "Take a photo");
}

/**
 * Take an image of the clipboard, whose name says nothing.
 * @param {ClipboardEvent} event
 * @param {Dropzone} zone
 */
function paste(event, zone) {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (!file) return;
  event.preventDefault();
  zone.take(new File([file], `pasted.${file.type.split("/")[1]}`, { type: file.type }));
}

/**
 * Show the best image of some classes of this run, to try with their names.
 * @param {App} app
 * @param {HTMLElement} place
 * @param {(example: Example) => unknown} take
 */
async function showExamples(app, place, take) {
  const { store, start } = app;
  const classes = start.classes.filter((one) => one.scored).map((one) => one.name);
  const step = Math.max(1, Math.floor(classes.length / EXAMPLES));
  const chosen = classes.filter((_, n) => n % step === 0).slice(0, EXAMPLES);
  const others = (/** @type {string} */ name) => classes.filter((one) => one !== name).slice(0, 2);
  const buttons = chosen.map(async (name) => {
    const view = imageQuery(store.query(), name, "");
    const { rows } = await app.ask("gallery", { rows: 1 }, { view });
    if (!rows.length) return null;
    const { id } = rows[0];
    const src = await app.images.url("thumbnail", store.state.run, name, id);
    const example = { class_name: name, id, names: [name, ...others(name)] };
    const title = `Try ${id} as ${example.names.join(" or ")}`;
    const onclick = () => app.attempt(() => take(example));
    return h("button.example", { type: "button", title, "aria-label": title, onclick }, h("img", { alt: "", src }));
  });
  const found = (await Promise.all(buttons).catch(() => [])).filter(Boolean);
  fill(place, found.length > 0 && h("span.soft", {}, "Or try an image of this run:"), found);
}

/**
 * Take an image of this run as the prior saw it.
 * @param {App} app
 * @param {Example} example
 * @param {Dropzone} zone
 * @param {(names: string[]) => void} setNames
 */
async function takeExample(app, { class_name: name, id, names }, zone, setNames) {
  const view = imageQuery(app.store.query(), name, "");
  const files = await app.ask("images", { kind: "proxy", ids: [id] }, { view });
  const file = id.split(/[\\/]/).pop() ?? "image";
  zone.take(new File([decode(files[id])], `${file.replace(/\.[^.]*$/, "")}.webp`, { type: "image/webp" }));
  setNames(names);
}
