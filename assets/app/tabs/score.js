// Score: new pictures are shown to a prior, as a job that goes on by itself; and the runs there are.

import { createFields, offerWords } from "../components/form_fields.js";
import { createCard } from "../components/job_card.js";
import { createRuns } from "../components/run_list.js";
import { createSources } from "../components/sources.js";
import { empty, fill, h, stylesheet } from "../lib/dom.js";

stylesheet(new URL("../components/job_card.css", import.meta.url));
stylesheet(new URL("./score.css", import.meta.url));

const USUAL = {
  prior: ["prior", "family"],
  source: ["per_class", "scene_seed"],
  score: ["timesteps", "draws", "prompt", "null_prompt"],
};
const CLUSTERS = [
  ["Which pictures", "source", ["split", "classes"]],
  [
    "How each is looked at",
    "score",
    ["antithetic", "refine", "first_draws", "names", "fit", "min_side_px", "noise_seed"],
  ],
  [
    "The prior",
    "prior",
    ["resolution_px", "precision", "device", "lora", "revision", "labels", "null_class", "low_memory", "compile"],
  ],
  [
    "Features, shards and speed",
    "score",
    ["feature_timestep", "feature_grid", "feature_dim", "shard_size", "rows_per_call", "decoders"],
  ],
  ["", "prior", ["feature_layer"]],
];
const PRIOR_HINT = {
  true: "demo, which ships with dsel and knows the toybox classes; or the folder or Hub id of a diffusion model.",
  false: "demo ships with dsel and knows the toybox classes.",
};

export const tab = {
  mount(root, app) {
    const place = h("div.score-form-place", {});
    const runs = createRuns(app);
    const jobs = createJobList(app, (report, one) => ended(report, one));
    const own = { form: null, awaited: "" };
    fill(root, h("div.score", {}, place, h("div.score-side", {}, jobs.element, runs.element)));
    app.jobs.subscribe(() => {
      jobs.show();
      runs.show();
    });
    return {
      show,
      hide: () => {
        own.awaited = "";
      },
    };

    async function show(change) {
      jobs.show();
      runs.learn();
      if (!own.form) await open();
      if (change.has("run")) own.form?.offer();
    }

    async function open() {
      try {
        const options = await app.ask("score_options", { run: "", view: "" });
        own.form = createForm(app, options, started);
        fill(
          place,
          options.kinds.length
            ? own.form.element
            : empty(
                "Nothing can be scored here",
                "This app takes neither uploads nor folders. On your own machine, dsel app RUN does.",
              ),
        );
        own.form.offer();
      } catch (error) {
        fill(place, empty("Nothing can be scored here", `${error.message}.`));
      }
    }

    async function started(token, picture) {
      own.awaited = picture ? token : "";
      await app.jobs.add("score", token, {}, picture);
      jobs.reveal(token);
    }

    /** A single picture opens at once, if the page still waits for it. */
    function ended(report) {
      if (report.token !== own.awaited || report.state !== "done") return;
      own.awaited = "";
      if (app.store.state.tab === "score") app.attempt(() => app.openRun(report.token));
    }
  },
};

/** The jobs that are not done: those that are become runs. */
function createJobList(app, told) {
  const cards = new Map();
  const list = h("div.job-list");
  const element = h("section.jobs-part", { "aria-label": "Jobs" }, h("h2", {}, "Jobs"), list);
  return { element, show, reveal: (token) => cards.get(token)?.element.scrollIntoView({ block: "nearest" }) };

  function show() {
    const all = app.jobs.of("score");
    all.forEach((one) => told(one.report));
    const open = all.filter((one) => one.report.state !== "done");
    for (const token of [...cards.keys()]) if (!open.some((one) => one.token === token)) remove(token);
    open.forEach(({ token, report }, n) => {
      if (!cards.has(token)) cards.set(token, createCard(app));
      const card = cards.get(token);
      card.show(report);
      card.element.classList.add("card");
      if (list.children[n] !== card.element) list.insertBefore(card.element, list.children[n] ?? null);
    });
    element.hidden = !open.length;
  }

  function remove(token) {
    cards.get(token).element.remove();
    cards.delete(token);
  }
}

