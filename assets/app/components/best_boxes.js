// The best boxes of the chosen image, with their scores and leads; a click chooses another one.

import { column, fill, h, number } from "../lib/dom.js";

/** The list; `choose(contender, n)` is told of a box to take, `turn(nth)` of a patch to show. */
export function createBoxes({ choose, turn, back }) {
  const rows = h("tbody", {});
  const head = h(
    "tr",
    {},
    ["", "Box", "Score", "Lead"].map((text, n) =>
      h(
        n > 1 ? "th.figure" : "th",
        {
          scope: "col",
          title: text === "Lead" ? "The margin: how far it is ahead of the next box that does not overlap it" : null,
        },
        text || h("span.sr", {}, "Choose"),
      ),
    ),
  );
  const moved = h(
    "p.moved",
    { hidden: true },
    h("span.badge-still", {}, "moved by hand"),
    h("button.link", { type: "button", onclick: back }, "Back to the best box"),
  );
  const none = h("p.hint", { hidden: true }, "No box: its maps hold what is no number.");
  const hint = h("p.hint", {});
  const element = h(
    "section.boxes.card",
    { "aria-label": "Best boxes" },
    h("h3", {}, "Best boxes"),
    h("table", {}, h("thead", {}, head), rows),
    none,
    hint,
    moved,
  );
  return { element, show };

  /** Paint `{ explanation, boxes, frame }` with the proxy's URL; `own` is the corner moved to, or null. */
  function show({ explanation, boxes, frame }, url, { own, movable }) {
    const focused = [...rows.querySelectorAll("button")].indexOf(document.activeElement);
    const at = explanation.patch?.box;
    const list = explanation.best.map((one, n) => ({ ...one, n }));
    const known = at && list.some((one) => alike(one.box, at));
    if (at && !known)
      list.unshift({ box: at, score: explanation.patch.score, margin: explanation.patch.margin, n: -1 });
    const texts = column(list.flatMap((one) => [one.score, one.margin]));
    fill(
      rows,
      list.map((one, n) =>
        makeRow(
          { ...one, texts: texts.slice(2 * n, 2 * n + 2) },
          { at, boxes, frame, url, banned: !explanation.patch, choose, turn },
        ),
      ),
    );
    rows.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
    none.hidden = list.length > 0;
    hint.hidden = !explanation.patch || list.length < 2 || Boolean(own && movable);
    hint.textContent = movable
      ? "Choose one, or drag the box on the picture."
      : "Only patch 1 can be dragged: the others take the best boxes that it leaves.";
    moved.hidden = !own;
  }
}

function makeRow({ box, score, n, texts }, { at, boxes, frame, url, banned, choose, turn }) {
  const chosen = Boolean(at) && alike(box, at);
  const other = boxes.findIndex((one) => alike(one, box));
  const words = chosen ? "shown" : other >= 0 ? `patch ${other + 1}` : banned ? "" : "choose";
  const name = n < 0 ? "by hand" : String(n + 1);
  const take = () => (other >= 0 ? turn(other) : choose(box, n));
  const label = `${other >= 0 ? "Show" : "Choose"} box ${name}, at ${box.x}, ${box.y} px, score ${number(score)}`;
  const button = h(
    "button.take",
    {
      type: "button",
      "aria-pressed": String(chosen),
      "aria-label": label,
      title: label,
      disabled: banned,
      onclick: () => chosen || take(),
    },
    thumb(box, frame, url),
  );
  return h(
    "tr",
    {
      "aria-selected": null,
      className: chosen ? "chosen" : "",
      onclick: (event) => event.target.closest("button") || banned || chosen || take(),
    },
    h("td", {}, button),
    h("td", {}, name, " ", h("span.soft", {}, words)),
    texts.map((text) => h("td.figure", {}, text)),
  );
}

/** The pixels of a box, cut from the proxy by CSS alone. */
function thumb({ x, y, width, height }, { proxy_width: across, proxy_height: down }, url) {
  const at = (start, length, whole) => (whole > length ? (100 * start) / (whole - length) : 0);
  const style = {
    "background-image": `url("${url}")`,
    "background-size": `${(100 * across) / width}% ${(100 * down) / height}%`,
    "background-position": `${at(x, width, across)}% ${at(y, height, down)}%`,
  };
  return h("span.thumb", { style });
}

/** Whether two boxes have one corner. */
export function alike(a, b) {
  return a.x === b.x && a.y === b.y;
}
