// The chosen image: why its patch was chosen, its maps, its boxes, and decisions by hand.

import { empty, fill, h, icon, number, plural } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { moveBox, movedTo, toggleBan, togglePin, unmove } from "../lib/overrides.js";
import { alike, createBoxes } from "./best_boxes.js";
import { createReadout } from "./cell_values.js";
import { clusterColour } from "./gallery.js";
import { createPlate } from "./heat_map.js";
import { createLens } from "./heat_map_controls.js";
import { createStrip } from "./timestep_strip.js";

const REMEMBERED = 500;

/** The detail; `step(by)` goes to the image before or after. */
export function createDetail(app, { step }) {
  const { store } = app;
  const head = makeHead(app, { step, pin, ban, turn });
  const plate = createPlate(app, { read, move: (x, y) => moveBox(store, shown.answer.image_id, x, y) });
  const lens = createLens(app, () => app.attempt(() => paint()));
  const boxes = createBoxes({ choose, turn, back: () => unmove(store, [shown.answer.image_id]) });
  const readout = createReadout();
  const strip = createStrip(app);
  const large = h("div.large", {}, lens.views, plate.element, lens.element);
  const body = h("div.detail-body", {}, large, h("div.aside", {}, boxes.element, readout.element), strip.element);
  const nothing = h("div.nothing", { hidden: true });
  const element = h("section.detail", { "aria-label": "Chosen image", hidden: true }, head.element, body);
  const holder = h("div.detail-place", {}, element, nothing);
  const places = new Map();
  let shown = null;
  let nth = 0;
  let wanted = null;
  let pixel = null;
  let newest = 0;
  let settled = "";
  return { element: holder, show, pin, ban, around, want };

  /** The images before and after the shown one; a banned one keeps the place that it had. */
  function around() {
    if (!shown) return { before: "", after: "" };
    return (!shown.answer.explanation.patch && places.get(shown.answer.image_id)) || shown.answer.around;
  }

  /** Of the image that is chosen next, show the patch with this box. */
  function want(box) {
    wanted = box;
    if (!shown || shown.answer.image_id !== store.state.image_id) return;
    const other = shown.answer.boxes.findIndex((one) => alike(one, box));
    if (other >= 0) turn(other);
  }

  async function show(change) {
    const { run, class_name: name, image_id: id } = store.state;
    const only = change.size === 1 && change.has("image_id");
    if (only && id === settled) return;
    settled = "";
    if (["run", "class_name", "image_id"].some((key) => change.has(key))) nth = 0;
    // The picture is fetched while Python answers.
    if (id) app.pictures.url("proxy", run, name, id).catch(() => {});
    const found = await app.latest("image", ask);
    if (found) await take(found);
  }

  async function ask() {
    const { run, class_name: name, image_id: asked } = store.state;
    const box = wanted;
    wanted = null;
    const found = async () => ({ answer: await app.ask("image", { nth }), run, name, asked });
    const first = await found();
    const { boxes = [] } = first.answer;
    const other = box ? boxes.findIndex((one) => alike(one, box)) : Math.min(nth, boxes.length - 1);
    if (other < 0 || other === nth) return first;
    nth = other;
    return found();
  }

  async function take({ answer, run, name, asked }) {
    newest += 1;
    const turnOf = newest;
    if (!answer.image_id) return showNothing();
    const url = await app.pictures.url("proxy", run, name, answer.image_id).catch(() => "");
    if (url && shown?.url !== url) await loaded(url);
    if (turnOf !== newest || store.state.run !== run || store.state.class_name !== name) return;
    const other = shown?.answer.image_id !== answer.image_id || shown?.run !== run;
    shown = { answer, url, run };
    if (answer.explanation.patch) remember(answer);
    if (other) pixel = null;
    await paint();
    if (other) plate.mark(null);
    if (pixel) app.attempt(() => reading());
    else readout.show(null);
    for (const id of Object.values(answer.around).filter(Boolean))
      app.pictures.url("proxy", run, name, id).catch(() => {});
    if (answer.image_id === asked || store.state.image_id !== asked || store.state.class_name !== name) return;
    // From here on the page follows this image, also where settings make another one the best.
    settled = answer.image_id;
    store.go({ image_id: settled });
  }

  function remember({ image_id: id, around: now }) {
    places.delete(id);
    places.set(id, now);
    if (places.size > REMEMBERED) places.delete(places.keys().next().value);
  }

  function showNothing() {
    shown = null;
    element.hidden = true;
    nothing.hidden = false;
    const { scored, skipped } = app.class();
    const why = skipped
      ? `${plural(skipped, "image")} of this class were skipped; the list beside says why.`
      : "The dataset has no image of this class.";
    fill(nothing, empty(scored ? "No image is chosen" : "No scored images", why));
  }

  async function paint() {
    if (!shown) return;
    const { answer, url } = shown;
    const { select } = store.state;
    const ends = await lens.ends(answer);
    if (shown?.answer !== answer) return;
    element.hidden = false;
    nothing.hidden = true;
    const own = movedTo(select, answer.image_id);
    const { patch, place } = answer.explanation;
    const first = answer.boxes.length === 1 || place === 0 || Boolean(own && patch && alike(own, patch.box));
    plate.show({ answer, url, ends, movable: first, view: lens.own.view, opacity: lens.own.opacity });
    lens.legend(ends);
    head.show(answer, { select, nth, around: around() });
    boxes.show(answer, url, { own, movable: first });
    strip.show(answer);
  }

  function choose({ x, y }, n) {
    const { image_id: id } = shown.answer;
    return n === 0 ? unmove(store, [id]) : moveBox(store, id, x, y);
  }

  function turn(next) {
    nth = next;
    return app.attempt(() => show(new Set()));
  }

  function read(x, y) {
    pixel = { x, y };
    return app.attempt(() => reading());
  }

  async function reading() {
    const at = pixel;
    const answer = await app.latest("values", () => app.ask("values", at));
    if (!answer || at !== pixel) return;
    readout.show(answer);
    plate.mark(answer);
  }

  function pin() {
    if (shown) togglePin(store, shown.answer.image_id);
  }

  function ban() {
    if (shown) toggleBan(store, shown.answer.image_id);
  }
}

