// The Clusters tab: a class's patches in the plane, their clusters, and the gallery of what is selected.

import { makeCards, makeHover, makeLegend } from "../components/cluster_cards.js";
import { createGallery, markChosen } from "../components/gallery.js";
import { createPlane, loadPlotly } from "../components/scatter_plot.js";
import { unpack } from "../lib/colors.js";
import { empty, fill, h, icon, plural, stylesheet } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";

const OWN = "own";
const SETTLE_MS = 250;
const POLL_MS = 700;
const NOBODY = { cluster: -1, polygon: null, mask: null, counts: null };
const ABOUT =
  "Patches of this class as points, near where their features are alike, coloured by cluster. With a keyboard, the clusters below it, the gallery and the cards select the same.";

stylesheet(new URL("./clusters.css", import.meta.url));

export const tab = {
  id: "clusters",
  label: "Clusters",
  mount(root, app) {
    const view = { plane: null, marks: null, chosen: { ...NOBODY }, turn: 0 };
    const parts = makeParts(app, view, { pickCluster, pickImage, clear });
    fill(root, parts.element);
    bind(app, parts, { setCluster, clear, pointAt, repaint: () => view.marks && parts.plot?.theme() });
    return { show, hide };

    async function show(change) {
      if (change.has("image_id") || change.has("tab")) showChosen();
      const moved = change.has("run") || change.has("class_name");
      if (moved || !view.plane) await open();
      else if (change.has("select")) await Promise.all([colour(), cards(), gallery(), again()]);
      if (moved || change.has("select") || change.has("tab")) follow(moved || change.has("tab") ? 0 : SETTLE_MS);
    }

    function hide() {
      view.turn += 1;
      parts.hover.hide();
    }

    /** Another class: its points, drawn once, and everything beside them. */
    async function open() {
      view.turn += 1;
      forget();
      const shown = Promise.all([gallery(), cards()]);
      // Where the plane fails as well, that is what is said.
      shown.catch(() => {});
      const [Plotly, wanted] = await Promise.all([
        loadPlotly(app.files.plotly),
        app.latest("relayout", () => app.ask("relayout")),
      ]);
      if (!wanted) return;
      const found = await app.latest("plane", () =>
        Promise.all([app.ask("plane", { layout: wanted.ready ? wanted.name : OWN }), app.ask("marks")]),
      );
      if (!found) return;
      const [plane, marks] = found;
      view.plane = unpackPlane(plane);
      view.marks = unpackMarks(marks);
      parts.blank.hidden = view.plane.ids.length > 0;
      parts.plot ??= createPlane(Plotly, parts.field, { pick: (row) => pickImage(view.plane.ids[row]), lasso, hover });
      parts.plot.place(view.plane, false);
      await paint();
      showChosen();
      await shown;
      await cards();
    }

    /** The same points in the colours of the present settings. */
    async function colour() {
      const answer = await app.latest("marks", () => app.ask("marks"));
      if (!answer || !view.plane) return;
      const marks = unpackMarks(answer);
      if (marks.cluster.length !== view.plane.ids.length) return;
      view.marks = marks;
      if (view.chosen.cluster >= marks.counts.length) view.chosen.cluster = parts.gallery.own.cluster = -1;
      await paint();
    }

    async function cards() {
      const answer = await app.latest("cards", () => app.ask("cards"));
      if (!answer || !view.plane) return;
      const known = answer.cards.every((card) => card.discriminative.every((patch) => view.plane.sizes.has(patch.id)));
      if (known) parts.cards.show(answer.cards, view.plane.sizes);
      parts.cards.mark(view.chosen.cluster, app.store.state.image_id);
    }

    async function gallery() {
      await parts.gallery.show();
    }

    function paint() {
      const { chosen, marks } = view;
      const isIn = (row) =>
        (!chosen.mask || chosen.mask[row] === 1) && (chosen.cluster < 0 || marks.cluster[row] === chosen.cluster);
      say();
      return view.plane.ids.length ? parts.plot.paint(marks, isIn) : undefined;
    }

    /** Words and counts of what is selected. */
    function say() {
      const { cluster, mask, counts } = view.chosen;
      const all = view.marks.counts;
      const inside = counts ?? all;
      const shown = cluster < 0 ? inside : all.map((_, n) => (n === cluster ? inside[n] : 0));
      const some = cluster >= 0 || mask;
      parts.legend.show(all, some ? shown : null, cluster);
      const count = plural(
        (some ? shown : all).reduce((sum, one) => sum + (one ?? 0), 0),
        "patch",
        "patches",
      );
      const where = mask ? " in the lasso" : "";
      parts.words.textContent = some
        ? `${count}${cluster >= 0 ? ` of cluster ${cluster + 1}` : ""}${where} of ${sum(all)}`
        : `all ${count}`;
      parts.clear.hidden = !some;
      parts.heading.textContent =
        cluster >= 0 ? `Cluster ${cluster + 1}${where}` : mask ? "In the lasso" : "All patches";
      parts.cards.mark(cluster, app.store.state.image_id);
    }

    /** Select a cluster, or let go of it; inside a lasso it narrows that down. */
    function pickCluster(cluster) {
      setCluster(view.chosen.cluster === cluster ? -1 : cluster);
    }

    function setCluster(cluster) {
      if (!view.marks) return;
      view.chosen.cluster = cluster;
      app.attempt(() => Promise.all([parts.gallery.refresh({ cluster: view.chosen.cluster, page: 0 }), paint()]));
    }

    function pickImage(id) {
      app.store.go({ image_id: id });
      if (!parts.gallery.holds(id)) app.attempt(() => parts.gallery.show({ holding: id }));
    }

    /** A lasso was drawn: Python says who is inside. */
    function lasso(polygon) {
      if (!polygon) return clear();
      view.chosen = { ...NOBODY, polygon, layout: view.plane.layout };
      parts.gallery.own.cluster = -1;
      parts.gallery.own.page = 0;
      return app.attempt(() => Promise.all([again(), gallery()]));
    }

    /** Ask anew who is inside the polygon, if there is one. */
    async function again() {
      const { polygon } = view.chosen;
      if (!polygon) return;
      const answer = await app.latest("lasso", () => app.ask("lasso", { polygon, layout: view.chosen.layout }));
      if (!answer || view.chosen.polygon !== polygon) return;
      const mask = unpack(answer.inside).values;
      if (mask.length !== view.plane.ids.length) return;
      Object.assign(view.chosen, { mask, counts: answer.counts });
      await paint();
    }

    function clear() {
      if (!view.marks || (view.chosen.cluster < 0 && !view.chosen.polygon)) return;
      forget();
      app.attempt(() => Promise.all([parts.gallery.refresh({ cluster: -1, page: 0 }), paint(), parts.plot.clear()]));
    }

    function forget() {
      view.chosen = { ...NOBODY };
      Object.assign(parts.gallery.own, { cluster: -1, page: 0 });
    }

    function hover(row, at) {
      const id = row < 0 ? "" : view.plane.ids[row];
      parts.plot.ring("pointed", row);
      markPointed(parts.gallery.element, id);
      if (row < 0) return parts.hover.hide();
      const { marks } = view;
      const kept = marks.kept[row] === 1;
      const box = marks.box.subarray(4 * row, 4 * row + 4);
      return parts.hover.show(
        {
          id,
          box,
          size: view.plane.sizes.get(id),
          rank: marks.rank[row],
          score: marks.score[row],
          cluster: marks.cluster[row],
          kept,
        },
        at,
      );
    }

    function pointAt(id) {
      if (view.plane) parts.plot?.ring("pointed", view.plane.rows.get(id) ?? -1);
    }

    function showChosen() {
      const { image_id: id } = app.store.state;
      markChosen(parts.gallery.element, id);
      parts.cards.mark(view.chosen.cluster, id);
      if (view.plane) parts.plot?.ring("chosen", view.plane.rows.get(id) ?? -1);
    }

    /** Where the patches are others than the layout's, ask for a layout of theirs until it is there. */
    async function follow(wait) {
      view.turn += 1;
      const { turn } = view;
      const over = () => turn !== view.turn || app.store.state.tab !== "clusters";
      for (let pause = wait; ; pause = POLL_MS) {
        await new Promise((resolve) => setTimeout(resolve, pause));
        if (over() || !view.plane) return;
        const wanted = await app.attempt(() => app.ask("relayout"));
        if (over() || !wanted) return;
        tell(wanted);
        if (wanted.ready) return wanted.name === view.plane.layout ? undefined : glide(wanted, over);
        if (wanted.failed) return;
      }
    }

    async function glide(wanted, over) {
      const answer = await app.attempt(() => app.ask("plane", { layout: wanted.name }));
      if (!answer || over()) return;
      const plane = unpackPlane(answer);
      if (plane.ids.join() !== view.plane.ids.join()) return;
      view.plane = plane;
      tell(wanted);
      await parts.plot.place(plane, true);
      if (view.chosen.polygon) await Promise.all([again(), gallery()]);
    }

    function tell({ name, ready, failed }) {
      const { plane } = view;
      const pending = !ready && !failed && name !== plane.layout;
      fill(
        parts.line,
        `${layoutWords(app, plane)}${failed ? `; ${failed}` : pending ? "; a new one is being computed" : ""}`,
      );
      parts.line.dataset.layout = plane.layout;
      parts.line.classList.toggle("pending", pending);
    }
  },
};

