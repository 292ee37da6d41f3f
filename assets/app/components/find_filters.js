// The filter bar of Find: words, classes, ranges, what is kept, hits, and filters that are ready to use.

import { fill, h, icon, iconButton, uid } from "../lib/dom.js";
import {
  ANY_OTHER,
  filterText,
  HITS,
  NOTHING,
  PRESETS,
  parsePercent,
  percentText,
  presetOf,
  STATUSES,
} from "../lib/find.js";
import { percent } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { UNIT } from "../lib/quantities.js";
import { suggest } from "./form_fields.js";

const TYPING_MS = 200;
const SCORE_HELP = `Of the score that ranks, in ${UNIT}. What has no score is left out.`;
const MARGIN_HELP = `The lead of the best box over the best one apart from it, in ${UNIT}.`;
const ERROR_HELP = `The standard error of the score over the noise that was drawn, in ${UNIT}.`;

/** @typedef {import("../lib/find.js").Find} Find */
/** @typedef {(values: Partial<Find>) => void} Change */
/** @typedef {Record<string, [number | null, number | null]>} Ranges the lowest and the highest values of the run */
/** @typedef {{ element: HTMLElement, show(find: Find, ranges: Ranges): void }} Part */

/**
 * Create the filter bar; `change(values)` is called with what a control changed.
 * @param {App} app
 * @param {Change} change
 * @returns {Part}
 */
export function createFindFilters(app, change) {
  const presets = createPresets(app, change);
  const hits = createChoice("True boxes", "hit", HITS, change);
  const clear = h("button.quiet.clear", { type: "button" }, icon(ICONS.close), "Clear the filter");
  clear.addEventListener("click", () => change({ ...NOTHING, sort: "score", show: "images" }));
  presets.element.append(clear);
  const first = [createWords(change), createClasses(app, change), createChoice("Status", "status", STATUSES, change)];
  const more = [
    createLooks(app, change),
    hits,
    createRange("Score", "score", SCORE_HELP, change),
    createRange("Margin", "margin", MARGIN_HELP, change),
    createRange("Standard error", "error", ERROR_HELP, change),
    createFlag("Near-duplicates only", "near_duplicates", change),
  ];
  const parts = [presets, ...first, ...more];
  const elements = (/** @type {Part[]} */ list) => list.map((one) => one.element);
  const isWide = matchMedia("(min-width: 40rem)").matches;
  const element = h(
    "form.find-filters",
    { role: "search", "aria-label": "Filter images", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    h("div.find-fields", {}, elements(first)),
    h(
      "details.find-more",
      { open: isWide },
      h("summary", {}, "More filters"),
      h("div.find-fields", {}, elements(more)),
    ),
    presets.element,
  );
  return {
    element,
    show(find, known) {
      for (const part of parts) part.show(find, known);
      hits.element.hidden = !app.start.run.objects;
      clear.disabled = !filterText(find);
    },
  };
}

/**
 * @param {App} app
 * @param {Change} change
 * @returns {Part}
 */
function createPresets(app, change) {
  const buttons = PRESETS.map((one) => {
    /** A second click leaves the filter again. */
    const onclick = (/** @type {Event} */ { currentTarget }) => {
      const isOn = /** @type {HTMLElement} */ (currentTarget).getAttribute("aria-pressed") === "true";
      change(isOn ? { ...NOTHING } : { ...NOTHING, ...one.values });
    };
    return h("button.button.preset", { type: "button", onclick }, one.label);
  });
  return {
    element: h("div.presets-line", { role: "group", "aria-label": "Ready-made filters" }, buttons),
    show(find) {
      const current = presetOf(find);
      buttons.forEach((button, n) => {
        button.setAttribute("aria-pressed", String(PRESETS[n] === current));
        button.hidden = Boolean(PRESETS[n].boxes) && !app.start.run.objects;
      });
    },
  };
}

/**
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [help]
 */
function labelled(label, control, help) {
  const id = uid("find");
  control.id = id;
  return h("div.find-field", {}, h("label", { htmlFor: id, title: help ?? "" }, label), control);
}

/**
 * @param {Change} change
 * @returns {Part}
 */
function createWords(change) {
  const input = h("input.find-words", { type: "search", placeholder: "file name or id", spellcheck: false });
  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => change({ text: input.value }), TYPING_MS);
  });
  return {
    element: labelled("Name", input, "Words that the id contains, in upper or lower case."),
    show({ text }) {
      if (document.activeElement !== input) input.value = text;
    },
  };
}

/**
 * Choose classes by name: each is a chip that can be removed.
 * @param {App} app
 * @param {Change} change
 * @returns {Part}
 */
