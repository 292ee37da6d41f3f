// A form of settings, as dsel/app/forms.py declares them: an empty field keeps its default.

import { fill, h, helpButton, iconButton, set, uid } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { same } from "../lib/links.js";
import { listOf, numberOf } from "../lib/numbers.js";
import { createSegments } from "./segments.js";

/**
 * @typedef {object} Control
 * @property {HTMLElement} element
 * @property {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} input
 * @property {() => any} value
 * @property {() => void} reset
 * @property {boolean} [grouped] whether the control is a group with a label of its own
 */
/** @typedef {(field: FormField, id: string, notify: () => void) => Control} CreateControl */
/**
 * @typedef {object} Field
 * @property {string} name
 * @property {HTMLElement} element
 * @property {Control} control
 * @property {() => any} value
 * @property {() => boolean} isChanged
 * @property {(message: string) => void} mark show why the value was refused; "" removes the mark
 * @property {() => void} focus
 */
/**
 * @typedef {object} Fields
 * @property {(name: string) => Field | undefined} get
 * @property {Field[]} all
 * @property {(names?: string[]) => Record<string, any>} values
 */

/** @type {Record<string, CreateControl>} */
const CONTROLS = { bool: createFlag, choice: createChoice, text: createText, whole: createText, number: createText };

/**
 * Create the fields of one form by name; `changed` is called after each change.
 * @param {FormField[]} list
 * @param {() => void} changed
 * @returns {Fields}
 */
export function createFields(list, changed) {
  const fields = new Map(list.map((field) => [field.name, createField(field, changed)]));
  return {
    get: (name) => fields.get(name),
    all: [...fields.values()],
    /** The values that differ from the defaults, of `names` or of all fields. */
    values(names = [...fields.keys()]) {
      const differing = names.filter((name) => fields.get(name)?.isChanged());
      return Object.fromEntries(differing.map((name) => [name, fields.get(name)?.value()]));
    },
  };
}

/**
 * @param {FormField} field
 * @param {() => void} changed
 * @returns {Field}
 */
function createField(field, changed) {
  const { name, label } = field;
  const id = uid(name);
  const create = field.several ? createSeveral : field.optional ? createOptional : CONTROLS[field.kind];
  const control = create(field, id, () => notify());
  const reset = iconButton(ICONS.reset, `Reset ${label}`, () => {
    control.reset();
    notify();
  });
  prepare(reset, label);
  const help = h("p.help", { id: `${id}-help` }, `${capitalized(field.help)}.`);
  const title = control.grouped ? h("span.label", {}, label) : h("label", { htmlFor: id }, label);
  const unit = field.unit && h("span.unit.soft", {}, field.unit);
  const about = helpButton(help, `What ${label} means`);
  const head = h("div.widget-head", {}, title, unit, about, h("span.grow"), reset);
  const problem = createProblem(control.input, id);
  const element = h("div.field.widget", { data: { name } }, head, control.element, problem.element, help);
  const isChanged = () => !same(control.value(), field.default);
  const focus = () => (control.input.hidden ? control.element.querySelector("button") : control.input)?.focus();
  return { name, element, control, value: control.value, isChanged, mark: problem.mark, focus };

  function notify() {
    problem.mark("");
    const differs = isChanged();
    element.classList.toggle("changed", differs);
    reset.classList.toggle("unused", !differs);
    reset.tabIndex = differs ? 0 : -1;
    changed();
  }
}

/**
 * Create the line below a field that shows why its value was refused.
 * @param {Control["input"]} input
 * @param {string} id
 */
function createProblem(input, id) {
  const element = h("p.field-problem", { id: `${id}-problem`, hidden: true });
  /** @param {string} message */
  function mark(message) {
    element.textContent = message;
    element.hidden = !message;
    set(input, {
      "aria-invalid": message ? "true" : null,
      "aria-describedby": message ? `${id}-problem ${id}-help` : `${id}-help`,
    });
  }
  return { element, mark };
}

/**
 * @param {HTMLButtonElement} reset
 * @param {string} label
 */
function prepare(reset, label) {
  reset.className = "reset unused";
  reset.tabIndex = -1;
  reset.title = `Back to the default of ${label}`;
}

