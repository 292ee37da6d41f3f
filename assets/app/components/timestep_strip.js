// The gap at each scored timestep: a strip of maps, and below it the curve of the patch's score.

import { endsOf, unpack } from "../lib/colors.js";
import { fill, h, percent, svg } from "../lib/dom.js";
import { same } from "../lib/store.js";
import { place } from "./heat_map.js";

/** The strip and its curve; a click counts one timestep alone, a second one all of them again. */
export function createStrip(app) {
  const { store } = app;
  const legend = h("div.strip-legend", {});
  const maps = h("div.strip-maps", { role: "group", "aria-label": "Gap maps by timestep" });
  const curve = h("div.curve", { role: "group", "aria-label": "Score of the patch by timestep" });
  const labels = h("div.curve-labels", { "aria-hidden": "true" });
  const note = h("p.hint", {});
  const body = h(
    "div.strip-body",
    {},
    h("span.axis", {}, "gap"),
    maps,
    h("span.axis.tall", {}, labels),
    curve,
    h("span.axis", {}),
    h("p.axis-x", {}, "timestep"),
  );
  const element = h(
    "section.strip.card",
    { "aria-label": "Over timesteps" },
    h("div.bar-line", {}, h("h3", {}, "Gap over timesteps"), h("span.grow"), legend),
    h("div.strip-scroll", {}, body),
    note,
  );
  return { element, show };

  function show({ image_id: id, explanation, strip, frame }) {
    const { values, shape } = unpack(strip);
    const timesteps = app.start.run.timesteps;
    const counted = countedOf(store.state.select, timesteps);
    const ends = endsOf(values, true);
    body.style.setProperty("--columns", timesteps.length);
    fill(legend, app.heat.legend(ends, "share of the timestep's mean loss"));
    while (maps.children.length > timesteps.length) maps.lastChild.remove();
    while (maps.children.length < timesteps.length) maps.append(makeMap(app));
    const cells = shape[1] * shape[2];
    timesteps.forEach((timestep, n) => {
      const map = { values: values.subarray(n * cells, (n + 1) * cells), shape: shape.slice(1) };
      maps.children[n].show({
        id,
        timestep,
        map,
        ends,
        frame,
        box: explanation.patch?.box,
        counts: counted.includes(timestep),
        alone: counted.length === 1,
        toggle: () => toggle(timestep),
      });
    });
    showCurve(explanation, timesteps);
  }

  function toggle(timestep) {
    const all = app.start.run.timesteps;
    const alone = same(countedOf(store.state.select, all), [timestep]);
    store.select({ timesteps: alone || all.length === 1 ? [] : [timestep] });
  }

  function showCurve({ curve: moments, candidates, patch }, timesteps) {
    curve.classList.toggle("none", !patch);
    note.textContent = patch
      ? "Below, the mean gap inside the patch at each timestep, as a share of that timestep's loss; filled points count. A click on a map or a point counts its timestep alone, another click all of them."
      : "Without a patch there is no curve.";
    if (!moments.length) {
      fill(curve);
      fill(labels);
      return;
    }
    const ends = roundEnds(moments.map((one) => one.share ?? 0));
    const top = (share) => (100 * (ends.high - share)) / (ends.high - ends.low);
    const at = (n) => (100 * (n + 0.5)) / timesteps.length;
    const ticks = [...new Set([ends.high, 0, ends.low])];
    fill(
      labels,
      ticks.map((tick) => h("span", { style: { top: `${top(tick)}%` } }, percent(tick, 2))),
    );
    const lines = ticks.map((tick) =>
      svg("line", {
        class: tick === 0 ? "zero" : "tick",
        x1: "0%",
        x2: "100%",
        y1: `${top(tick)}%`,
        y2: `${top(tick)}%`,
      }),
    );
    const path = moments
      .slice(1)
      .map((one, n) =>
        svg("line", {
          class: "path",
          x1: `${at(n)}%`,
          y1: `${top(moments[n].share ?? 0)}%`,
          x2: `${at(n + 1)}%`,
          y2: `${top(one.share ?? 0)}%`,
        }),
      );
    const focused = [...curve.querySelectorAll("button")].indexOf(document.activeElement);
    const points = moments.map((one, n) =>
      makePoint(one, candidates, { left: `${at(n)}%`, top: `${top(one.share ?? 0)}%` }, () => toggle(one.timestep)),
    );
    fill(curve, svg("svg", { "aria-hidden": "true" }, lines, path), points);
    points[focused]?.focus({ preventScroll: true });
  }
}

function makeMap(app) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const box = h("span.box");
  const shot = h("span.shot", {}, canvas, box);
  const label = h("span.timestep", {});
  let now = null;
  const element = h("button.moment", { type: "button", onclick: () => now.toggle() }, h("span.frame", {}, shot), label);
  element.show = (next) => {
    now = next;
    const { timestep, map, ends, frame, counts, alone } = next;
    const { proxy_width: width, proxy_height: height } = frame;
    shot.style.setProperty("--w", width / Math.max(width, height));
    shot.style.setProperty("--h", height / Math.max(width, height));
    app.heat.draw(canvas, map, ends);
    box.hidden = !next.box;
    if (next.box)
      for (const [name, value] of Object.entries(place(next.box, frame))) box.style.setProperty(name, value);
    label.textContent = timestep;
    element.setAttribute("aria-pressed", String(counts));
    element.setAttribute("aria-label", `Timestep ${timestep}${counts ? ", counted" : ", not counted"}`);
    element.title =
      counts && alone ? `Timestep ${timestep} alone: count all again` : `Count timestep ${timestep} alone`;
  };
  return element;
}

function makePoint({ timestep, share, rank, counts }, candidates, style, onclick) {
  const words = `timestep ${timestep}: ${percent(share)} of its loss, rank ${(rank + 1).toLocaleString("en")} of ${candidates.toLocaleString("en")} boxes${counts ? "" : ", not counted"}`;
  return h("button.point", {
    type: "button",
    title: words,
    "aria-label": words,
    "aria-pressed": String(counts),
    style,
    onclick,
  });
}

/** The timesteps that the settings combine, in their order. */
export function countedOf({ timesteps }, all) {
  return timesteps.length ? all.filter((one) => timesteps.includes(one)) : all;
}

/** Ends of an axis that hold 0 and all shares, at round numbers. */
function roundEnds(shares) {
  const most = Math.max(...shares.map(Math.abs), 1e-6);
  const step = 10 ** Math.floor(Math.log10(most)) / 2;
  return {
    low: Math.min(0, step * Math.floor(Math.min(...shares) / step)),
    high: Math.max(step, step * Math.ceil(Math.max(...shares) / step)),
  };
}
