// Settings A and B side by side: figures, images by disagreement, one image under both, clusters.

import { boxLegend } from "../components/box_pair.js";
import { createChanges, keptWords, rankWords } from "../components/change_list.js";
import { createMoves } from "../components/cluster_moves.js";
import { createHead, pin, pinned } from "../components/compared_settings.js";
import { createWipe } from "../components/wipe.js";
import { fill, h, icon, number, percent, plural, stylesheet } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";

const REST_MS = 350;
const FRESH = { cluster_a: -1, cluster_b: -1, keeping: "any", backwards: false, page: 0 };

export const tab = {
  mount(root, app) {
    stylesheet(new URL("./compare.css", import.meta.url));
    return createCompare(root, app);
  },
};

function createCompare(root, app) {
  const { store } = app;
  const own = { ...FRESH };
  const now = { answer: null, place: "", timer: 0 };
  const head = createHead(app);
  const figures = makeFigures();
  const list = createChanges(app, (change) => again(change));
  const moves = createMoves((a, b) => again({ cluster_a: a, cluster_b: b, page: 0 }));
  const detail = makeDetail(app);
  const trouble = h("div.notice.bad", { role: "alert", hidden: true });
  const body = h(
    "div.compare-body",
    {},
    figures.element,
    h("div.split", {}, list.element, h("div.compare-detail", {}, detail.element, moves.element)),
  );
  const full = h("div.compare", {}, head.element, trouble, body);
  const start = makeStart(app);
  return { show, hide: () => clearTimeout(now.timer) };

  async function show(change) {
    const pinnedNow = Boolean(store.state.a);
    const child = pinnedNow ? full : start.element;
    if (root.firstChild !== child) fill(root, child);
    if (!pinnedNow) return start.show();
    if (change.has("a")) head.show(null);
    else head.show(now.answer?.a ?? null);
    const only = [...change].every((key) => key === "image_id" || key === "tab");
    if (only && now.answer && choose(false)) return;
    await ask();
  }

  function again(change) {
    Object.assign(own, change);
    return app.attempt(ask);
  }

  async function ask() {
    const { run, class_name: name, a } = store.state;
    const place = JSON.stringify([run, name]);
    if (place !== now.place) Object.assign(own, FRESH);
    now.place = place;
    figures.stale();
    const answer = await app.latest("compare", () => asked(a));
    if (!answer) return;
    if (answer.trouble) return;
    const clusters = [answer.moves.length, answer.moves[0]?.length ?? 0];
    if (own.cluster_a >= clusters[0] || own.cluster_b >= clusters[1]) return again({ cluster_a: -1, cluster_b: -1 });
    own.page = answer.page;
    now.answer = answer;
    paint(answer);
    overall();
  }

  /** A link may hold an A that says nothing: that stands in the tab, beside what forgets it. */
  async function asked(a) {
    try {
      const answer = await app.ask("compare", { ...own });
      trouble.hidden = true;
      body.hidden = false;
      return answer;
    } catch (error) {
      if (a === store.state.a) {
        fill(trouble, h("p", {}, error.message), h("p", {}, "Move the settings, pin others as A, or forget A."));
        trouble.hidden = false;
        body.hidden = true;
      }
      return { trouble: true };
    }
  }

  function paint(answer) {
    head.show(answer.a);
    figures.show(answer.figures);
    list.show(answer, own);
    moves.show(answer.moves, own);
    choose(true);
  }

  /** Show the chosen image large; false where its row is not known here and may be asked for. */
  function choose(asked) {
    const { rows, chosen } = now.answer;
    const row = [chosen, ...rows].find((one) => one && one.id === store.state.image_id);
    if (!row && !asked) return false;
    list.mark((row ?? chosen)?.id);
    detail.show(row ?? chosen);
    return true;
  }

  /** All classes are asked about when the hand rests. */
  function overall() {
    clearTimeout(now.timer);
    now.timer = setTimeout(
      () =>
        app.attempt(async () => {
          const found = await app.latest("compare overall", () => app.ask("compare_overall"));
          if (found) figures.overall(found);
        }),
      REST_MS,
    );
  }
}

/** What is there before an A is pinned. */
function makeStart(app) {
  const { store } = app;
  const usual = h(
    "button.button",
    { type: "button", onclick: () => store.go({ a: pinned(store, store.defaults.select) }) },
    "Compare with the defaults",
  );
  const now = h(
    "button.primary",
    { type: "button", onclick: () => pin(app) },
    icon(ICONS.pin),
    "Pin the present settings as A",
  );
  const steps = [
    "Pin the present settings: they become A.",
    "Move the sliders: they are B.",
    "See which boxes and clusters change, and how much of the distilled set stays.",
  ];
  const element = h(
    "section.compare-start",
    { "aria-label": "Compare" },
    h("h2", {}, "Compare two settings"),
    h(
      "ol",
      {},
      steps.map((text) => h("li", {}, text)),
    ),
    h("div.bar-line", {}, now, usual),
  );
  return {
    element,
    show() {
      usual.disabled = pinned(store, store.state.select) === pinned(store, store.defaults.select);
    },
  };
}

