// The images of a class by how far the boxes of A and B lie apart, a page at a time.

import { empty, fill, h, icon, percent, plural } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { boxLegend, placeBoxes } from "./box_pair.js";

const KEEPING = {
  any: "all images",
  a: "kept in A only",
  b: "kept in B only",
  both: "kept in both",
  neither: "kept in neither",
};

/** The list; `refresh(change)` is called with what its widgets ask for. */
export function createChanges(app, refresh) {
  const count = h("span.count", { "aria-live": "polite" });
  const keeping = h(
    "select",
    { "aria-label": "Which images", onchange: () => refresh({ keeping: keeping.value, page: 0 }) },
    Object.entries(KEEPING).map(([value, text]) => h("option", { value }, text)),
  );
  const order = h(
    "select",
    { "aria-label": "Order", onchange: () => refresh({ backwards: order.value === "most", page: 0 }) },
    h("option", { value: "least" }, "least overlap first"),
    h("option", { value: "most" }, "most overlap first"),
  );
  const clear = h("button.link", { type: "button", onclick: () => refresh({ cluster_a: -1, cluster_b: -1, page: 0 }) });
  const grid = h("div.cells.changes", { role: "list", "aria-label": "Images by disagreement" });
  const pager = makePager((page) => refresh({ page }));
  const element = h(
    "section",
    { "aria-label": "Images by disagreement" },
    h("div.bar-line", {}, h("h2", {}, "Images by disagreement"), h("span.grow"), boxLegend()),
    h("div.bar-line", {}, keeping, order, count, clear),
    grid,
    h("div.bar-line.foot", {}, pager.element),
  );
  return { element, show, mark };

  function show(answer, own) {
    count.textContent = plural(answer.total, "image");
    keeping.value = own.keeping;
    order.value = own.backwards ? "most" : "least";
    clear.hidden = own.cluster_a < 0;
    clear.textContent = `cluster ${own.cluster_a + 1} of A in cluster ${own.cluster_b + 1} of B: show all`;
    pager.show(answer);
    if (!answer.rows.length) {
      fill(grid, empty("No images here", "No image of this class is in this selection."));
      return;
    }
    grid.querySelector(".empty")?.remove();
    while (grid.children.length > answer.rows.length) grid.lastChild.remove();
    while (grid.children.length < answer.rows.length) grid.append(makeCell(app));
    answer.rows.forEach((row, n) => grid.children[n].show(row));
  }

  function mark(id) {
    for (const cell of grid.querySelectorAll(".cell"))
      cell.setAttribute("aria-current", String(cell.dataset.id === id));
  }
}

function makeCell(app) {
  const picture = h("img", { alt: "", draggable: false });
  const shot = h("span.shot", {}, picture);
  const badge = h("span.badge");
  const share = h("span.rank");
  const ranks = h("span");
  const cell = h(
    "button.cell",
    { type: "button", onclick: () => app.store.go({ image_id: cell.dataset.id }) },
    h("span.frame", {}, shot, badge),
    h("span.caption", {}, share, h("span", {}, "overlap")),
    h("span.caption", {}, ranks),
  );
  const item = h("div.item", { role: "listitem" }, cell);
  item.show = (row) => {
    showPicture(app, shot, picture, row);
    placeBoxes(shot, row.a?.boxes ?? [], row.size, "a");
    placeBoxes(shot, row.b?.boxes ?? [], row.size, "b");
    const words = [keptWords(row), rankWords(row)];
    badge.textContent = words[0];
    share.textContent = percent(row.overlap, 2);
    ranks.textContent = words[1];
    cell.dataset.id = row.id;
    cell.title = row.id;
    cell.setAttribute(
      "aria-label",
      [row.id, `overlap ${percent(row.overlap, 2)}`, `rank ${words[1].replace("→", "to")}`, words[0]]
        .filter(Boolean)
        .join(", "),
    );
  };
  return item;
}

/** Show a row's picture, whole in its square frame. */
function showPicture(app, shot, picture, { id, size: [width, height] }) {
  const most = Math.max(width, height);
  shot.style.setProperty("--w", width / most);
  shot.style.setProperty("--h", height / most);
  const { run, class_name: name } = app.store.state;
  const key = JSON.stringify([run, name, id]);
  if (picture.dataset.key === key) return;
  picture.dataset.key = key;
  app.pictures.url("thumbnail", run, name, id).then(
    (url) => picture.dataset.key === key && (picture.src = url),
    () => {
      picture.removeAttribute("src");
      delete picture.dataset.key;
    },
  );
}

/** In which distilled sets an image is kept. */
export function keptWords({ a, b }) {
  if (a?.kept && b?.kept) return "kept in both";
  if (a?.kept) return "kept in A";
  return b?.kept ? "kept in B" : "";
}

/** An image's ranks, as they move. */
export function rankWords({ a, b }) {
  const rank = (side) => (side ? side.rank + 1 : "none");
  return `A ${rank(a)} → B ${rank(b)}`;
}

function makePager(go) {
  let page = 0;
  const step = (by, path, text) =>
    h("button.tool", { type: "button", title: text, "aria-label": text, onclick: () => go(page + by) }, icon(path));
  const [back, next] = [step(-1, ICONS.left, "Page before"), step(1, ICONS.right, "Next page")];
  const words = h("span", {});
  const element = h("span.pager", {}, back, words, next);
  return {
    element,
    show({ page: now, pages }) {
      page = now;
      words.textContent = `page ${now + 1} of ${pages}`;
      back.disabled = now === 0;
      next.disabled = now + 1 >= pages;
      element.hidden = pages < 2;
    },
  };
}
