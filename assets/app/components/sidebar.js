// The sidebar: one widget per select setting, as dsel/app/widgets.py declares them.

import { toggleDensity } from "../lib/density.js";
import { fill, h, helpButton, icon, iconButton, set, setStyle, uid } from "../lib/dom.js";
import { clamp } from "../lib/geometry.js";
import { ICONS } from "../lib/icons.js";
import { same } from "../lib/links.js";
import { idleSettings, timestepsText, valueText } from "../lib/settings_text.js";
import { createSegments, options } from "./segments.js";

/** @type {{ title: string, names: string[] }[]} */
const GROUPS = [
  { title: "", names: ["ipc"] },
  { title: "Locate", names: ["timesteps", "patch_px", "locate", "smooth", "stride_px", "per_image"] },
  { title: "Cut", names: ["cut", "context", "factor", "tile_scale"] },
  { title: "Cluster", names: ["clusters", "discriminative_share"] },
  { title: "Rank", names: ["rank_by", "score", "within", "across", "drop_lowest"] },
];

/** @type {Record<string, string>} */
const PRESETS = { paper: "Use the paper's settings" };

/** @typedef {{ element: HTMLElement, show(value: any, select: SelectSettings): string }} Control */

/**
 * Fill the sidebar; return the function that keeps it up to date.
 * @param {HTMLElement} place
 * @param {App} app
 */
export function mountSidebar(place, app) {
  const { store, start } = app;
  const widgets = start.widgets.select.map((widget) => createWidget(widget, store));
  const byName = new Map(widgets.map((one) => [one.name, one.element]));
  const groups = GROUPS.map((group) => createGroup(group, byName));
  const nullPrompt = h("p.fact", {}, h("span", {}, "Null prompt"), h("q", {}, start.run.null_prompt));
  const hint = h("p.hint", {}, "Part of the scores: to try another one, score again in the Score tab.");
  const onclick = () => store.select(defaultsOf(store), "all");
  const reset = h("button.quiet", { type: "button", onclick }, icon(ICONS.reset), "Reset all settings");
  const prompt = h("details.more", { open: true }, h("summary", {}, "Prompt"), nullPrompt, hint);
  const presets = Object.entries(start.presets).map(([name, values]) => createPreset(name, values, store));
  const baseline = createBaselineNotice(store);
  fill(place, createHead(app), baseline.element, groups, prompt, h("div.presets", {}, presets, reset));
  const show = () => {
    for (const widget of widgets) widget.show(store.state.select);
    baseline.show(store.state.select);
    const idle = idleSettings(store.state.select, start.run.resolution_px);
    for (const [name, element] of byName) setIdle(element, idle[name] ?? "");
    reset.disabled = same(defaultsOf(store), store.state.select);
  };
  show();
  return show;
}

/**
 * Create the title, with the buttons that make room.
 * @param {App} app
 */
function createHead({ root, keys }) {
  const fold = () => toggleDensity(root, "folded");
  const shrink = () => compact.setAttribute("aria-pressed", String(toggleDensity(root, "compact")));
  const compact = iconButton(ICONS.compact, "Compact page (d)", shrink, {
    "aria-pressed": String(root.classList.contains("compact")),
  });
  const hide = iconButton(ICONS.fold, "Hide the settings (s)", fold, { className: "tool fold-button" });
  keys.set("s", fold);
  keys.set("d", shrink);
  return h("div.side-head", {}, h("h2", {}, "Settings"), h("span.grow"), compact, hide);
}

/**
 * Create the button that sets the settings of a preset; all others keep their values.
 * @param {string} name
 * @param {Partial<SelectSettings>} values
 * @param {Store} store
 */
function createPreset(name, values, store) {
  const title = Object.entries(values).map(([key, value]) => `${key.replaceAll("_", " ")} ${value}`);
  const props = { type: "button", title: title.join(", "), onclick: () => store.select(values, `preset ${name}`) };
  return h("button.quiet", props, icon(ICONS.sliders), PRESETS[name] ?? `Preset ${name}`);
}

/**
 * @param {{ title: string, names: string[] }} group
 * @param {Map<string, HTMLElement>} elements
 */
