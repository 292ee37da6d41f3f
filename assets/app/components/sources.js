// What is to be scored: one picture, a zip file, a folder of this machine, or toybox scenes.

import { h, uid } from "../lib/dom.js";
import { createZone } from "./dropzone.js";
import { offerWords } from "./form_fields.js";

const WORDS = {
  picture: "One picture",
  zip: "Zip of class folders",
  folder: "Folder on this machine",
  toybox: "Toybox scenes",
};
const LAYOUT = "One folder per class, named as the class, with its pictures inside.";
const ASKED = {
  picture: [],
  zip: ["per_class", "split", "classes"],
  folder: ["per_class", "split", "classes"],
  toybox: ["per_class", "scene_seed", "classes"],
};

/** The choice of a source; `changed` is told after each change. `source()` uploads what must be. */
export function createSources(app, options, changed) {
  const kinds = Object.keys(WORDS).filter((kind) => options.kinds.includes(kind));
  const panes = {
    picture: () => picture(app, options, changed),
    zip: () => zip(app, options, changed),
    folder: () => folder(changed),
    toybox: () => toybox(options),
  };
  const made = Object.fromEntries(kinds.map((kind) => [kind, panes[kind]()]));
  const buttons = kinds.map((kind) => h("button", { type: "button", onclick: () => turn(kind) }, WORDS[kind]));
  const element = h(
    "div.sources",
    {},
    h("div.segments.kinds", { role: "group", "aria-label": "What to score" }, buttons),
    kinds.map((kind) => made[kind].element),
  );
  let now = kinds[0];
  return {
    element,
    turn,
    kind: () => now,
    /** The source settings that count for the chosen kind. */
    asked: () => ASKED[now],
    source: async () => ({ kind: now, ...(await made[now].source()) }),
    /** How many images that is, with these settings; null where only the app can tell. */
    images: (settings) => made[now].images?.(settings) ?? null,
    offerClasses: (names) => made.picture?.offer(names),
  };

  function turn(kind) {
    now = kind;
    kinds.forEach((one, n) => {
      buttons[n].setAttribute("aria-pressed", String(one === kind));
      made[one].element.hidden = one !== kind;
    });
    changed();
  }
}

function picture(app, options, changed) {
  const zone = createZone(app, {
    label: "Drop a picture here",
    kinds: options.pictures,
    most: options.upload_bytes,
    preview: true,
    changed,
  });
  const id = uid("class-name");
  const name = h("input", {
    type: "text",
    id,
    autocomplete: "off",
    maxLength: 200,
    "aria-describedby": `${id}-help`,
    oninput: changed,
  });
  const help = h(
    "p.hint",
    { id: `${id}-help` },
    "Any name that the prior can be given, such as one of this run's classes: the heat map then shows where that name helps.",
  );
  const element = h(
    "div.pane",
    {},
    zone.element,
    h("div.field.widget", {}, h("div.widget-head", {}, h("label", { htmlFor: id }, "Class name")), name, help),
  );
  return {
    element,
    images: () => 1,
    offer: (names) => offerWords(name, names),
    async source() {
      if (zone.file() && !name.value.trim()) {
        name.focus();
        throw new Error("Say a class name: what the heat map is to look for in the picture.");
      }
      return { path: await zone.send(), class_name: name.value };
    },
  };
}

function zip(app, options, changed) {
  const zone = createZone(app, {
    label: "Drop a zip file here",
    kinds: options.zips,
    most: options.upload_bytes,
    changed,
  });
  return {
    element: h("div.pane", {}, zone.element, h("p.hint", {}, LAYOUT)),
    source: async () => ({ path: await zone.send() }),
  };
}

function folder(changed) {
  const id = uid("folder");
  const path = h("input", {
    type: "text",
    id,
    autocomplete: "off",
    spellcheck: false,
    placeholder: "/data/pictures",
    "aria-describedby": `${id}-help`,
    oninput: changed,
  });
  const help = h(
    "p.hint",
    { id: `${id}-help` },
    `The whole path. ${LAYOUT} Zip and .npz files are read too; nothing in the folder is changed.`,
  );
  const element = h(
    "div.pane",
    {},
    h("div.field.widget", {}, h("div.widget-head", {}, h("label", { htmlFor: id }, "Folder")), path, help),
  );
  return { element, source: async () => ({ path: path.value.trim() }) };
}

function toybox({ toybox: { classes, per_class: usual } }) {
  const element = h(
    "div.pane",
    {},
    h(
      "p.hint",
      {},
      `Scenes that dsel draws itself, 128 px: one toy among solids, ${classes.length} classes (${classes.join(", ")}).`,
    ),
  );
  const images = ({ per_class: most, classes: chosen }) => (most || usual) * (chosen.length || classes.length);
  return { element, source: async () => ({}), images };
}