function makeParts(app, view, on) {
  const parts = {
    field: h("div.plot-field"),
    blank: h("div.plot-blank", { hidden: true }, empty("No points", "No image of this class was scored.")),
    words: h("p.selected", { "aria-live": "polite" }),
    clear: h(
      "button.quiet",
      { type: "button", title: "Clear the selection (Escape)", onclick: on.clear, hidden: true },
      icon(ICONS.close),
      "Clear",
    ),
    line: h("p.layout-line.soft", { role: "status" }),
    legend: makeLegend(on.pickCluster),
    cards: makeCards(app, { cluster: on.pickCluster, image: on.pickImage }),
    gallery: createGallery(app, {
      title: "Selected patches",
      filter: () => (view.chosen.polygon ? { polygon: view.chosen.polygon, layout: view.chosen.layout } : {}),
    }),
    plot: null,
  };
  parts.heading = parts.gallery.element.querySelector("h2");
  parts.hover = makeHover(app, parts.field);
  const modes = makeModes(parts);
  const figure = h("figure.plot", { "aria-label": ABOUT }, parts.field, parts.blank);
  const left = h(
    "section.plane",
    { "aria-label": "The plane" },
    h("div.bar-line", {}, h("h2", {}, "The plane"), h("span.grow"), modes),
    figure,
    h("div.bar-line.chosen-line", {}, parts.words, parts.clear, h("span.grow"), parts.line),
    parts.legend.element,
  );
  const cards = h(
    "section.cards-of-clusters",
    { "aria-label": "Clusters" },
    h("h2", {}, "Clusters"),
    parts.cards.element,
  );
  parts.element = h("div.clusters-tab", {}, left, parts.gallery.element, cards);
  return parts;
}