function createGroup({ title, names }, elements) {
  const widgets = names.map((name) => elements.get(name));
  return title ? h("details.more", { open: true }, h("summary", {}, title), widgets) : h("div", {}, widgets);
}

/**
 * Create the notice that a baseline selects instead of dsel's ranking, with the way back.
 * @param {Store} store
 */
function createBaselineNotice(store) {
  const usual = store.defaults.select.baseline;
  const onclick = () => store.select({ baseline: usual });
  const element = h("div", {});
  return {
    element,
    /** @param {SelectSettings} select */
    show({ baseline }) {
      const text = `The baseline ${baseline.replaceAll("-", " ")} selects the images, not dsel's ranking.`;
      const back = h("button.button", { type: "button", onclick }, "Back to dsel's ranking");
      fill(element, baseline !== usual && h("div.notice.baseline-notice", {}, h("p", {}, text), back));
    },
  };
}

/**
 * Disable the controls of a setting that changes nothing at present.
 * @param {HTMLElement} element
 * @param {string} reason "" if the setting counts
 */
function setIdle(element, reason) {
  element.classList.toggle("idle", reason !== "");
  element.title = reason;
  /** @type {NodeListOf<HTMLInputElement | HTMLButtonElement>} */
  const controls = element.querySelectorAll(".slider input, .segments button");
  for (const control of controls) control.disabled = reason !== "";
}

/**
 * Return the default settings; overrides are kept.
 * @param {Store} store
 */
function defaultsOf({ defaults, state }) {
  const { pins, bans, moves } = state.select;
  return { ...defaults.select, pins, bans, moves };
}

/**
 * @param {Widget} widget
 * @param {Store} store
 */
function createWidget(widget, store) {
  const { name, label } = widget;
  const id = uid(name);
  const value = h("output.value", { htmlFor: id, title: asSentence(widget.help) });
  const unit = h("span.unit", {}, widget.unit === "px" ? "" : widget.unit);
  const reset = iconButton(ICONS.reset, `Reset ${label}`, () => store.select({ [name]: widget.default }));
  reset.className = "reset";
  reset.title = `Back to the default of ${label}`;
  const control = createControl(widget, id, store);
  const help = h("p.help", { id: `${id}-help` }, asSentence(widget.help));
  const about = helpButton(help, `What ${label} means`);
  const head = h("div.widget-head", {}, h("label", { htmlFor: id }, label), about, value, unit, reset);
  return {
    name,
    element: h("div.widget", { data: { name } }, head, control.element, help),
    /** @param {SelectSettings} select */
    show(select) {
      const isDefault = same(select[name], widget.default);
      value.textContent = control.show(select[name], select);
      unit.hidden = value.textContent.endsWith(")"); // "(as IPC)" takes its place
      reset.classList.toggle("unused", isDefault);
      reset.tabIndex = isDefault ? -1 : 0;
    },
  };
}

/**
 * @param {Widget} widget
 * @param {string} id
 * @param {Store} store
 * @returns {Control}
 */
function createControl(widget, id, store) {
  if (widget.name === "timesteps") return new Timesteps(widget, id, store);
  return widget.low == null ? createChoice(widget, id, store) : createSlider(widget, id, store);
}

/**
 * @param {Widget} widget
 * @param {string} id
 * @param {Store} store
 */
function createSlider(widget, id, store) {
  const { name, step } = widget;
  const [low, high] = [Number(widget.low), Number(widget.high)];
  const input = h("input", { type: "range", id, min: low, max: high, step, "aria-describedby": `${id}-help` });
  input.addEventListener("input", () => {
    const value = input.valueAsNumber;
    store.select({ [name]: value === widget.shown ? widget.default : value });
  });
  const mark = h("span.mark", { title: "default", "aria-hidden": "true" });
  const element = h("div.slider", {}, input, mark);
  /** @param {number} value */
  const share = (value) => clamp((value - low) / (high - low || 1), 1);
  return {
    element,
    /**
     * @param {number} value
     * @param {SelectSettings} select
     */
    show(value, select) {
      // A value of 0 means the value of this run, or for the IPC.
      const usual = name === "clusters" ? select.ipc : (widget.shown ?? 0);
      const number = value === 0 ? usual : value;
      const text = valueText(widget, value, select);
      input.value = String(number);
      input.setAttribute("aria-valuetext", text);
      setStyle(element, { "--share": share(number), "--usual": share(widget.default === 0 ? usual : widget.default) });
      return text;
    },
  };
}