/** The image's name and place, what is decided by hand, the sentence, and the facts. */
function makeHead(app, { step, pin, ban, turn }) {
  const tool = (path, words, onclick) =>
    h("button.tool", { type: "button", title: words, "aria-label": words, onclick }, icon(path));
  const [before, after] = [
    tool(ICONS.left, "Image before (←)", () => step(-1)),
    tool(ICONS.right, "Next image (→)", () => step(1)),
  ];
  const title = h("h2", {});
  const pinned = h(
    "button.button",
    { type: "button", title: "Keep this image's patch before all others (p)", onclick: pin },
    icon(ICONS.pin),
    h("span", {}, "Pin"),
  );
  const banned = h(
    "button.button",
    { type: "button", title: "Never keep this image (b)", onclick: ban },
    icon(ICONS.ban),
    h("span", {}, "Ban"),
  );
  let at = 0;
  const [back, on] = [
    tool(ICONS.left, "Patch before", () => turn(at - 1)),
    tool(ICONS.right, "Next patch", () => turn(at + 1)),
  ];
  const turnWords = h("span", {});
  const turns = h("span.turns", {}, back, turnWords, on);
  const sentence = h("p.sentence", { "aria-live": "polite" });
  const facts = h("dl.facts", {});
  const element = h(
    "header.detail-head",
    {},
    h(
      "div.head-line",
      {},
      h("span.pair", {}, before, after),
      title,
      turns,
      h("span.grow"),
      h("span.pair.by-hand", {}, pinned, banned),
    ),
    sentence,
    facts,
  );
  return { element, show };

  function show(answer, { select, nth, around }) {
    const { image_id: id, explanation, boxes } = answer;
    title.textContent = title.title = id;
    before.disabled = !around.before;
    after.disabled = !around.after;
    press(pinned, select.pins.includes(id), "Pin", "Pinned");
    press(banned, select.bans.includes(id), "Ban", "Banned");
    showTurns(boxes.length, nth);
    if (sentence.textContent !== explanation.sentence) sentence.textContent = explanation.sentence;
    fill(
      facts,
      factsOf(answer).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    );
  }

  function showTurns(count, now) {
    at = now;
    turns.hidden = count < 2;
    turnWords.textContent = `patch ${now + 1} of ${count}`;
    back.disabled = now === 0;
    on.disabled = now + 1 >= count;
  }
}

async function loaded(url) {
  const probe = new Image();
  probe.src = url;
  await probe.decode().catch(() => {});
}

function press(button, on, plain, done) {
  button.setAttribute("aria-pressed", String(on));
  button.lastChild.textContent = on ? done : plain;
}

function factsOf({ explanation: { patch, placement }, frame }) {
  const source = `${frame.source_width} × ${frame.source_height} px`;
  if (!patch || !placement) return [["source", source]];
  const { x, y, width, height } = patch.source_box;
  const whole = (value) => Math.round(value).toLocaleString("en");
  const kept = placement.images.length ? `as image ${placement.images.map((one) => one + 1).join(", ")}` : "no";
  return [
    ["score", number(patch.score)],
    ["margin", number(patch.margin)],
    ["rank", `${(placement.rank + 1).toLocaleString("en")} of ${placement.patches.toLocaleString("en")}`],
    [
      "cluster",
      [h("span.dot", { style: { "--cluster": clusterColour(placement.cluster) } }), ` ${placement.cluster + 1}`],
    ],
    ["kept", kept],
    ["box in the source", `${whole(width)} × ${whole(height)} px at ${whole(x)}, ${whole(y)}`],
    ["source", source],
  ];
}