/** What a drag does, and the view of the plane. */
function makeModes(parts) {
  const buttons = [
    ["lasso", "Lasso"],
    ["select", "Box"],
    ["pan", "Pan"],
  ].map(([mode, text]) =>
    h(
      "button",
      { type: "button", data: { mode }, "aria-pressed": String(mode === "lasso"), onclick: () => turn(mode) },
      text,
    ),
  );
  const tool = (text, words, does) =>
    h(
      "button.tool",
      { type: "button", title: words, "aria-label": words, onclick: () => parts.plot && does(parts.plot) },
      text,
    );
  const tools = [
    tool("+", "Zoom in", (plot) => plot.zoom(0.7)),
    tool("−", "Zoom out", (plot) => plot.zoom(1 / 0.7)),
    tool(icon(ICONS.reset), "Show all points", (plot) => plot.reset()),
  ];
  return h(
    "div.plot-tools",
    {},
    h("div.segments.small", { role: "group", "aria-label": "What dragging in the plane does" }, buttons),
    tools,
  );

  function turn(mode) {
    parts.plot?.mode(mode);
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.mode === mode));
  }
}

function bind(app, parts, { setCluster, clear, pointAt, repaint }) {
  const { element, own } = parts.gallery;
  element.addEventListener("change", ({ target }) => {
    // Its list of clusters selects in the plane, too; -1 lets go.
    if (target.getAttribute("aria-label") === "Cluster") setCluster(own.cluster);
  });
  const point = ({ target }) => {
    const cell = target.closest?.(".cell");
    pointAt(cell?.dataset.id ?? "");
  };
  for (const kind of ["mouseover", "focusin"]) element.addEventListener(kind, point);
  for (const kind of ["mouseleave", "focusout"]) element.addEventListener(kind, () => pointAt(""));
  const before = app.keys.get("Escape");
  app.keys.set("Escape", (event) => (app.store.state.tab === "clusters" ? clear() : before?.(event)));
  new MutationObserver(repaint).observe(document.body, { attributes: true, attributeFilter: ["class"] });
}

function markPointed(place, id) {
  for (const cell of place.querySelectorAll(".cell")) cell.classList.toggle("pointed", cell.dataset.id === id);
}

function unpackPlane({ layout, settings, fitted, ids, places, sizes }) {
  const { values } = unpack(places);
  const sides = unpack(sizes).values;
  return {
    layout,
    settings,
    fitted,
    ids,
    x: Float32Array.from(ids, (_, row) => values[2 * row]),
    y: Float32Array.from(ids, (_, row) => values[2 * row + 1]),
    rows: new Map(ids.map((id, row) => [id, row])),
    sizes: new Map(ids.map((id, row) => [id, [sides[2 * row], sides[2 * row + 1]]])),
  };
}

function unpackMarks({ counts, ...arrays }) {
  return {
    counts,
    ...Object.fromEntries(Object.entries(arrays).map(([name, packed]) => [name, unpack(packed).values])),
  };
}

function layoutWords(app, { layout, settings, fitted }) {
  if (layout === OWN) return fitted ? "Layout of the default patches" : "Principal components of the default patches";
  const usual = app.start.widgets.select.find((one) => one.name === "patch_px").shown;
  const { timesteps } = settings;
  return `Layout of patches of ${settings.patch_px || usual} px${timesteps.length ? `, ${plural(timesteps.length, "timestep")}` : ""}`;
}

function sum(counts) {
  return counts.reduce((total, one) => total + one, 0);
}