const FIGURES = [
  {
    label: "Same images kept",
    value: (one) => percent(one.image_share),
    text: (one) => `${one.same_images} of ${plural(Math.max(one.a, one.b), "patch", "patches")}`,
    help: "Share of the distilled set whose patches are of the same images.",
  },
  {
    label: "Same places kept",
    value: (one) => percent(one.box_share),
    text: (one) => `${one.same_boxes} of ${plural(Math.max(one.a, one.b), "patch", "patches")}`,
    help: "Share of the distilled set that shows the same places: the same image, with boxes that overlap by more than half.",
  },
  {
    label: "Overlap of boxes",
    value: (one) => percent(one.overlap),
    text: (one) => `mean of ${plural(one.images, "image")}`,
    help: "Area that the boxes of A and B share, of the area that both cover.",
  },
  {
    label: "Other boxes",
    value: (one) => (one.images - one.unchanged).toLocaleString("en"),
    text: (one) => `of ${plural(one.images, "image")}`,
    help: "Images whose box is not exactly the same.",
  },
  {
    label: "Clusters agree",
    value: (one) => number(one.rand_index),
    text: () => "1 the same, 0 as by chance",
    help: "Adjusted Rand index: how often two images that share a cluster in A also share one in B, beyond chance.",
  },
];

function makeFigures() {
  const tiles = FIGURES.map(({ label, help }) => {
    const parts = { value: h("dd.big"), text: h("dd.soft"), all: h("dd.all") };
    return {
      ...parts,
      element: h("div.tile", { title: help }, h("dt", {}, label), parts.value, parts.text, parts.all),
    };
  });
  const element = h(
    "dl.tiles",
    { "aria-label": "Figures" },
    tiles.map((one) => one.element),
  );
  return {
    element,
    show: (found) =>
      FIGURES.forEach((figure, n) => {
        tiles[n].value.textContent = figure.value(found);
        tiles[n].text.textContent = figure.text(found);
      }),
    overall(found) {
      element.classList.remove("stale");
      FIGURES.forEach((figure, n) => (tiles[n].all.textContent = `all classes ${figure.value(found)}`));
    },
    stale: () => element.classList.add("stale"),
  };
}

/** The chosen image under both settings. */
function makeDetail(app) {
  const title = h("h2", {}, "Chosen image");
  const facts = h("p.soft", {});
  const wipe = createWipe(app);
  const said = { A: h("p.said", {}), B: h("p.said", {}) };
  const element = h(
    "section.card.compare-image",
    { "aria-label": "Chosen image under A and B" },
    h("div.bar-line", {}, title, h("span.grow"), boxLegend()),
    facts,
    wipe.element,
    said.A,
    said.B,
  );
  return { element, show };

  function show(row) {
    element.hidden = !row;
    if (!row) return;
    title.textContent = row.id;
    title.title = row.id;
    facts.textContent = [
      `overlap ${percent(row.overlap)}`,
      `rank ${rankWords(row)}`,
      clusterWords(row),
      keptWords(row) || "kept in neither",
    ].join(" · ");
    wipe.show(row);
    app.attempt(() => maps(row.id));
  }

  async function maps(id) {
    const { class_name: name } = app.store.state;
    const [viewA, viewB] = [app.store.state.a, app.store.query()].map((query) => viewOf(query, name, id));
    const both = () => Promise.all([viewA, viewB].map((view) => app.ask("image", { view })));
    const answers = await app.latest("compare image", both);
    if (!answers || answers[0].image_id !== title.textContent) return;
    wipe.maps(...answers);
    ["A", "B"].forEach((letter, n) => fill(said[letter], h("b", {}, letter), ` ${answers[n].explanation.sentence}`));
  }
}

function clusterWords({ a, b }) {
  const cluster = (side) => (side ? side.cluster + 1 : "none");
  return `cluster A ${cluster(a)} → B ${cluster(b)}`;
}

/** The view of an image under some settings. */
function viewOf(query, className, id) {
  const view = new URLSearchParams(query);
  for (const key of ["a", "tab"]) view.delete(key);
  view.set("class", className);
  view.set("image", id);
  return view.toString();
}
