// Inspect: the class's patches on the left, and the explanation of the chosen image beside them.

import { Gallery, markCurrent } from "../components/gallery.js";
import { ImageDetail } from "../components/image_detail.js";
import { fill, h, stylesheet } from "../lib/dom.js";
import { plural } from "../lib/format.js";
import { whenIdle } from "../lib/idle.js";
import { resetBoxes } from "../lib/overrides.js";

stylesheet(new URL("../components/heat_map.css", import.meta.url));
stylesheet(new URL("../components/timestep_strip.css", import.meta.url));
// The last one: it arranges the parts by the width of the page.
stylesheet(new URL("./inspect.css", import.meta.url));

const GALLERY_CHANGES = ["run", "class_name", "select"];
const IDLE_MS = 1000;

/** @type {Tab} */
export const tab = { mount: (root, app) => new InspectTab(root, app) };

class InspectTab {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    this.gallery = new Gallery(app, { filter: () => selectedOnly(app) });
    this.detail = new ImageDetail(app, { step: (by) => this.step(by) });
    this.notice = h("div.misplaced", { hidden: true, role: "alert" });
    this.following = false;
    /** @type {import("../lib/selection.js").Groups | null} */
    this.listed = null;
    this.isStale = false;
    this.shownClass = "";
    this.followSelection();
    app.selection.subscribe(() => this.followSelection());
    /** @type {Promise<unknown>} the actions that were asked for so far */
    this.actions = Promise.resolve();
    this.waiting = 0;
    this.gallery.element.addEventListener("patch", (event) => this.detail.want(/** @type {any} */ (event).detail));
    fill(root, h("div.inspect", {}, this.gallery.element, h("div.explanation", {}, this.notice, this.detail.element)));
    /** @type {Record<string, (event: KeyboardEvent) => void>} */
    this.keys = {
      ArrowLeft: (event) => this.stepByKey(-1, event),
      ArrowRight: (event) => this.stepByKey(1, event),
      k: (event) => this.stepByKey(-1, event),
      j: (event) => this.stepByKey(1, event),
      p: () => this.enqueue(() => this.detail.pin()),
      b: () => this.enqueue(() => this.detail.ban()),
    };
  }

  /** @param {Change} change */
  async show(change) {
    const { keys, store } = this.app;
    for (const [key, action] of Object.entries(this.keys)) keys.set(key, action);
    const changed = this.isStale || GALLERY_CHANGES.some((key) => change.has(key));
    this.isStale = false;
    if (!changed && !change.has("image_id")) return;
    markCurrent(this.gallery.element, store.state.image_id);
    const holding = this.following ? store.state.image_id : "";
    this.following = false;
    const isElsewhere = holding && !this.gallery.contains(holding);
    const gallery = changed || isElsewhere ? this.gallery.show({ holding }) : null;
    try {
      await Promise.all([gallery, this.detail.show(change)]);
      this.notice.hidden = true;
      this.prepareNext();
    } catch (error) {
      if (!(await this.offerReset())) throw error;
    }
  }

  /** Have the class after this one ready, in the direction that the visitor goes. */
  prepareNext() {
    const { start, store, ask } = this.app;
    const names = start.classes.map((one) => one.name);
    const [from, to] = [names.indexOf(this.shownClass), names.indexOf(store.state.class_name)];
    this.shownClass = store.state.class_name;
    const next = names[2 * to - from];
    if (from < 0 || Math.abs(to - from) !== 1 || !next) return;
    const view = store.query({ ...store.state, class_name: next, image_id: "" });
    whenIdle(() => ask("prepare", {}, { view }).catch(() => {}), IDLE_MS);
  }

  /** List the selected images alone, or all again. */
  followSelection() {
    const { selection, store, attempt } = this.app;
    const listed = selection.inGallery ? selection.groups : null;
    if (listed === this.listed) return;
    this.listed = listed;
    this.gallery.heading.textContent = listed ? "Selected patches" : "Patches";
    this.gallery.listing.page = 0;
    if (store.state.tab === "inspect") attempt(() => this.gallery.show());
    else this.isStale = true;
  }

  hide() {
    const { keys } = this.app;
    for (const [key, action] of Object.entries(this.keys)) if (keys.get(key) === action) keys.delete(key);
  }

  /**
   * Act once for each press; a key that is held moves on as fast as images can be shown.
   * @param {number} by
   * @param {KeyboardEvent} event
   */
  stepByKey(by, event) {
    if (!event.repeat || !this.waiting) this.step(by);
  }

  /**
   * Go to the previous or next image of the ranking; the gallery's page follows.
   * @param {number} by
   */
  step(by) {
    this.enqueue(() => {
      const { before, after } = this.detail.around();
      const next = by < 0 ? before : after;
      if (!next) return;
      this.following = true;
      this.app.store.go({ image_id: next });
    });
  }

  /**
   * Do something with the chosen image once it is shown, after what was asked for earlier.
   * @param {() => void} action
   */
  enqueue(action) {
    this.waiting += 1;
    const act = async () => {
      await this.detail.ready();
      action();
      // The page starts to show the change a few microtasks later.
      await new Promise((resolve) => setTimeout(resolve));
    };
    this.actions = this.actions.then(() => this.app.attempt(act)).finally(() => (this.waiting -= 1));
  }

  /** A moved box may reach beyond its image once patches are larger: explain that, and offer to reset it. */
  async offerReset() {
    const { store, ask } = this.app;
    if (!store.state.select.moves.length) return false;
    /** @type {string[]} */
    const ids = await ask("misplaced").catch(() => []);
    if (!ids.length) return false;
    const one = ids.length === 1;
    const subject = one
      ? `The moved box of ${ids[0]} reaches`
      : `${plural(ids.length, "moved box", "moved boxes")} reach`;
    const text = `${subject} beyond the image at this patch size. The page still shows the previous settings.`;
    const onclick = () => resetBoxes(store, ids);
    const label = one ? "Back to its best box" : "Back to their best boxes";
    const button = h("button.button", { type: "button", onclick }, label);
    fill(this.notice, h("div.notice", {}, h("p", {}, text), button));
    this.notice.hidden = false;
    return true;
  }
}

/**
 * Filter the gallery by the selection where it is asked for.
 * @param {App} app
 */
function selectedOnly({ selection, store }) {
  return selection.inGallery ? { ids: selection.of(store.state.class_name) } : {};
}
