// Controls: the class's distilled set as chosen, beside random, centre and whole pictures instead.

import { createCrops } from "../components/baseline_images.js";
import { fill, h, icon, number, percent, plural, stylesheet } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";

const REST_MS = 350;
const KINDS = {
  chosen: { label: "Chosen", text: "the box with the largest mean gap" },
  random: { label: "Random", text: "a box anywhere in the image" },
  centre: { label: "Centre", text: "a box in the middle of the image" },
  whole: { label: "Whole image", text: "all of it, shrunk to the same size" },
};

export const tab = {
  mount(root, app) {
    stylesheet(new URL("./baselines.css", import.meta.url));
    return createControls(root, app);
  },
};

function createControls(root, app) {
  const own = { seed: 0, timer: 0 };
  const again = h(
    "button.button",
    { type: "button", "aria-label": "Draw again", title: "Draw again", onclick: () => draw() },
    icon(ICONS.reset),
    h("span", {}, "Draw again"),
  );
  const columns = Object.fromEntries(
    Object.keys(KINDS).map((kind) => [kind, makeColumn(app, kind, kind === "random" ? again : null)]),
  );
  const budget = h("p.budget", { "aria-live": "polite" });
  const truth = makeTruth();
  const grid = h(
    "div.controls-grid",
    {},
    Object.values(columns).map((one) => one.element),
  );
  const whole = h(
    "div.controls",
    {},
    h("div", {}, h("h2", {}, "Controls at equal budget"), budget),
    truth.element,
    grid,
  );
  fill(root, whole);
  return {
    show,
    hide: () => {
      clearTimeout(own.timer);
      own.known = null;
    },
  };

  async function show(change) {
    mark();
    if ([...change].every((key) => ["image_id", "tab", "a", "export"].includes(key)) && own.known) return;
    await Promise.all([sets(), found()]);
  }

  function draw() {
    own.seed += 1;
    return app.attempt(() => Promise.all([sets(), found()]));
  }

  async function sets() {
    const answer = await app.latest("baselines", () => app.ask("baselines", { seed: own.seed }));
    if (!answer) return;
    own.known = true;
    budget.textContent = words(answer, app.store.state);
    for (const { kind, images, score } of answer.kinds) columns[kind].show(answer, images, score);
    mark();
  }

  function mark() {
    for (const one of Object.values(columns)) one.mark(app.store.state.image_id);
  }

  async function found() {
    whole.classList.add("stale");
    const answer = await app.latest("found", () => asked("found"));
    if (!answer) return;
    truth.show(answer);
    for (const kind of Object.keys(KINDS)) columns[kind].figures.class(pick(answer, kind));
    clearTimeout(own.timer);
    if (answer.kinds?.length) own.timer = setTimeout(() => app.attempt(overall), REST_MS);
    else for (const kind of Object.keys(KINDS)) columns[kind].figures.all(undefined);
  }

  /** All classes are asked about when the hand rests. */
  async function overall() {
    const answer = await app.latest("found overall", () => asked("found_overall"));
    if (!answer) return;
    whole.classList.remove("stale");
    for (const kind of Object.keys(KINDS)) columns[kind].figures.all(pick(answer, kind));
  }

  /** Boxes that cannot be read are no failure of the tab: one line says what is wrong. */
  async function asked(name) {
    try {
      return await app.ask(name, { seed: own.seed });
    } catch (error) {
      return { trouble: error.message };
    }
  }
}

function pick(answer, kind) {
  return answer.kinds?.find((one) => one.kind === kind);
}

/** What is alike in all four. */
function words({ total, patch_px: side, resolution_px: px, ids }, { select, class_name: name }) {
  if (!total) return `Class ${name} has no image that could be kept.`;
  const made = select.factor > 1 ? `mosaics of ${select.factor} × ${select.factor} patches` : "single patches";
  const short = total < select.ipc ? `, as many as the class gives at IPC ${select.ipc}` : "";
  return `Each column is a distilled set of ${plural(total, "image")} of ${name}${short}, made of the same ${plural(ids.length, "source image")}: ${made}, cut at ${side} × ${side} px of ${px} px. Only what is cut from them differs. Mean score is the mean of the combined gap inside the patches, as a share of the loss.`;
}

