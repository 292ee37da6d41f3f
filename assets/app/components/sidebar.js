// The sidebar: one widget per setting of selecting, as dsel/ui/widgets.py declares them.

import { fill, h, icon, percent, set, uid } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { same } from "../lib/store.js";

const FIRST = ["timesteps", "patch_px", "clusters", "ipc"];
/** What choices of settings are called. */
const UNITS = { ipc: "per class", clusters: "per class" };
export const WORDS = {
  across: { "round-robin": "Clusters in turn", pooled: "Pooled" },
  within: { score: "Highest score", centroid: "Most central" },
  gap: { positive: "Positive only", signed: "Signed" },
  factor: { 1: "Single", 2: "2 × 2", 3: "3 × 3", 4: "4 × 4" },
};

/** A share of what is ordered best first. */
export function shareWords(share) {
  return share === 1 ? "all" : `top ${percent(share)}`;
}

/** Fill the sidebar; `start` is the answer of that name. Answers what keeps it up to date. */
export function mountSettings(place, { store, start }) {
  const widgets = start.widgets.select.map((widget) => makeWidget(widget, store, start));
  const first = widgets.filter((one) => FIRST.includes(one.name));
  const more = widgets.filter((one) => !FIRST.includes(one.name));
  const nullPrompt = h("p.fact", {}, h("span", {}, "Null prompt"), h("q", {}, start.run.null_prompt));
  const hint = h("p.hint", {}, "It belongs to the scores: to try another one, score again in Score.");
  const resetAll = h(
    "button.quiet",
    { type: "button", onclick: () => store.select(usual(store), "all") },
    icon(ICONS.reset),
    "Reset all settings",
  );
  fill(
    place,
    h("h2", {}, "Settings"),
    first.map((one) => one.element),
    h(
      "details.more",
      { open: true },
      h("summary", {}, "More settings"),
      more.map((one) => one.element),
      nullPrompt,
      hint,
    ),
    resetAll,
  );
  const show = () => {
    for (const one of widgets) one.show(store.state.select);
    resetAll.disabled = same(usual(store), store.state.select);
  };
  show();
  return show;
}

/** The default settings; what was decided by hand stays. */
function usual({ defaults, state }) {
  const { pins, bans, moves } = state.select;
  return { ...defaults.select, pins, bans, moves };
}

function makeWidget(widget, store, start) {
  const { name } = widget;
  const id = uid(name);
  const value = h("output.value", { htmlFor: id });
  const unit = h("span.unit", {}, UNITS[name] ?? "");
  const reset = h(
    "button.reset",
    {
      type: "button",
      title: `Back to the default of ${widget.label}`,
      "aria-label": `Reset ${widget.label}`,
      onclick: () => store.select({ [name]: widget.default }),
    },
    icon(ICONS.reset),
  );
  const control = makeControl(widget, id, store, start);
  const help = h("p.help", { id: `${id}-help` }, sentence(widget.help));
  const about = h(
    "button.about",
    {
      type: "button",
      "aria-label": `What ${widget.label} means`,
      "aria-expanded": "false",
      "aria-controls": `${id}-help`,
    },
    "?",
  );
  const element = h(
    "div.widget",
    { data: { name } },
    h("div.widget-head", {}, h("label", { htmlFor: id }, widget.label), about, value, unit, reset),
    control.element,
    help,
  );
  help.hidden = true;
  about.addEventListener("click", () => {
    help.hidden = !help.hidden;
    about.setAttribute("aria-expanded", String(!help.hidden));
  });
  return {
    name,
    element,
    show(select) {
      value.textContent = control.show(select[name], select);
      unit.hidden = value.textContent.endsWith(")"); // it says what it follows instead
      reset.classList.toggle("unused", same(select[name], widget.default));
      reset.tabIndex = same(select[name], widget.default) ? -1 : 0;
    },
  };
}

function makeControl(widget, id, store, start) {
  if (widget.name === "timesteps") return timesteps(widget, id, store);
  if (widget.low != null) return slider(widget, id, store, start);
  return choice(widget, id, store);
}

