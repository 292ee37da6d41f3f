// One sentence for a first visitor: what dsel is, and what the open tab shows. It can be closed for good.

import { h, iconButton, write } from "../lib/dom.js";
import { plural } from "../lib/format.js";
import { ICONS } from "../lib/icons.js";
import { recall, remember } from "../lib/storage.js";
import { isDemo, showExamples } from "./examples.js";

const KEY = "dsel-intro";

/** What dsel is, in half a sentence. */
export const WHAT = "dsel keeps the few images of a large dataset that show their class best to a diffusion model";

/** @type {Record<string, (view: View) => string>} */
const HERE = {
  inspect: ({ class_name: name }) => `here are the images of ${name}, best first, each with the patch that shows it`,
  map: () => "here are all images of the run as points, close where they look alike",
  find: () => "here you search all images of the run",
  clusters: ({ class_name: name }) => `here are the patches of ${name} as points, close where they look alike`,
  distilled: ({ select }) => `here they are, ${plural(select.ipc, "image")} per class`,
  compare: () => "here is what two settings choose differently",
  baselines: () => "here are their patches beside other ways to choose",
  evaluate: () => "here is how well new models learn from them",
  score: () => "here you score images of your own",
  export: () => "here you export them",
};

/**
 * Create the line; `show()` follows the view.
 * @param {App} app
 */
export function createIntro(app) {
  const { store } = app;
  const text = h("span", {});
  const close = iconButton(ICONS.close, "Close the introduction", () => {
    remember(KEY, "seen");
    element.hidden = true;
  });
  const examples = h("button.link", { type: "button", onclick: () => showExamples(app) }, "Things to try");
  const element = h("p.intro", { hidden: recall(KEY) === "seen" }, text, examples, close);
  return {
    element,
    show() {
      examples.hidden = !isDemo(app);
      write(text, `${WHAT}; ${HERE[store.state.tab]?.(store.state) ?? ""}.`);
    },
  };
}