function makeColumn(app, kind, action) {
  const { label, text } = KINDS[kind];
  const figures = makeFigures(label);
  const score = h("dd");
  const note = h("p.soft.more-note");
  const crops = createCrops(app, label);
  const element = h(
    "section.card.control",
    { "aria-label": label, data: { kind } },
    h("div.control-head", {}, h("h2", {}, label), h("span.grow"), action),
    h("p.soft", {}, text),
    figures.element,
    h("dl.control-score", {}, h("dt", {}, "Mean score"), score),
    crops.element,
    note,
  );
  return {
    element,
    figures,
    mark: crops.mark,
    show(answer, images, mean) {
      score.textContent = number(mean);
      crops.show(answer, images);
      const left = answer.total - images.length;
      note.textContent = left > 0 ? `and ${plural(left, "image")} more` : "";
    },
  };
}

/** Hit rate and coverage, of the class and of all classes. */
function makeFigures(label) {
  const lines = ["hit_rate", "coverage"].map((name) => {
    const words = name === "hit_rate" ? "Hit rate" : "Coverage";
    const parts = {
      bar: h("span.meter-fill"),
      value: h("span.meter-value"),
      all: h("span.meter-all"),
      tick: h("span.meter-tick"),
    };
    const meter = h("div.meter", { "aria-hidden": "true" }, parts.bar, parts.tick);
    return {
      name,
      ...parts,
      element: h("div.meter-line", {}, h("span.meter-label", {}, words), parts.value, meter, parts.all),
    };
  });
  const element = h(
    "div.meters",
    { role: "group", "aria-label": `How ${label} finds the object`, hidden: true },
    lines.map((one) => one.element),
  );
  return {
    element,
    class(found) {
      element.hidden = !found;
      for (const line of found ? lines : []) {
        line.value.textContent = percent(found[line.name]);
        line.bar.style.width = `${100 * (found[line.name] ?? 0)}%`;
      }
    },
    all(found) {
      for (const line of lines) {
        line.all.textContent = found ? `all classes ${percent(found[line.name])}` : "";
        line.tick.hidden = !found;
        if (found) line.tick.style.left = `${100 * (found[line.name] ?? 0)}%`;
      }
    },
  };
}

/** What a hit is; or, without true boxes, how to bring them. */
function makeTruth() {
  const element = h("div.truth", {});
  return {
    element,
    show(answer) {
      if (answer.trouble)
        fill(element, h("div.notice.bad", { role: "alert" }, `There is no hit rate: ${answer.trouble}`));
      else if (answer.kinds.length) fill(element, explained(answer));
      else fill(element, missing());
    },
  };
}

function explained({ kinds, small_share: small, large_share: large, draws }) {
  const [{ images }] = kinds;
  const hit = `A patch hits when it holds at least ${percent(small, 2)} of the object, or, where the object is larger than the patch, lies with at least ${percent(large, 2)} of itself inside it. Coverage is the share of the object that the patch holds.`;
  const how = `Of each of the class's ${plural(images, "image")} with a true box the best patch counts, kept or not; random is the mean of ${draws} places per image.`;
  return h("p.soft", {}, `${hit} ${how} A tick on the bar marks all classes.`);
}

function missing() {
  const code = (text) => h("code.code", {}, text);
  return h(
    "div.card.no-boxes",
    {},
    h("h3", {}, "This run has no true boxes"),
    h(
      "p.soft",
      {},
      "With them, each column shows how often its patches find the object. Put a ",
      code("boxes.json"),
      " in COCO format beside the run's ",
      code("run.json"),
      "; its file names are matched with the image ids. ",
      code("dsel toybox FOLDER"),
      " writes one for the scenes that it draws.",
    ),
  );
}
