// The paged gallery of a class's patches, each on its picture, in the order asked for.

import { empty, fill, h, icon, number, plural, uid } from "./dom.js";
import { ICONS } from "./icons.js";

const ORDERS = { rank: "rank", score: "score", margin: "margin", group: "group", name: "name" };
export const GROUP_COLOURS = ["#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#c9a227", "#ff9da7", "#9c755f", "#8e8e99"];

/** The colour of a group; behind the palette's end they repeat. */
export function groupColour(group) {
  return GROUP_COLOURS[group % GROUP_COLOURS.length];
}

/**
 * A gallery. `filter()` answers further parts of its question, such as a polygon; `title()` its heading.
 * Answers its element, and what asks and shows it anew.
 */
export function createGallery(app, { filter = () => ({}), title = "Patches", rows = 60 } = {}) {
  const own = { sort: "rank", backwards: false, page: 0, group: -1 };
  let asked = "";
  const heading = h("h2", {}, title);
  const count = h("span.count", { "aria-live": "polite" });
  const grid = h("div.cells", { role: "list", "aria-label": title });
  const pager = makePager((page) => refresh({ page }));
  const order = makeOrder((change) => refresh({ page: 0, ...change }));
  const groups = h("select", { "aria-label": "Group", onchange: () => refresh({ group: Number(groups.value), page: 0 }) });
  const gone = makeSkipped(app);
  const element = h("section.gallery", { "aria-label": title }, h("div.bar-line", {}, heading, count, h("span.grow"), groups, order.element), grid, h("div.bar-line.foot", {}, pager.element, h("span.grow"), gone.element));
  return { element, show, refresh, own };

  function refresh(change) {
    Object.assign(own, change);
    return show();
  }

  async function show() {
    const { class_name: name, run } = app.store.state;
    if (asked !== `${run} ${name}`) Object.assign(own, { page: 0, group: -1 });
    asked = `${run} ${name}`;
    const answer = await app.latest(`gallery ${title}`, () => app.ask("gallery", { ...own, rows, ...filter() }));
    if (!answer) return null;
    own.page = answer.page;
    count.textContent = plural(answer.total, "patch", "patches");
    pager.show(answer);
    order.show(own);
    showGroups(answer.counts);
    gone.show(app.class());
    showCells(answer);
    return answer;
  }

  function showGroups(counts) {
    const options = [h("option", { value: -1 }, `all ${plural(counts.length, "group")}`), counts.map((size, n) => h("option", { value: n }, `group ${n + 1} (${size})`))];
    fill(groups, options);
    groups.value = own.group < counts.length ? own.group : -1;
    if (own.group >= counts.length) own.group = -1;
  }

  function showCells({ rows: shown }) {
    if (!shown.length) {
      fill(grid, empty("No patches here", "No scored image of this class is in this selection."));
      return;
    }
    grid.querySelector(".empty")?.remove();
    // Cells are kept and changed: a slider's move repaints boxes, not pictures.
    while (grid.children.length > shown.length) grid.lastChild.remove();
    while (grid.children.length < shown.length) grid.append(makeCell(app));
    const { select, image_id: chosen } = app.store.state;
    shown.forEach((row, n) => grid.children[n].show(row, row.id === chosen, select));
  }
}

/** Mark the chosen image among the cells of a place, without asking. */
export function markChosen(place, imageId) {
  for (const cell of place.querySelectorAll(".cell")) cell.setAttribute("aria-current", String(cell.dataset.id === imageId));
}

function makeCell(app) {
  const picture = h("img", { alt: "", draggable: false });
  const box = h("span.box");
  const shot = h("span.shot", {}, picture, box);
  const caption = h("span.caption");
  const badge = h("span.badge");
  const cell = h("button.cell", { type: "button", onclick: () => app.store.go({ image_id: cell.dataset.id }) }, h("span.frame", {}, shot, badge), caption);
  const item = h("div.item", { role: "listitem" }, cell);
  item.show = (row, chosen, select) => {
    showShot(app, { shot, picture, box }, row);
    cell.style.setProperty("--group", groupColour(row.group));
    const kept = row.images.length > 0;
    badge.textContent = [select.pins.includes(row.id) ? "pinned" : "", kept ? `kept ${row.images[0] + 1}` : ""].filter(Boolean).join(" · ");
    cell.classList.toggle("kept", kept);
    fill(caption, h("span.rank", {}, `${row.rank + 1}`), h("span.dot", { title: `group ${row.group + 1}` }), h("span", {}, number(row.score)));
    cell.title = row.id;
    cell.setAttribute("aria-label", `${row.id}, rank ${row.rank + 1}, score ${number(row.score)}, group ${row.group + 1}${kept ? `, kept as image ${row.images[0] + 1}` : ""}`);
    cell.setAttribute("aria-current", String(chosen));
    cell.dataset.id = row.id;
  };
  return item;
}

/** Show a row's picture, whole in its square frame, and its box on it. */
export function showShot(app, { shot, picture, box }, { id, box: [x, y, w, hh], size: [width, height] }) {
  const most = Math.max(width, height);
  shot.style.setProperty("--w", width / most);
  shot.style.setProperty("--h", height / most);
  Object.assign(box.style, { left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`, width: `${(100 * w) / width}%`, height: `${(100 * hh) / height}%` });
  const { run, class_name: name } = app.store.state;
  const key = JSON.stringify([run, name, id]);
  if (picture.dataset.key === key) return;
  picture.dataset.key = key;
  app.pictures.url("thumbnail", run, name, id).then(
    (url) => picture.dataset.key === key && (picture.src = url),
    () => picture.removeAttribute("src"),
  );
}

function makeOrder(change) {
  const id = uid("order");
  const select = h("select", { id, onchange: () => change({ sort: select.value }) }, Object.entries(ORDERS).map(([value, text]) => h("option", { value }, `by ${text}`)));
  const turn = h("button.tool", { type: "button", onclick: () => change({ backwards: turn.getAttribute("aria-pressed") !== "true" }), title: "Turn the order round", "aria-label": "Turn the order round" }, "⇅");
  select.setAttribute("aria-label", "Order");
  return {
    element: h("span.pair", {}, select, turn),
    show({ sort, backwards }) {
      select.value = sort;
      turn.setAttribute("aria-pressed", String(backwards));
    },
  };
}

function makePager(go) {
  let page = 0;
  const step = (by, path, text) => h("button.tool", { type: "button", title: text, "aria-label": text, onclick: () => go(page + by) }, icon(path));
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

/** A button that says how many images were skipped, and a dialog that says why. */
function makeSkipped(app) {
  const element = h("button.link", { type: "button", onclick: open });
  return {
    element,
    show({ skipped }) {
      element.hidden = !skipped;
      element.textContent = `${plural(skipped, "image")} skipped`;
    },
  };

  async function open() {
    const rows = [];
    for (let page = 0, pages = 1; page < pages && page < 10; page += 1) {
      const answer = await app.ask("skipped", { page });
      rows.push(...answer.rows);
      pages = answer.pages;
    }
    const body = rows.map((row) => h("tr", {}, h("td", {}, row.image_id), h("td", {}, row.reason)));
    app.dialog(`Skipped images of ${app.class().name}`, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Image"), h("th", { scope: "col" }, "Reason"))), h("tbody", {}, body)));
  }
}
