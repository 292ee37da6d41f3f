// A form of settings, as dsel/ui/forms.py declares them: what is left empty keeps its default.

import { fill, h, icon, uid } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { same } from "../lib/store.js";

const LABELS = {
  prior: "Name, folder or Hub id",
  family: "Family",
  lora: "LoRA weights",
  labels: "Label names",
  null_class: "Null label",
  resolution_px: "Resolution",
  draws: "Draws per timestep",
  min_side_px: "Smallest side",
  per_class: "Most per class",
  scene_seed: "Seed of the scenes",
  rows_per_call: "Latents per call",
  shard_size: "Images per shard",
  split: "Split folder",
  classes: "Only these classes",
  refine: "Refine this share",
  compile: "Compile the network",
  low_memory: "Spare memory",
  antithetic: "Noise in pairs",
};
const OPTIONAL = { null_prompt: ["Empty slot", "Own text"] };
const EXAMPLES = {
  classes: "one per line; empty takes all",
  lora: "none",
  revision: "main",
  labels: "those of the prior",
  split: "found by itself",
  feature_layer: "the family's own",
};
const KINDS = { bool: flag, choice, text: words, whole: words, number: words };

/** The fields of one form, by name; `changed` is told after each change. */
export function createFields(list, changed) {
  const fields = new Map(list.map((field) => [field.name, createField(field, changed)]));
  return {
    get: (name) => fields.get(name),
    all: [...fields.values()],
    /** What differs from the defaults, of `names` or of all. */
    values(names = [...fields.keys()]) {
      const told = names.filter((name) => fields.get(name)?.isChanged());
      return Object.fromEntries(told.map((name) => [name, fields.get(name).value()]));
    },
  };
}

function createField(field, changed) {
  const { name } = field;
  const id = uid(name);
  const label = LABELS[name] ?? sentence(name.replaceAll("_", " ").replace(/ px$/, ""));
  const control = (field.several ? several : field.optional ? optional : KINDS[field.kind])(field, id, notice, label);
  const help = h(
    "p.help",
    { id: `${id}-help`, hidden: true },
    `${sentence(field.help.replace(/--([a-z][a-z-]*)/g, (_, flagged) => flagged.replaceAll("-", " ")))}.`,
  );
  const about = h(
    "button.about",
    { type: "button", "aria-label": `What ${label} means`, "aria-expanded": "false", "aria-controls": help.id },
    "?",
  );
  about.addEventListener("click", () => {
    help.hidden = !help.hidden;
    about.setAttribute("aria-expanded", String(!help.hidden));
  });
  const reset = h(
    "button.reset.unused",
    {
      type: "button",
      tabIndex: -1,
      title: `Back to the default of ${label}`,
      "aria-label": `Reset ${label}`,
      onclick: back,
    },
    icon(ICONS.reset),
  );
  const unit = name.endsWith("_px") ? h("span.unit.soft", {}, "px") : null;
  const element = h(
    "div.field.widget",
    { data: { name } },
    h(
      "div.widget-head",
      {},
      control.grouped ? h("span.label", {}, label) : h("label", { htmlFor: id }, label),
      unit,
      about,
      h("span.grow"),
      reset,
    ),
    control.element,
    help,
  );
  const made = {
    name,
    element,
    control,
    value: control.value,
    isChanged: () => !same(control.value(), field.default),
    reset: back,
  };
  return made;

  function back() {
    control.reset();
    notice();
  }

  function notice() {
    const differs = made.isChanged();
    element.classList.toggle("changed", differs);
    reset.classList.toggle("unused", !differs);
    reset.tabIndex = differs ? 0 : -1;
    changed();
  }
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}`;
}

/** One line; numbers are read, and what is none goes to Python as it is, which says what is wrong. */
function words({ name, kind, default: usual }, id, notice) {
  const numeric = kind !== "text";
  const input = h("input", {
    type: "text",
    id,
    inputMode: numeric ? "decimal" : "text",
    autocomplete: "off",
    spellcheck: false,
    placeholder: EXAMPLES[name] ?? String(usual),
    "aria-describedby": `${id}-help`,
    oninput: notice,
  });
  const reset = () => {
    input.value = "";
  };
  const value = () => (input.value.trim() === "" ? usual : numeric ? counted(input.value) : input.value);
  return { element: input, input, value, reset };
}

function counted(text) {
  const number = Number(text.trim().replace("−", "-"));
  return Number.isNaN(number) ? text.trim() : number;
}

function flag({ default: usual }, id, notice) {
  const input = h("input", {
    type: "checkbox",
    id,
    checked: usual,
    "aria-describedby": `${id}-help`,
    onchange: () => show(),
  });
  const word = h("span.soft", {}, usual ? "on" : "off");
  const show = () => {
    word.textContent = input.checked ? "on" : "off";
    notice();
  };
  return {
    element: h("div.flag", {}, input, word),
    input,
    value: () => input.checked,
    reset: () => {
      input.checked = usual;
      word.textContent = usual ? "on" : "off";
    },
  };
}

function choice({ choices, default: usual }, id, notice) {
  const input = h(
    "select",
    { id, "aria-describedby": `${id}-help`, onchange: notice },
    choices.map((one) => h("option", { value: one }, one === usual ? `${one} (default)` : String(one))),
  );
  const reset = () => {
    input.value = usual;
  };
  reset();
  return { element: input, input, value: () => choices.find((one) => String(one) === input.value), reset };
}

/** Several values: numbers apart by spaces or commas, texts one per line. */
function several({ name, kind, default: usual }, id, notice) {
  const numeric = kind !== "text";
  const input = h(numeric ? "input" : "textarea", {
    id,
    autocomplete: "off",
    spellcheck: false,
    placeholder: EXAMPLES[name] ?? usual.join(" "),
    "aria-describedby": `${id}-help`,
    oninput: notice,
  });
  if (!numeric) input.rows = 2;
  const parts = () =>
    input.value
      .split(numeric ? /[\s,;]+/ : "\n")
      .map((one) => one.trim())
      .filter(Boolean);
  return {
    element: input,
    input,
    value: () => (parts().length ? parts().map(numeric ? counted : String) : usual),
    reset: () => {
      input.value = "";
    },
  };
}

/** A text that may be left out altogether, which is not the same as an empty one. */
function optional({ name }, id, notice, label) {
  const input = h("input", {
    type: "text",
    id,
    hidden: true,
    autocomplete: "off",
    "aria-label": label,
    "aria-describedby": `${id}-help`,
    placeholder: "empty",
    oninput: notice,
  });
  const buttons = (OPTIONAL[name] ?? ["Default", "Own text"]).map((word, n) =>
    h("button", { type: "button", "aria-pressed": String(n === 0), onclick: () => turn(n === 1, true) }, word),
  );
  const element = h("div.optional", {}, h("div.segments", { role: "group", "aria-label": label }, buttons), input);
  return { element, input, grouped: true, value: () => (input.hidden ? null : input.value), reset: () => turn(false) };

  function turn(on, told = false) {
    input.hidden = !on;
    buttons.forEach((button, n) => button.setAttribute("aria-pressed", String((n === 1) === on)));
    if (on) input.focus();
    if (told) notice();
  }
}

/** Offer words for a text field. */
export function offerWords(input, offered) {
  const id = input.getAttribute("list") ?? uid("list");
  let list = document.getElementById(id);
  if (!list) {
    list = h("datalist", { id });
    input.setAttribute("list", id);
    input.after(list);
  }
  fill(
    list,
    [...new Set(offered)].map((value) => h("option", { value })),
  );
}
