// Where a cell of the distilled set comes from: its source image, box, score and cluster, and why.

import { empty, fill, h, icon, number } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { swap, turnBan, turnPin, unmove } from "./overrides_dialog.js";
import { makeCrop } from "./patch_crop.js";

const CANDIDATE_PX = 112;

/** The panel of the chosen image; `close()` is what its button does. */
export function createPanel(app, close) {
  const { store } = app;
  const name = h("h2.id", {});
  const shut = h(
    "button.tool",
    { type: "button", title: "Close (Escape)", "aria-label": "Close", onclick: close },
    icon(ICONS.close),
  );
  const source = makeSource(app);
  const sentence = h("p.why", {});
  const facts = h("dl.figures", {});
  const pin = button(ICONS.pin, () => turnPin(store, store.state.image_id));
  const ban = button(ICONS.ban, () => turnBan(store, store.state.image_id));
  const exchange = button(ICONS.swap, () => offer(app, store.state.image_id));
  const back = button(ICONS.reset, () => unmove(store, store.state.image_id));
  const inspect = button(ICONS.right, () => {
    element.closest("dialog")?.close();
    store.go({ tab: "inspect" });
  });
  const body = h(
    "div.panel-body",
    {},
    source.element,
    sentence,
    h("div.acts", {}, pin, ban, exchange, back, inspect),
    facts,
  );
  const hint = empty("No patch chosen", "Click a cell to see the image that it comes from.");
  const element = h(
    "aside.source",
    { "aria-label": "Where the patch comes from" },
    h("div.bar-line", {}, name, h("span.grow"), shut),
    hint,
    body,
  );
  fill(exchange, icon(ICONS.swap), "Swap…");
  fill(back, icon(ICONS.reset), "Best box again");
  fill(inspect, icon(ICONS.right), "Open in Inspect");
  return { element, show };

  async function show(nth) {
    const { image_id: id } = store.state;
    hint.hidden = Boolean(id);
    body.hidden = !id;
    name.textContent = id || "Patch";
    name.title = id;
    if (!id) return;
    showActs(store.state.select, id);
    const answer = await app
      .latest("why", () => app.ask("why", { nth }))
      .catch((error) => {
        sentence.textContent = error.message;
      });
    if (!answer || answer.explanation.image_id !== store.state.image_id) return;
    source.show(answer);
    sentence.textContent = answer.explanation.sentence;
    fill(
      facts,
      rowsOf(answer, store.state).map(([word, value]) => [h("dt", {}, word), h("dd", {}, value)]),
    );
    exchange.disabled = !answer.explanation.patch;
  }

  function showActs({ pins, bans, moves }, id) {
    const [pinned, banned] = [pins.includes(id), bans.includes(id)];
    fill(pin, icon(ICONS.pin), pinned ? "Unpin" : "Pin");
    pin.title = pinned ? "Leave it to the ranking again (P)" : "Keep this image's patch first in its class (P)";
    fill(ban, icon(ICONS.ban), banned ? "Allow again" : "Ban");
    ban.title = banned ? "Let this image be chosen again (B)" : "Never keep this image (B)";
    back.hidden = !moves.some((move) => move.startsWith(`${id}@`) && /^-?\d+,-?\d+$/.test(move.slice(id.length + 1)));
  }
}

function button(path, onclick) {
  return h("button.button", { type: "button", onclick }, icon(path));
}

function makeSource(app) {
  const picture = h("img", { alt: "" });
  const box = h("span.box");
  const shot = h("span.shot", {}, picture, box);
  const element = h("div.frame", {}, shot);
  return {
    element,
    show({ frame, explanation: { image_id: id, patch } }) {
      const { proxy_width: width, proxy_height: height } = frame;
      const most = Math.max(width, height);
      shot.style.setProperty("--w", width / most);
      shot.style.setProperty("--h", height / most);
      box.hidden = !patch;
      if (patch) place(box, patch.box, width, height);
      const { run, class_name: className } = app.store.state;
      const key = JSON.stringify([run, className, id]);
      if (picture.dataset.key === key) return;
      picture.dataset.key = key;
      picture.alt = `${id}, as the prior saw it`;
      app.pictures.url("proxy", run, className, id).then(
        (url) => picture.dataset.key === key && (picture.src = url),
        () => {},
      );
    },
  };
}

function place(box, at, width, height) {
  const shares = { left: at.x / width, top: at.y / height, width: at.width / width, height: at.height / height };
  for (const [name, share] of Object.entries(shares)) box.style[name] = `${100 * share}%`;
}

function rowsOf({ frame, explanation: { patch, placement } }, { class_name: className, select }) {
  const rows = [["Class", className]];
  if (placement) {
    const numbers = placement.images.map((n) => n + 1).join(", ");
    rows.push(["In the set", numbers ? `image ${numbers} of ${select.ipc}` : "not kept"]);
    rows.push(["Score", number(patch.score)], ["Margin", number(patch.margin)]);
    rows.push(["Cluster", `${placement.cluster + 1} of ${placement.clusters}`]);
    rows.push(["Rank in cluster", `${placement.rank_in_cluster + 1} of ${placement.cluster_size}`]);
    rows.push(["Rank in class", `${placement.rank + 1} of ${placement.patches}`]);
    rows.push(["Box", boxWords(patch.box)]);
    rows.push(["In the source", boxWords(patch.source_box)]);
  }
  rows.push(["Source", `${frame.source_width} × ${frame.source_height} px`]);
  return rows;
}

function boxWords({ x, y, width, height }) {
  return `${Math.round(width)} × ${Math.round(height)} px at ${Math.round(x)}, ${Math.round(y)}`;
}

/** Offer what could stand in an image's place: the one that is chosen is pinned, the other banned. */
export async function offer(app, id) {
  const className = app.store.state.class_name;
  const found = await app.attempt(() => app.ask("swap"));
  if (!found) return;
  const part = (title, pieces) =>
    pieces.length > 0 && [
      h("h3", {}, title),
      h(
        "div.offers",
        {},
        pieces.map((piece) => candidate(app, className, piece, () => choose(piece))),
      ),
    ];
  const none =
    !found.cluster.length &&
    !found.others.length &&
    empty("Nothing to swap with", "All images of this class are kept or banned.");
  const words = h(
    "p.soft",
    {},
    "The patch that you choose is pinned, so that it comes first in its class, and ",
    h("strong", {}, id),
    " is banned. Both are one step of undo.",
  );
  const box = app.dialog(
    "Swap a patch",
    words,
    part("Next best of its cluster", found.cluster),
    part("Next best of other clusters", found.others),
    none,
  );

  function choose(piece) {
    box.close();
    swap(app.store, id, piece.id);
    app.store.go({ image_id: piece.id });
  }
}

function candidate(app, className, piece, onclick) {
  const crop = makeCrop(app);
  crop.show(className, piece, CANDIDATE_PX);
  const words = `score ${number(piece.score)} · cluster ${piece.cluster + 1}`;
  return h(
    "button.offer",
    { type: "button", onclick, title: piece.id, "aria-label": `Take ${piece.id}, ${words}` },
    crop.element,
    h("span", {}, words),
  );
}
