// Score: new images are scored with a prior as a job in the background; and the runs that can be opened.

import { createNamesCard } from "../components/names_card.js";
import { OpenJobs } from "../components/open_jobs.js";
import { RunList } from "../components/run_list.js";
import { ScoreForm } from "../components/score_form.js";
import { empty, fill, h, stylesheet } from "../lib/dom.js";
import { takeOffer } from "../lib/offers.js";

stylesheet(new URL("../components/job_card.css", import.meta.url));
stylesheet(new URL("../components/job_form.css", import.meta.url));
stylesheet(new URL("./score.css", import.meta.url));

const NOTHING = "Nothing can be scored here";
const ADVICE = "This app takes neither uploads nor folders. On your own machine, dsel app RUN does.";

/** @type {Tab} */
export const tab = { mount: (root, app) => new ScoreTab(root, app) };

class ScoreTab {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    this.place = h("div.score-form-place", {});
    this.runs = new RunList(app, (token, title) => app.attempt(() => this.compare(token, title)));
    this.jobs = new OpenJobs(app, ["score"], (report) => this.ended(report));
    /** @type {ScoreForm | null} */
    this.form = null;
    /** The newest job that was started here. */
    this.awaited = "";
    this.finished = h("div.notices", { role: "status" });
    const side = h("div.score-side", {}, this.finished, this.jobs.element, this.runs.element);
    fill(root, h("div.score", {}, this.place, side));
    app.jobs.subscribe(() => {
      this.jobs.show();
      this.runs.show();
    });
  }

  /** @param {Change} change */
  async show(change) {
    this.jobs.show();
    this.runs.update();
    if (!this.form) await this.open();
    if (change.has("run")) this.form?.suggestClasses();
    const offer = takeOffer();
    if (offer) await this.form?.sources.take(offer);
  }

  async open() {
    const { app, place } = this;
    try {
      const options = await app.ask("score_options", {}, { run: "", view: "" });
      if (!options.kinds.length) {
        fill(place, empty(NOTHING, ADVICE));
        return;
      }
      this.form = new ScoreForm(app, options, (token, isImage) => this.started(token, isImage));
      fill(place, this.form.element);
      this.form.suggestClasses();
    } catch (error) {
      fill(place, empty(NOTHING, `${/** @type {Error} */ (error).message}.`));
    }
  }

  /**
   * @param {string} token
   * @param {boolean} isImage
   */
  async started(token, isImage) {
    this.awaited = token;
    fill(this.finished);
    await this.app.jobs.add("score", token, {}, isImage);
    this.jobs.reveal(token);
  }

  /**
   * Offer to open the run of the job that was started here; the page stays as it is.
   * @param {Report} report
   */
  ended({ token, state, title, figures }) {
    if (token !== this.awaited || state !== "done") return;
    this.awaited = "";
    if (figures.names) {
      this.app.attempt(() => this.compare(token, title));
      return;
    }
    const open = h("button.button", { type: "button", "aria-label": `Show ${title}` }, "Show it");
    open.addEventListener("click", () => {
      fill(this.finished);
      this.app.attempt(() => this.app.openRun(token));
    });
    fill(this.finished, h("div.notice.good", {}, h("p", {}, h("strong", {}, title), " is scored."), open));
  }

  /**
   * Show the names of one picture side by side.
   * @param {string} token
   * @param {string} title
   */
  async compare(token, title) {
    const card = await createNamesCard(this.app, token, title, () => fill(this.finished));
    fill(this.finished, card);
    card.scrollIntoView({ block: "nearest" });
  }
}
