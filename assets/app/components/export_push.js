// Push the set to the Hugging Face Hub: with the visitor's own login on a Space, or by the owner of the app.

import { fill, h, uid } from "../lib/dom.js";
import { isActive } from "../lib/jobs.js";
import { JobCard } from "./job_card.js";

const HINT =
  "The Hugging Face dataset of this set: Parquet, with a card. An earlier push of dsel is replaced; other datasets " +
  "are left alone.";
const HUB = "https://huggingface.co/datasets/";

/** @typedef {"ready" | "log-in" | "no-token" | "closed"} LoginState */
/** @typedef {{ state: LoginState, name: string, reason: string, logs_in: boolean }} Who */

/**
 * Create the card's content; `show()` asks who is logged in, and lists the pushes.
 * @param {App} app
 */
export function createPush(app) {
  const form = createForm(app);
  const who = h("p.hint.who", { role: "status" });
  const jobs = h("div.pushes");
  /** @type {Map<string, JobCard>} */
  const cards = new Map();
  app.jobs.subscribe(list);
  return {
    element: h("div.push", {}, who, form.element, jobs),
    async show() {
      /** @type {Who | undefined} */
      const found = await app.latest("push options", () => app.ask("push_options")).catch(() => undefined);
      if (!found) return;
      fill(who, whoText(found));
      form.element.hidden = found.state !== "ready";
      if (found.name) form.suggest(found.name);
      list();
    },
  };

  function list() {
    const known = app.jobs.of("push");
    form.allow(!known.some((one) => isActive(one.report)));
    for (const token of [...cards.keys()]) if (!known.some((one) => one.token === token)) cards.delete(token);
    const elements = known.map(({ token, report }) => {
      const card = cards.get(token) ?? new JobCard(app, datasetLink);
      cards.set(token, card);
      card.show(report);
      return card.element;
    });
    const current = [...jobs.children];
    if (current.length !== elements.length || current.some((one, n) => one !== elements[n])) fill(jobs, elements);
  }
}

/** @param {App} app */
function createForm(app) {
  const id = uid("push");
  const props = { type: "text", id, autocomplete: "off", spellcheck: false, placeholder: "user/name", required: true };
  const name = h("input.repo", props);
  const open = h("input", { type: "checkbox", id: uid("public") });
  const start = h("button.button", { type: "submit" }, "Push");
  const shown = h("label.check", {}, open, h("span", {}, "Let everybody see it; it is private otherwise"));
  const line = h("div.push-line", {}, h("label", { htmlFor: id }, "Name on the Hub"), name, start);
  const problem = h("p.notice.bad", { hidden: true, role: "alert" });
  const element = h("form.push-form", { noValidate: true, hidden: true }, line, shown, problem, h("p.hint", {}, HINT));
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    push();
  });
  return {
    element,
    /** @param {boolean} isFree */
    allow(isFree) {
      start.disabled = !isFree;
    },
    /** @param {string} user */
    suggest(user) {
      name.placeholder = `${user}/name`;
    },
  };

  async function push() {
    start.disabled = true;
    problem.hidden = true;
    try {
      const { token } = await app.ask("push_start", { repo: name.value, public: open.checked });
      await app.jobs.add("push", token);
    } catch (error) {
      problem.textContent = /** @type {Error} */ (error).message;
      problem.hidden = false;
    } finally {
      start.disabled = app.jobs.of("push").some((one) => isActive(one.report));
    }
  }
}

/**
 * Say who is logged in, with the way in or out.
 * @param {Who} found
 */
function whoText({ state, name, reason, logs_in }) {
  const link = (/** @type {string} */ path, /** @type {string} */ text) =>
    h("a.link", { href: `${path}?_target_url=${encodeURIComponent(location.pathname + location.search)}` }, text);
  const text = reason && `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
  if (state === "log-in") return [h("span", {}, `${text} `), link("login/huggingface", "Log in with Hugging Face")];
  if (state !== "ready") return [text];
  if (!name) return ["Pushed with the account of this machine (hf auth login, or HF_TOKEN)."];
  return [`Logged in as ${name}. `, logs_in && link("logout", "Log out")];
}

/** @param {Report} report */
function datasetLink({ figures }) {
  const repo = figures.dataset;
  if (!repo) return [];
  return [h("a.link", { href: `${HUB}${repo}`, target: "_blank", rel: "noopener" }, `Open ${repo} on the Hub`)];
}
