// What a person decides against the ranking: pins, bans, swaps and moved boxes, each one step back.

import { empty, fill, h, plural } from "../lib/dom.js";
import { makeCrop } from "./patch_crop.js";

const DONE = { pin: "pinned", ban: "banned", move: "moved" };
const NAMES = { pin: "Pinned", ban: "Banned", move: "Box moved" };
let turn = 0;

/** Keep an image's patch first in its class, or leave it to the ranking again. */
export function turnPin(store, id) {
  const { pins, bans } = store.state.select;
  if (pins.includes(id)) decide(store, { pins: without(pins, id) });
  else decide(store, { pins: [...pins, id], bans: without(bans, id) });
}

/** Never keep an image, or let it be chosen again. */
export function turnBan(store, id) {
  const { pins, bans } = store.state.select;
  if (bans.includes(id)) decide(store, { bans: without(bans, id) });
  else decide(store, { pins: without(pins, id), bans: [...bans, id].sort() });
}

/** Ban one image and pin another, in the first one's place among the pins if it had one. */
export function swap(store, gone, kept) {
  const { pins, bans } = store.state.select;
  const next = pins.includes(gone) ? pins.map((id) => (id === gone ? kept : id)) : [...without(pins, kept), kept];
  decide(store, { pins: [...new Set(next)], bans: [...without(bans, kept), gone].sort() });
}

/** Take back what was decided of some kind about some images; `found` lists `{ kind, image_id }`. */
export function takeBack(store, found) {
  const { pins, bans, moves } = store.state.select;
  const of = (kind) => new Set(found.filter((one) => one.kind === kind).map((one) => one.image_id));
  const [pinned, banned, moved] = [of("pin"), of("ban"), of("move")];
  decide(store, {
    pins: pins.filter((id) => !pinned.has(id)),
    bans: bans.filter((id) => !banned.has(id)),
    moves: moves.filter((move) => !moved.has(movedImage(move))),
  });
}

/** Give an image its best box back. */
export function unmove(store, id) {
  takeBack(store, [{ kind: "move", image_id: id }]);
}

function movedImage(move) {
  return move.slice(0, move.lastIndexOf("@"));
}

function decide(store, values) {
  // A word of its own for each: decisions that follow quickly are steps of their own.
  turn += 1;
  store.select(values, `by hand ${turn}`);
}

function without(ids, id) {
  return ids.filter((one) => one !== id);
}

/** What was decided, in words; empty where nothing was. */
export function decidedWords({ pins, bans, moves }) {
  const parts = [
    [pins, "pinned"],
    [bans, "banned"],
    [moves, "moved"],
  ];
  return parts
    .filter(([ids]) => ids.length)
    .map(([ids, word]) => `${ids.length} ${word}`)
    .join(", ");
}

/** A dialog of all that was decided by hand, each with a button that takes it back. */
export async function reviewDecisions(app) {
  const list = h("ul.decisions", {});
  const all = h("button.button", { type: "button", onclick: () => removeAll() }, "Remove all");
  const said = h("p.soft", { role: "status" });
  app.dialog("Decided by hand", h("div.decided", {}, h("div.bar-line", {}, said, h("span.grow"), all), list));
  await refresh();

  async function refresh() {
    const found = await app.attempt(() => app.ask("by_hand"));
    if (!found) return;
    said.textContent = found.length
      ? `${plural(found.length, "decision")}, written to the link and to the export's manifest.`
      : "Nothing is decided by hand: the ranking holds.";
    all.disabled = !found.length;
    fill(
      list,
      found.length
        ? found.map((one) => makeItem(one))
        : h("li.alone", {}, empty("Nothing decided by hand", "Pin, ban or swap a patch of the set.")),
    );
  }

  async function removeAll() {
    decide(app.store, { pins: [], bans: [], moves: [] });
    await refresh();
  }

  function makeItem(one) {
    const crop = makeCrop(app);
    if (one.class_name && !one.problem) crop.showWhole(one.class_name, one.image_id);
    const remove = async () => {
      takeBack(app.store, [one]);
      await refresh();
      (list.querySelector("button") ?? all).focus();
    };
    return h(
      "li",
      {},
      crop.element,
      h(
        "div.what",
        {},
        h("span.kind", {}, NAMES[one.kind]),
        h("span.id", { title: one.image_id }, one.image_id),
        one.problem && h("span.problem", {}, one.problem),
      ),
      h(
        "button.button",
        { type: "button", onclick: remove, "aria-label": `Remove: ${one.image_id} ${DONE[one.kind]}` },
        "Remove",
      ),
    );
  }
}
