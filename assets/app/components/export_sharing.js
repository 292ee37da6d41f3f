// The command and the link that give the same result, and what the zip file contains.

import { fill, h } from "../lib/dom.js";
import { createCode } from "./code_line.js";
import { filesOf } from "./export_formats.js";
import { createPush } from "./export_push.js";
import { createReport } from "./report_button.js";

const COMMAND_HINT = "It writes the same zip file, byte for byte.";
const LINK_HINT = "It contains all settings, the overrides, the class and the image.";

/**
 * Create the part; `showLink()` and `updateCommand()` keep it up to date, the first one the contents as well, and
 * `showLogin()` who is logged in to the Hub.
 * @param {App} app
 */
export function createSharing(app) {
  const command = createCode(app, "Command", "the command");
  const link = createCode(app, "Link to this view", "the link to this view");
  const hint = h("p.hint");
  const secret = h("p.hint", {}, "Anyone who has this link can open this run.");
  const tree = h("dl.zip-tree");
  const push = createPush(app);
  const parts = [
    card("The same on the command line", command.element, hint),
    card("Push to the Hugging Face Hub", push.element),
    card("A report to send", createReport(app)),
    card("A link to this view", link.element, h("p.hint", {}, LINK_HINT), secret),
    card("Contents of the zip file", tree),
  ];
  return {
    element: h("div.sharing", {}, parts),
    showLogin: push.show,
    showLink() {
      const files = filesOf(app.store.state.export.format);
      fill(
        tree,
        files.map(([name, text]) => [h("dt.code", {}, name), h("dd.soft", {}, text)]),
      );
      link.show([app.link()]);
      secret.hidden = !app.store.state.run;
    },
    async updateCommand() {
      /** @type {{ command: string, run: string, placeholder: boolean } | null | undefined} */
      const found = await app.latest("export commands", () => app.ask("export_commands")).catch(() => null);
      if (!found) return;
      command.show(found.command.split(/(?<= && )/));
      const run = `Replace ${found.run} by the folder of this run. `;
      hint.textContent = `${found.placeholder ? run : ""}${COMMAND_HINT}`;
    },
  };
}

/**
 * @param {string} title
 * @param {HTMLElement[]} children
 */
function card(title, ...children) {
  return h("section.card", { "aria-label": title }, h("h2", {}, title), children);
}