/**
 * @param {Widget} widget
 * @param {string} id
 * @param {Store} store
 */
function createChoice({ name, label, choices, default: usual }, id, store) {
  const marked = choices.map((one) => ({ ...one, props: { className: one.value === usual ? "usual" : "" } }));
  const segments = createSegments(label, marked, (value) => store.select({ [name]: value }), { id });
  return {
    element: segments.element,
    /** @param {any} value */
    show(value) {
      segments.show(value);
      return "";
    },
  };
}

/** One timestep, or all scored ones of a range: two thumbs, or one for a single timestep. */
class Timesteps {
  /**
   * @param {Widget} widget
   * @param {string} id
   * @param {Store} store
   */
  constructor({ choices }, id, store) {
    this.store = store;
    this.isSingle = false;
    /** @type {number[]} */
    this.scored = choices.map((one) => Number(one.value)).sort((a, b) => a - b);
    this.last = this.scored.length - 1;
    this.low = this.thumb("First timestep", { id });
    this.high = this.thumb("Last timestep", {});
    this.modes = createSegments("How timesteps are chosen", options(["One", "Range"]), (mode) => {
      this.setMode(mode === "One");
    });
    this.modes.element.classList.add("small");
    const ends = [this.scored[0], this.scored[this.last]].map((one) => h("span", {}, one));
    const slider = h("div.slider.double", {}, this.low, this.high);
    const scale = h("div.ends", { "aria-hidden": "true", title: "The first and the last scored timestep." }, ends);
    this.element = h("div.timesteps", {}, slider, scale, this.modes.element);
  }

  /**
   * @param {string} label
   * @param {Record<string, any>} props
   */
  thumb(label, props) {
    const range = { type: "range", min: 0, max: this.last, step: 1, "aria-label": label };
    const input = h("input", { ...range, ...props });
    input.addEventListener("input", () => this.read(input === this.low));
    return input;
  }

  /** @param {boolean} isLow which thumb moved */
  read(isLow) {
    const low = this.low.valueAsNumber;
    const high = this.isSingle && isLow ? low : this.high.valueAsNumber;
    this.write(Math.min(low, high), high);
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  write(from, to) {
    const chosen = this.scored.slice(from, to + 1);
    this.store.select({ timesteps: chosen.length === this.scored.length ? [] : chosen });
  }

  /** @param {boolean} isSingle */
  setMode(isSingle) {
    this.isSingle = isSingle;
    const chosen = this.store.state.select.timesteps;
    if (isSingle) {
      const middle = chosen.length ? chosen[Math.floor(chosen.length / 2)] : this.scored[Math.floor(this.last / 2)];
      const index = this.scored.indexOf(middle);
      this.write(index, index);
    } else this.write(0, this.last);
    this.show(this.store.state.select.timesteps);
  }

  /** @param {number[]} value */
  show(value) {
    const { scored, last, low, high } = this;
    const chosen = value.length ? scored.filter((timestep) => value.includes(timestep)) : scored;
    if (chosen.length > 1) this.isSingle = false;
    const [from, to] = [scored.indexOf(chosen[0]), scored.indexOf(chosen[chosen.length - 1])];
    set(low, { value: from, "aria-label": this.isSingle ? "Timestep" : "First timestep" });
    set(high, { value: to, hidden: this.isSingle });
    low.setAttribute("aria-valuetext", String(scored[from]));
    high.setAttribute("aria-valuetext", String(scored[to]));
    setStyle(this.element, { "--from": last ? from / last : 0, "--to": last ? to / last : 1 });
    this.modes.show(this.isSingle ? "One" : "Range");
    return timestepsText(value, scored);
  }
}

/** @param {string} text */
function asSentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