function slider(widget, id, store) {
  const { name, low, high, step, unit } = widget;
  const write = (input) =>
    store.select({ [name]: input.valueAsNumber === widget.shown ? widget.default : input.valueAsNumber });
  const input = h("input", {
    type: "range",
    id,
    min: low,
    max: high,
    step,
    oninput: (event) => write(event.target),
    "aria-describedby": `${id}-help`,
  });
  const mark = h("span.mark", { title: "default", "aria-hidden": "true" });
  const element = h("div.slider", {}, input, mark);
  return {
    element,
    show(value, select) {
      const follows = name === "clusters" && value === 0;
      const number = value === 0 ? (follows ? select.ipc : widget.shown) : value;
      const usual = widget.default === 0 ? (name === "clusters" ? select.ipc : widget.shown) : widget.default;
      input.value = number;
      place(element, (number - low) / (high - low || 1), (usual - low) / (high - low || 1));
      const text =
        step < 1 ? shareWords(number) : `${number}${unit === "px" ? " px" : ""}${follows ? " (as IPC)" : ""}`;
      input.setAttribute("aria-valuetext", text);
      return text;
    },
  };
}

function place(element, share, usual) {
  element.style.setProperty("--share", Math.min(Math.max(share, 0), 1));
  element.style.setProperty("--usual", Math.min(Math.max(usual, 0), 1));
}

function choice(widget, id, store) {
  const { name, choices } = widget;
  const words = (value) => WORDS[name]?.[value] ?? String(value);
  const buttons = choices.map((value) =>
    h("button", { type: "button", onclick: () => store.select({ [name]: value }) }, words(value)),
  );
  const element = h("div.segments", { role: "group", id, "aria-label": widget.label }, buttons);
  return {
    element,
    show(value) {
      buttons.forEach((button, n) => {
        button.setAttribute("aria-pressed", String(choices[n] === value));
        button.classList.toggle("usual", choices[n] === widget.default);
      });
      return "";
    },
  };
}

/** One timestep, or all scored ones of a range: two thumbs that meet for one alone. */
function timesteps(widget, id, store) {
  const scored = [...widget.choices].sort((a, b) => a - b);
  const last = scored.length - 1;
  const write = (from, to) => {
    const chosen = scored.slice(from, to + 1);
    store.select({ timesteps: chosen.length === scored.length ? [] : chosen });
  };
  const thumb = (label, props) =>
    h("input", { type: "range", min: 0, max: last, step: 1, "aria-label": label, ...props });
  const low = thumb("First timestep", {
    id,
    oninput: () =>
      write(
        Math.min(low.valueAsNumber, one() ? low.valueAsNumber : high.valueAsNumber),
        one() ? low.valueAsNumber : high.valueAsNumber,
      ),
  });
  const high = thumb("Last timestep", {
    oninput: () => write(Math.min(low.valueAsNumber, high.valueAsNumber), high.valueAsNumber),
  });
  const modes = ["One", "Range"].map((text, n) =>
    h("button", { type: "button", onclick: () => setMode(n === 0) }, text),
  );
  const ends = h("div.ends", { "aria-hidden": "true" }, h("span", {}, scored[0]), h("span", {}, scored[last]));
  const element = h(
    "div.timesteps",
    {},
    h("div.slider.double", {}, low, high),
    ends,
    h("div.segments.small", { role: "group", "aria-label": "How timesteps are chosen" }, modes),
  );
  let single = false;
  const one = () => single;
  return { element, show };

  function setMode(alone) {
    single = alone;
    const chosen = store.state.select.timesteps;
    if (alone) {
      const middle = chosen.length ? chosen[Math.floor(chosen.length / 2)] : scored[Math.floor(last / 2)];
      write(scored.indexOf(middle), scored.indexOf(middle));
    } else write(0, last);
    show(store.state.select.timesteps);
  }

  function show(value) {
    const chosen = value.length ? scored.filter((timestep) => value.includes(timestep)) : scored;
    if (chosen.length > 1) single = false;
    const [from, to] = [scored.indexOf(chosen[0]), scored.indexOf(chosen.at(-1))];
    set(low, { value: from });
    set(high, { value: to, hidden: single });
    low.setAttribute("aria-label", single ? "Timestep" : "First timestep");
    low.setAttribute("aria-valuetext", String(scored[from]));
    high.setAttribute("aria-valuetext", String(scored[to]));
    element.style.setProperty("--from", last ? from / last : 0);
    element.style.setProperty("--to", last ? to / last : 1);
    modes.forEach((button, n) => button.setAttribute("aria-pressed", String((n === 0) === single)));
    if (!value.length) return `all ${scored.length}`;
    const whole = chosen.length === to - from + 1;
    return chosen.length === 1
      ? String(chosen[0])
      : `${whole ? "" : `${chosen.length} of `}${chosen[0]} to ${chosen.at(-1)}`;
  }
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