function createForm(app, options, started) {
  const forms = {};
  const own = { busy: false };
  const priors = options.any_prior
    ? options.prior
    : options.prior.map((one) => (one.name === "prior" ? { ...one, kind: "choice", choices: options.priors } : one));
  const sources = createSources(app, options, changed);
  for (const [name, list] of [
    ["source", options.source],
    ["prior", priors],
    ["score", options.score],
  ])
    forms[name] = createFields(list, changed);
  const fields = (form, names) => names.map((name) => forms[form].get(name)?.element).filter(Boolean);
  const summary = h("summary", {}, "More settings");
  const more = h(
    "details.more-settings",
    {},
    summary,
    CLUSTERS.map(([title, form, names]) => [title && h("h3", {}, title), h("div.fields", {}, fields(form, names))]),
  );
  const estimate = h("p.estimate.soft", { "aria-live": "polite" });
  const problem = h("p.notice.bad.form-problem", { hidden: true, role: "alert" });
  const start = h("button.primary", { type: "submit" }, "Score");
  const element = h(
    "form.score-form.card",
    { "aria-label": "Score new pictures", noValidate: true, onsubmit: (event) => submit(event) },
    h("h2", {}, "Score new pictures"),
    sources.element,
    h("div.fields", {}, fields("source", USUAL.source)),
    h("h3", {}, "Prior"),
    h("div.fields", {}, fields("prior", USUAL.prior)),
    h("p.hint", {}, PRIOR_HINT[options.any_prior]),
    h("h3", {}, "Scoring"),
    h("div.fields", {}, fields("score", USUAL.score)),
    more,
    problem,
    h("div.start-line", {}, start, estimate),
  );
  if (options.any_prior) offerWords(forms.prior.get("prior").control.input, options.priors);
  sources.turn(sources.kind());
  return {
    element,
    offer: () => sources.offerClasses([...app.start.classes.map((one) => one.name), ...options.toybox.classes]),
  };

  function changed() {
    if (!forms.score) return;
    const asked = sources.asked();
    for (const field of forms.source.all) field.element.hidden = !asked.includes(field.name);
    const most = forms.source.get("per_class");
    if (most)
      most.control.input.placeholder = sources.kind() === "toybox" ? String(options.toybox.per_class) : "all of them";
    more.querySelector("h3").hidden = !asked.includes("split") && !asked.includes("classes");
    const folded = CLUSTERS.flatMap(([, form, names]) => names.map((name) => forms[form].get(name))).filter((field) =>
      field?.isChanged(),
    );
    summary.textContent = folded.length ? `More settings · ${folded.length} changed` : "More settings";
    estimate.textContent = estimated(sources, forms, options);
    start.textContent = sources.kind() === "picture" ? "Score this picture" : "Score";
    problem.hidden = true;
  }

  async function submit(event) {
    event.preventDefault();
    if (own.busy) return;
    busy(true);
    try {
      const source = await sources.source();
      const more = {
        prior: forms.prior.values(),
        score: forms.score.values(),
        source_settings: forms.source.values(sources.asked()),
      };
      const { token } = await app.ask("score_start", { source, ...more, run: "", view: "" });
      await started(token, source.kind === "picture");
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
    busy(false);
  }

  function busy(on) {
    own.busy = on;
    start.disabled = on;
    if (on) problem.hidden = true;
  }
}

/** How much work that is, as far as it can be told. */
function estimated(sources, forms, { evaluations: most }) {
  const [timesteps, draws, refine] = ["timesteps", "draws", "refine"].map((name) => forms.score.get(name)?.value());
  const settings = {
    per_class: Number(forms.source.get("per_class")?.value()) || 0,
    classes: forms.source.get("classes")?.value() ?? [],
  };
  const images = sources.images(settings);
  const each = 2 * timesteps.length * draws;
  if (!Number.isFinite(each)) return "";
  const words = `${timesteps.length} ${timesteps.length === 1 ? "timestep" : "timesteps"} × ${draws} ${draws === 1 ? "draw" : "draws"} × 2`;
  const limit = most ? `; at most ${most.toLocaleString("en")} are allowed here` : "";
  const up = refine > 0 ? "at most " : "";
  if (images == null)
    return `${words} = ${up}${each.toLocaleString("en")} evaluations of the prior for each image${limit}.`;
  return `${images.toLocaleString("en")} ${images === 1 ? "image" : "images"} × ${words} = ${up}${(images * each).toLocaleString("en")} evaluations of the prior${limit}.`;
}
