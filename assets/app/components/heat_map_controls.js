// What is shown of the chosen image, how strongly, and on which scale; and the legend that says so.

import { endsOf } from "../lib/colors.js";
import { fill, h, number, uid } from "../lib/dom.js";
import { mapOf } from "./heat_map.js";

export const VIEWS = ["Picture", "Overlay", "Conditional", "Unconditional", "Gap"];
const SCALES = ["This image", "Class"];
const LOSS = "mean squared error per cell";

/** The controls of the plate; `changed()` is told when something of the look moves. */
export function createLens(app, changed) {
  const own = { view: "Overlay", opacity: 0.75, scale: "This image" };
  const views = segments("What is shown", VIEWS, (view) => set({ view }));
  const scales = segments("Scale over", SCALES, (scale) => set({ scale }));
  scales.element.classList.add("small");
  const id = uid("opacity");
  const value = h("output", { htmlFor: id });
  const range = h("input", {
    id,
    type: "range",
    min: 0,
    max: 100,
    step: 5,
    oninput: () => set({ opacity: range.valueAsNumber / 100 }),
  });
  const slider = h("div.opacity", {}, h("label", { htmlFor: id }, "Opacity"), h("div.slider", {}, range), value);
  const choice = h("div.scale-choice", {}, h("span", { "aria-hidden": "true" }, "Scale"), scales.element);
  const legend = h("div.legend-place", {});
  const line = h("div.lens-line", {}, slider, choice);
  const ranges = new Map();
  show();
  return { own, views: views.element, element: h("div.lens", {}, legend, line), ends, legend: showLegend };

  function set(change) {
    Object.assign(own, change);
    show();
    changed();
  }

  function show() {
    views.show(own.view);
    scales.show(own.scale);
    const percent = Math.round(100 * own.opacity);
    range.value = percent;
    range.setAttribute("aria-valuetext", `${percent} percent`);
    range.parentElement.style.setProperty("--share", own.opacity);
    value.textContent = `${percent} %`;
    slider.classList.toggle("off", own.view !== "Overlay");
    range.disabled = own.view !== "Overlay";
    choice.classList.toggle("off", own.view === "Picture");
  }

  /** The ends of the scale for an answer; the class's are asked for once per settings that they follow from. */
  async function ends(answer) {
    if (own.view === "Picture") return { low: 0, high: 1 };
    if (own.scale === "This image") return ownEnds(answer, own.view);
    const { run, class_name: name, select } = app.store.state;
    const key = JSON.stringify([run, name, select.timesteps, select.gap]);
    if (!ranges.has(key)) {
      const asked = app.ask("ranges");
      asked.catch(() => ranges.delete(key));
      ranges.set(key, asked);
      if (ranges.size > 40) ranges.delete(ranges.keys().next().value);
    }
    return classEnds(await ranges.get(key), own.view);
  }

  function showLegend(scale) {
    const { view } = own;
    const signed = app.store.state.select.gap === "signed";
    if (view === "Picture") return fill(legend, h("p.hint", {}, "The picture as the prior saw it."));
    if (view === "Conditional")
      return fill(legend, app.heat.legend(scale, `conditional loss: ${LOSS}, with the class named`));
    if (view === "Unconditional")
      return fill(legend, app.heat.legend(scale, `unconditional loss: ${LOSS}, with the null prompt`));
    if (view === "Gap") return fill(legend, app.heat.legend(scale, "gap: unconditional − conditional loss, per cell"));
    if (signed)
      return fill(
        legend,
        app.heat.legend(
          { low: -scale.high, high: scale.high },
          "what locating uses: signed gap / mean loss of the timestep",
        ),
      );
    return fill(legend, halfLegend(app, scale.high));
  }
}

/** The half of the signed scale above 0. */
function halfLegend(app, high) {
  const bar = h("div.bar.half", { style: { "background-image": app.heat.gradient(true) } });
  const ticks = [0, high / 2, high].map((one) => h("span", {}, one ? number(one) : "0"));
  return h(
    "figure.legend",
    {},
    bar,
    h("div.ticks", {}, ticks),
    h("figcaption", {}, "what locating uses: positive gap / mean loss of the timestep"),
  );
}

function ownEnds(answer, view) {
  if (view === "Gap") return endsOf(mapOf(answer, view).values, true);
  if (view === "Overlay") return endsOf(mapOf(answer, view).values, true);
  // Both losses on one scale, so that turning from one to the other shows where they differ.
  const both = ["Conditional", "Unconditional"].map((one) => endsOf(mapOf(answer, one).values, false));
  return { low: Math.min(both[0].low, both[1].low), high: Math.max(both[0].high, both[1].high) };
}

function classEnds({ conditional, unconditional, gap, combined }, view) {
  const magnitude = ({ low, high }) => Math.max(Math.abs(low), Math.abs(high), 1e-12);
  if (view === "Gap") return { low: -magnitude(gap), high: magnitude(gap) };
  if (view === "Overlay") return { low: -magnitude(combined), high: magnitude(combined) };
  return {
    low: Math.max(0, Math.min(conditional.low, unconditional.low)),
    high: Math.max(conditional.high, unconditional.high),
  };
}

function segments(label, words, choose) {
  const buttons = words.map((word) => h("button", { type: "button", onclick: () => choose(word) }, word));
  return {
    element: h("div.segments", { role: "group", "aria-label": label }, buttons),
    show: (chosen) => buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(words[n] === chosen))),
  };
}