/** @param {string} text */
function capitalized(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/**
 * Create a line of text. Numbers are parsed; what is not a number is sent as it is, and Python names the problem.
 * @type {CreateControl}
 */
function createText({ kind, default: usual, placeholder }, id, notify) {
  const isNumeric = kind !== "text";
  const input = h("input", {
    type: "text",
    id,
    inputMode: isNumeric ? "decimal" : "text",
    autocomplete: "off",
    spellcheck: false,
    placeholder: placeholder || String(usual),
    "aria-describedby": `${id}-help`,
    oninput: notify,
  });
  const value = () => {
    if (input.value.trim() === "") return usual;
    return isNumeric ? parsed(input.value) : input.value;
  };
  return { element: input, input, value, reset: () => clear(input) };
}

/** @param {HTMLInputElement | HTMLTextAreaElement} input */
function clear(input) {
  input.value = "";
}

/** @param {string} text */
function parsed(text) {
  return numberOf(text) ?? text.trim();
}

/** @type {CreateControl} */
function createFlag({ default: usual }, id, notify) {
  const input = h("input", { type: "checkbox", id, checked: usual, "aria-describedby": `${id}-help` });
  const state = h("span.soft", {});
  const show = () => {
    state.textContent = input.checked ? "on" : "off";
  };
  input.addEventListener("change", () => {
    show();
    notify();
  });
  show();
  const reset = () => {
    input.checked = usual;
    show();
  };
  return { element: h("div.flag", {}, input, state), input, value: () => input.checked, reset };
}

/** @type {CreateControl} */
function createChoice({ choices, default: usual }, id, notify) {
  const options = choices.map(({ value, label }, n) => {
    return h("option", { value: n }, value === usual ? `${label} (default)` : label);
  });
  const input = h("select", { id, "aria-describedby": `${id}-help`, onchange: notify }, options);
  const reset = () => {
    input.selectedIndex = choices.findIndex((one) => one.value === usual);
  };
  reset();
  return { element: input, input, value: () => choices[input.selectedIndex]?.value, reset };
}

/**
 * Create a list of values: numbers separated by spaces, semicolons or commas, texts one per line.
 * @type {CreateControl}
 */
function createSeveral({ kind, default: usual, placeholder }, id, notify) {
  const isNumeric = kind !== "text";
  const props = { id, autocomplete: "off", spellcheck: false, "aria-describedby": `${id}-help`, oninput: notify };
  const shown = { placeholder: placeholder || usual.join(" ") };
  const input = isNumeric ? h("input", { ...props, ...shown }) : h("textarea", { ...props, ...shown, rows: 2 });
  const value = () => {
    const texts = isNumeric ? listOf(input.value, kind === "whole") : input.value.split("\n");
    const parts = texts.map((one) => one.trim()).filter(Boolean);
    return parts.length ? parts.map((one) => (isNumeric ? parsed(one) : one)) : usual;
  };
  return { element: input, input, value, reset: () => clear(input) };
}

/**
 * Create a text that may be absent, which differs from an empty one.
 * @type {CreateControl}
 */
function createOptional({ label, choices, placeholder }, id, notify) {
  const props = { type: "text", id, hidden: true, autocomplete: "off", placeholder, oninput: notify };
  const input = h("input", { ...props, "aria-label": label, "aria-describedby": `${id}-help` });
  /** @param {any} value null for absent */
  const turn = (value) => {
    const isPresent = value != null;
    input.hidden = !isPresent;
    segments.show(value);
    if (isPresent) input.focus();
  };
  const segments = createSegments(label, choices, (value) => {
    turn(value);
    notify();
  });
  segments.show(null);
  const element = h("div.optional", {}, segments.element, input);
  return { element, input, grouped: true, value: () => (input.hidden ? null : input.value), reset: () => turn(null) };
}

/**
 * Suggest values for a text field.
 * @param {HTMLElement} input
 * @param {string[]} values
 */
export function suggest(input, values) {
  const id = input.getAttribute("list") ?? uid("list");
  let list = document.getElementById(id);
  if (!list) {
    list = h("datalist", { id });
    input.setAttribute("list", id);
    input.after(list);
  }
  const options = [...new Set(values)].map((value) => h("option", { value }));
  fill(list, options);
}
