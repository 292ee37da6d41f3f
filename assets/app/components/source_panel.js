// Where a patch of the distilled set comes from: its source image, box, score and cluster, and why it was chosen.

import { empty, fill, h, icon, iconButton } from "../lib/dom.js";
import { boxOf, fitSquare, placeBox, placeCut, proxySize, sameBox } from "../lib/geometry.js";
import { ICONS } from "../lib/icons.js";
import { showImage } from "../lib/images.js";
import { movedTo, resetBoxes, toggleBan, togglePin } from "../lib/overrides.js";
import { withUnit } from "../lib/quantities.js";
import { MARGIN_HELP, scoreHelp } from "../lib/settings_text.js";
import { openReplacements } from "./replace_dialog.js";

/** @typedef {{ frame: Frame, explanation: Explanation }} Explained */

export class SourcePanel {
  /**
   * @param {App} app
   * @param {() => void} close
   */
  constructor(app, close) {
    this.app = app;
    const { store } = app;
    const id = () => store.state.image_id;
    this.name = h("h2.id", {});
    this.source = createSource(app);
    this.sentence = h("p.sentence", {});
    this.facts = h("dl.figures", {});
    this.pin = button(() => togglePin(store, id()));
    this.ban = button(() => toggleBan(store, id()));
    this.replace = button(() => openReplacements(app), ICONS.swap, "Replace…");
    this.reset = button(() => resetBoxes(store, [id()]), ICONS.reset, "Reset the box");
    const inspect = button(() => this.openInspect(), ICONS.right, "Open in Inspect");
    const acts = h("div.acts", {}, this.pin, this.ban, this.replace, this.reset, inspect);
    this.body = h("div.panel-body", {}, this.source.element, this.sentence, acts, this.facts);
    this.hint = empty("No patch chosen", "Click a tile to see the image that it comes from.");
    const shut = iconButton(ICONS.close, "Close (Escape)", close);
    shut.setAttribute("aria-label", "Close");
    const head = h("div.bar-line", {}, this.name, h("span.grow"), shut);
    this.element = h("aside.source", { "aria-label": "Source of the patch" }, head, this.hint, this.body);
  }

  openInspect() {
    this.element.closest("dialog")?.close();
    this.app.store.go({ tab: "inspect" });
  }

  /** @param {number} nth which of the image's patches, by rank */
  async show(nth) {
    const { app } = this;
    const { image_id: id, select } = app.store.state;
    this.hint.hidden = Boolean(id);
    this.body.hidden = !id;
    this.name.textContent = id || "Patch";
    this.name.title = id;
    if (!id) return;
    this.showActs(select, id);
    /** @type {Explained | undefined} */
    const result = await app
      .latest("explanation", () => app.ask("explanation", { nth }))
      .catch((error) => {
        this.sentence.textContent = error.message;
        return undefined;
      });
    if (!result || result.explanation.image_id !== app.store.state.image_id) return;
    this.source.show(result);
    this.sentence.textContent = result.explanation.sentence;
    const rows = factsOf(result, app.store.state).map(({ name, value, help }) => {
      return [h("dt", { title: help ?? "" }, help ? h("abbr", {}, name) : name), h("dd", { title: help ?? "" }, value)];
    });
    fill(this.facts, rows);
    this.replace.disabled = !result.explanation.patch;
  }

  /**
   * @param {SelectSettings} select
   * @param {string} id
   */
  showActs(select, id) {
    const [pinned, banned] = [select.pins.includes(id), select.bans.includes(id)];
    fill(this.pin, icon(ICONS.pin), pinned ? "Unpin" : "Pin");
    this.pin.title = pinned ? "Let the ranking decide again (P)" : "Keep this image's patch first in its class (P)";
    fill(this.ban, icon(ICONS.ban), banned ? "Allow again" : "Ban");
    this.ban.title = banned ? "Let this image be chosen again (B)" : "Never keep this image (B)";
    this.reset.hidden = !movedTo(select, id);
  }
}

/**
 * @param {() => unknown} onclick
 * @param {string | string[]} [paths]
 * @param {string} [text]
 */
function button(onclick, paths, text) {
  return h("button.button", { type: "button", onclick }, paths && icon(paths), text);
}

/** @param {App} app */
function createSource(app) {
  const image = h("img", { alt: "" });
  const box = h("span.box");
  const cut = h("span.cut-box");
  const shot = h("span.shot", {}, image, cut, box);
  return {
    element: h("div.frame", {}, shot),
    /** @param {Explained} result */
    show({ frame, explanation: { image_id: id, patch } }) {
      fitSquare(shot, proxySize(frame));
      box.hidden = !patch;
      if (patch) placeBox(box, patch.box, proxySize(frame));
      placeCut(cut, patch, proxySize(frame));
      image.alt = `${id}, as the prior saw it`;
      showImage(app, image, id, "proxy");
    },
  };
}

/**
 * @param {Explained} result
 * @param {View} view
 * @returns {{ name: string, value: string, help?: string }[]}
 */
function factsOf({ frame, explanation: { patch, placement } }, { class_name: className, select }) {
  const source = { name: "Source", value: `${frame.source_width} × ${frame.source_height} px` };
  if (!patch || !placement) return [{ name: "Class", value: className }, source];
  const numbers = patch.kept.map((one) => one + 1).join(", ");
  return [
    { name: "Class", value: className },
    {
      name: "In the set",
      value: numbers ? `image ${numbers} of ${select.ipc}` : patch.dropped ? "dropped" : "not kept",
    },
    { name: "Score", value: withUnit(patch.score, patch.standard_error), help: scoreHelp(select, "patch") },
    {
      name: "Picture score",
      value: withUnit(patch.picture_score, patch.picture_standard_error),
      help: scoreHelp(select, "picture"),
    },
    { name: "Margin", value: withUnit(patch.margin), help: MARGIN_HELP },
    { name: "Cluster", value: `${patch.cluster + 1} of ${placement.clusters}` },
    { name: "Rank in cluster", value: `${placement.rank_in_cluster + 1} of ${placement.cluster_size}` },
    { name: "Rank in class", value: `${patch.rank + 1} of ${placement.patches}` },
    { name: "Patch", value: boxText(patch.box) },
    { name: "In the source", value: boxText(boxOf(patch.source_box)) },
    { name: "Cut", value: sameBox(patch.box, patch.cut) ? "the patch" : boxText(patch.cut) },
    source,
  ];
}

/** @param {Box} box */
function boxText(box) {
  const [x, y, width, height] = box.map(Math.round);
  return `${width} × ${height} px at ${x}, ${y}`;
}
