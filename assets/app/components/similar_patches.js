// The patches most similar to that of one image: in its class, and in all others.

import { fill, h, icon } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { imageQuery } from "../lib/links.js";
import { offerPicture } from "../lib/offers.js";
import { FoundImages } from "./found_images.js";

const ABOUT =
  "By the cosine of the features that the prior has inside the patches, after the mean of the run is removed: 1 is " +
  "the same direction. Features say what a patch looks like to the prior; they are the ones that clusters are made of.";

/** @typedef {import("./found_images.js").FoundImage} FoundImage */
/** @typedef {import("./found_images.js").Acts} Acts */
/** @typedef {{ own: FoundImage[], others: FoundImage[], image: FoundImage, ready: number, classes: number }} Similar */

export class SimilarPatches {
  /**
   * @param {App} app
   * @param {Acts} acts
   * @param {() => void} close
   */
  constructor(app, acts, close) {
    this.app = app;
    /** @type {import("../lib/offers.js").Offer | null} */
    this.found = null;
    this.title = h("h2", {});
    const back = h("button.button", { type: "button", onclick: close }, icon(ICONS.left), "Back to the filter");
    const ask = h("button.button", { type: "button", onclick: () => this.offer() }, "Score under both names");
    ask.title = "In the Score tab, on the same noise: its own class against the classes of similar patches";
    this.names = ask;
    this.image = new FoundImages(app, "The image", acts);
    this.own = new FoundImages(app, "In its class", acts);
    this.others = new FoundImages(app, "In other classes", acts);
    this.ownTitle = h("h3", {});
    const groups = [
      h("section.similar-group", {}, this.ownTitle, this.own.element),
      h("section.similar-group", {}, h("h3", {}, "In other classes"), this.others.element),
    ];
    this.element = h(
      "section.similar",
      { "aria-label": "Similar patches", hidden: true },
      h("div.bar-line", {}, this.title, h("span.grow"), ask, back),
      h("p.hint", {}, ABOUT),
      h("div.similar-parts", {}, h("div.similar-one", {}, this.image.element), h("div.similar-groups", {}, groups)),
    );
  }

  /**
   * @param {import("../lib/find.js").Find} find
   * @returns {Promise<Similar>}
   */
  ask({ like, like_class: name }) {
    const { ask, store } = this.app;
    return ask("similar", {}, { view: imageQuery(store.query(), name, like) });
  }

  /** Open the Score tab with the image, its class, and the classes that it may be of. */
  offer() {
    if (this.found) offerPicture(this.app.store, this.found);
  }

  /** @param {Similar} result */
  show({ image, own, others }) {
    const classes = [image.class_name, image.looks, ...others.map((one) => one.class_name)];
    const names = [...new Set(classes.filter(Boolean))].slice(0, 4);
    this.found = { class_name: image.class_name, id: image.id, names };
    this.names.textContent = `Score under ${names.length} names`;
    this.names.hidden = names.length < 2;
    fill(this.title, "Patches similar to ", h("span.id", {}, image.id));
    this.ownTitle.textContent = `In its class, ${image.class_name}`;
    this.image.show([image]);
    this.own.show(own);
    this.others.show(others);
  }

  mark() {
    for (const one of [this.image, this.own, this.others]) one.mark();
  }
}
