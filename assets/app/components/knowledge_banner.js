// The line above the tabs that says where the prior does not know a class, or where that is unknown.

import { h } from "../lib/dom.js";
import { knowledgeText } from "../lib/knowledge.js";

/** Tabs that show scores of the class. */
const TABS = ["inspect", "clusters", "distilled", "compare"];

/**
 * Create the banner of the current run and class.
 * @param {App} app
 */
export function createKnowledgeBanner(app) {
  const element = h("p.knowledge", { hidden: true, role: "status" });
  return {
    element,
    show() {
      const text = TABS.includes(app.store.state.tab) ? knowledgeText(app.start.run, app.class()) : "";
      element.textContent = text;
      element.hidden = !text;
    },
  };
}