function createClasses(app, change) {
  const input = h("input", { type: "text", placeholder: "all classes", autocomplete: "off", spellcheck: false });
  const chips = h("span.chips", {});
  /** @type {string[]} */
  let chosen = [];
  const take = () => {
    const name = input.value.trim();
    const found = app.start.classes.find((one) => one.name.toLowerCase() === name.toLowerCase());
    if (!found) return;
    input.value = "";
    change({ classes: [...new Set([...chosen, found.name])] });
  };
  input.addEventListener("input", take);
  input.addEventListener("change", take);
  const field = labelled("Class", input, "Type a name, and choose one or more classes.");
  field.append(chips);
  let listed = "";
  return {
    element: field,
    show({ classes }) {
      chosen = classes;
      if (listed !== app.store.state.run || !input.hasAttribute("list")) {
        listed = app.store.state.run;
        suggest(
          input,
          app.start.classes.map((one) => one.name),
        );
      }
      input.placeholder = classes.length ? "add a class" : "all classes";
      const remove = (/** @type {string} */ name) => change({ classes: classes.filter((one) => one !== name) });
      fill(
        chips,
        classes.map((name) =>
          h(
            "span.chip",
            {},
            name,
            iconButton(ICONS.close, `All but ${name}`, () => remove(name)),
          ),
        ),
      );
    },
  };
}

/**
 * @param {string} label
 * @param {"status" | "hit"} name
 * @param {Record<string, string>} choices
 * @param {Change} change
 * @returns {Part}
 */
function createChoice(label, name, choices, change) {
  const options = Object.entries(choices).map(([value, text]) => h("option", { value }, text));
  const select = h("select", { onchange: () => change({ [name]: select.value }) }, options);
  return {
    element: labelled(label, select),
    show(find) {
      select.value = find[name];
    },
  };
}

/**
 * @param {App} app
 * @param {Change} change
 * @returns {Part}
 */
function createLooks(app, change) {
  const select = h("select", { onchange: () => change({ looks: select.value }) });
  const help = "Only images whose patch has features nearer to the mean of this class than to that of their own.";
  let listed = "";
  return {
    element: labelled("Looks like", select, help),
    show({ looks }) {
      const names = app.start.classes.map((one) => one.name);
      if (listed !== names.join("\n")) {
        listed = names.join("\n");
        const options = names.map((name) => h("option", { value: name }, name));
        fill(
          select,
          h("option", { value: "" }, "any class"),
          h("option", { value: ANY_OTHER }, "another class"),
          options,
        );
      }
      select.value = looks;
    },
  };
}

/**
 * @param {string} label
 * @param {"score" | "margin" | "error"} name
 * @param {string} help
 * @param {Change} change
 * @returns {Part}
 */
function createRange(label, name, help, change) {
  const ends = /** @type {const} */ (["min", "max"]).map((end) => {
    const word = end === "min" ? "from" : "to";
    const input = h("input", { type: "text", inputMode: "decimal", "aria-label": `${label} ${word}, per cent` });
    input.autocomplete = "off";
    input.addEventListener("change", () => {
      const value = parsePercent(input.value);
      const isWrong = Number.isNaN(value);
      input.setAttribute("aria-invalid", String(isWrong));
      input.title = isWrong ? "A number of per cent, such as 1.5" : help;
      if (!isWrong) change({ [`${name}_${end}`]: value });
    });
    return { end, input };
  });
  const pair = h("span.range-pair", {}, ends[0].input, h("span.soft", { "aria-hidden": "true" }, "to"), ends[1].input);
  const title = h("span.label", { title: help }, label, h("span.soft", {}, " %"));
  return {
    element: h("div.find-field", { role: "group", "aria-label": label }, title, pair),
    show(find, ranges) {
      ends.forEach(({ end, input }, n) => {
        if (document.activeElement === input && input.getAttribute("aria-invalid") === "true") return;
        input.value = percentText(find[`${name}_${end}`]);
        input.setAttribute("aria-invalid", "false");
        const limit = ranges[name]?.[n];
        input.placeholder = limit == null ? "" : percent(limit, 2).replace(" %", "");
      });
    },
  };
}

/**
 * @param {string} label
 * @param {"near_duplicates"} name
 * @param {Change} change
 * @returns {Part}
 */
function createFlag(label, name, change) {
  const input = h("input", { type: "checkbox", onchange: () => change({ [name]: input.checked }) });
  return {
    element: h("label.find-field.flag", {}, input, label),
    show(find) {
      input.checked = find[name];
    },
  };
}
