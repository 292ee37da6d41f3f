// The paged gallery of a class's patches, each on its picture, in the order asked for.

import { empty, fill, h, icon, number, plural } from "../lib/dom.js";
import { ICONS } from "../lib/icons.js";
import { movedTo, toggleBan } from "../lib/overrides.js";

const ORDERS = { rank: "rank", score: "score", margin: "margin", cluster: "cluster", name: "name" };
export const CLUSTER_COLOURS = [
  "#4e79a7",
  "#f28e2b",
  "#59a14f",
  "#e15759",
  "#b07aa1",
  "#76b7b2",
  "#c9a227",
  "#ff9da7",
  "#9c755f",
  "#8e8e99",
];

/** The colour of a cluster; behind the palette's end they repeat. */
export function clusterColour(cluster) {
  return CLUSTER_COLOURS[cluster % CLUSTER_COLOURS.length];
}

/**
 * A gallery. `filter()` answers further parts of its question, such as a polygon; `title()` its heading.
 * Answers its element, what asks and shows it anew, and whether an image is on the page shown.
 */
export function createGallery(app, { filter = () => ({}), title = "Patches", rows = 60 } = {}) {
  const own = { sort: "rank", backwards: false, page: 0, cluster: -1 };
  let asked = "";
  let shownPage = 0;
  const heading = h("h2", {}, title);
  const count = h("span.count", { "aria-live": "polite" });
  const grid = h("div.cells", { role: "list", "aria-label": title, onkeydown: (event) => rove(event, grid) });
  const pager = makePager((page) => refresh({ page }));
  const order = makeOrder((change) => refresh({ page: 0, ...change }));
  const clusters = makeClusters((cluster) => refresh({ cluster, page: 0 }));
  const gone = [makeSkipped(app), makeBanned(app)];
  const foot = h(
    "div.bar-line.foot",
    {},
    pager.element,
    h("span.grow"),
    gone.map((one) => one.element),
  );
  const element = h(
    "section.gallery",
    { "aria-label": title },
    h("div.bar-line", {}, heading, count, h("span.grow"), clusters.element, order.element),
    grid,
    foot,
  );
  return { element, show, refresh, own, holds };

  function refresh(change) {
    Object.assign(own, change);
    return app.attempt(() => show());
  }

  function holds(id) {
    return [...grid.querySelectorAll(".cell")].some((cell) => cell.dataset.id === id);
  }

  async function show(more = {}) {
    const { class_name: name, run } = app.store.state;
    const place = `${run} ${name}`;
    if (asked !== place) Object.assign(own, { page: 0, cluster: -1 });
    const turned = asked !== place || more.holding || own.page !== shownPage;
    asked = place;
    const answer = await app.latest(`gallery ${title}`, () =>
      app.ask("gallery", { ...own, rows, ...more, ...filter() }),
    );
    const now = app.store.state;
    if (!answer || place !== `${now.run} ${now.class_name}`) return null;
    if (own.cluster >= answer.counts.length) return refresh({ cluster: -1, page: 0 });
    own.page = shownPage = answer.page;
    count.textContent = plural(answer.total, "patch", "patches");
    pager.show(answer);
    order.show(own);
    clusters.show(answer.counts, own.cluster);
    for (const one of gone) one.show(answer);
    showCells(answer);
    if (turned) {
      grid.scrollTop = 0;
      intoView(grid);
    }
    return answer;
  }

  function showCells({ rows: shown }) {
    if (!shown.length) {
      const { scored } = app.class();
      const why = scored ? "No patch of this class is in this selection." : "None of this class's images was scored.";
      fill(grid, empty("No patches here", why));
      return;
    }
    grid.querySelector(".empty")?.remove();
    // Cells are kept and changed: a slider's move repaints boxes, not pictures.
    while (grid.children.length > shown.length) grid.lastChild.remove();
    while (grid.children.length < shown.length) grid.append(makeCell(app));
    const { select, image_id: chosen } = app.store.state;
    shown.forEach((row, n) => grid.children[n].show(row, row.id === chosen, select));
    oneStop(grid);
  }
}

/** Of all cells, Tab stops at one: the chosen one, or that which had the focus, or the first. */
function oneStop(grid) {
  const cells = [...grid.querySelectorAll(".cell")];
  const stop =
    cells.find((cell) => cell === document.activeElement) ??
    cells.find((cell) => cell.getAttribute("aria-current") === "true") ??
    cells[0];
  for (const cell of cells) cell.tabIndex = cell === stop ? 0 : -1;
}

/** Arrow keys move the focus from cell to cell, as they lie. */
function rove(event, grid) {
  const cells = [...grid.querySelectorAll(".cell")];
  const at = cells.indexOf(document.activeElement);
  if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
  const top = cells[0].offsetTop;
  const across = Math.max(
    1,
    cells.findIndex((cell) => cell.offsetTop > top + 1),
  );
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -across,
    ArrowDown: across,
    Home: -at,
    End: cells.length - 1 - at,
  };
  if (!(event.key in steps)) return;
  event.preventDefault();
  event.stopPropagation();
  const next = cells[at + steps[event.key]];
  if (!next) return;
  for (const cell of cells) cell.tabIndex = cell === next ? 0 : -1;
  next.focus();
}

/** Scroll a grid that scrolls by itself so that its chosen cell is seen; the page stays where it is. */
function intoView(grid) {
  const cell = grid.querySelector('.cell[aria-current="true"]');
  if (!cell || grid.scrollHeight <= grid.clientHeight + 1) return;
  const [frame, own] = [grid.getBoundingClientRect(), cell.getBoundingClientRect()];
  if (own.top < frame.top) grid.scrollTop += own.top - frame.top - 8;
  else if (own.bottom > frame.bottom) grid.scrollTop += own.bottom - frame.bottom + 8;
}

/** Mark the chosen image among the cells of a place, without asking. */
export function markChosen(place, imageId) {
  for (const cell of place.querySelectorAll(".cell"))
    cell.setAttribute("aria-current", String(cell.dataset.id === imageId));
  for (const grid of place.querySelectorAll(".cells")) {
    if (!grid.contains(document.activeElement)) oneStop(grid);
    intoView(grid);
  }
}

function makeCell(app) {
  const picture = h("img", { alt: "", draggable: false });
  const box = h("span.box");
  const shot = h("span.shot", {}, picture, box);
  const caption = h("span.caption");
  const badge = h("span.badge");
  const hand = h("span.badge.hand");
  const cell = h("button.cell", { type: "button", onclick: pick }, h("span.frame", {}, shot, hand, badge), caption);
  const item = h("div.item", { role: "listitem" }, cell);
  let now = null;
  item.show = (row, chosen, select) => {
    now = row;
    showShot(app, { shot, picture, box }, row);
    cell.style.setProperty("--cluster", clusterColour(row.cluster));
    const kept = row.images.length > 0;
    const moved = movedTo(select, row.id);
    const byHand = select.pins.includes(row.id)
      ? "pinned"
      : moved && moved.x === row.box[0] && moved.y === row.box[1]
        ? "moved"
        : "";
    hand.textContent = byHand;
    badge.textContent = kept ? `kept ${row.images[0] + 1}` : "";
    cell.classList.toggle("kept", kept);
    fill(
      caption,
      h("span.rank", {}, `${row.rank + 1}`),
      h("span.dot", { title: `cluster ${row.cluster + 1}` }),
      h("span", {}, number(row.score)),
    );
    cell.title = row.id;
    cell.setAttribute(
      "aria-label",
      `${row.id}, rank ${row.rank + 1}, score ${number(row.score)}, cluster ${row.cluster + 1}${kept ? `, kept as image ${row.images[0] + 1}` : ""}${byHand && `, ${byHand}`}`,
    );
    cell.setAttribute("aria-current", String(chosen));
    cell.dataset.id = row.id;
  };
  return item;

  /** An image may have several patches: who shows it is told which one was meant. */
  function pick() {
    const [x, y] = now.box;
    cell.dispatchEvent(new CustomEvent("patch", { bubbles: true, detail: { x, y } }));
    app.store.go({ image_id: now.id });
  }
}

/** Show a row's picture, whole in its square frame, and its box on it. */
export function showShot(app, { shot, picture, box }, { id, box: [x, y, w, hh], size: [width, height] }) {
  const most = Math.max(width, height);
  shot.style.setProperty("--w", width / most);
  shot.style.setProperty("--h", height / most);
  Object.assign(box.style, {
    left: `${(100 * x) / width}%`,
    top: `${(100 * y) / height}%`,
    width: `${(100 * w) / width}%`,
    height: `${(100 * hh) / height}%`,
  });
  const { run, class_name: name } = app.store.state;
  const key = JSON.stringify([run, name, id]);
  if (picture.dataset.key === key) return;
  picture.dataset.key = key;
  app.pictures.url("thumbnail", run, name, id).then(
    (url) => picture.dataset.key === key && (picture.src = url),
    () => {
      picture.removeAttribute("src");
      delete picture.dataset.key; // the next time it is asked for again
    },
  );
}

function makeOrder(change) {
  const select = h(
    "select",
    { "aria-label": "Order", onchange: () => change({ sort: select.value }) },
    Object.entries(ORDERS).map(([value, text]) => h("option", { value }, `by ${text}`)),
  );
  const turn = h(
    "button.tool",
    {
      type: "button",
      onclick: () => change({ backwards: turn.getAttribute("aria-pressed") !== "true" }),
      title: "Turn the order round",
      "aria-label": "Turn the order round",
    },
    "⇅",
  );
  return {
    element: h("span.pair", {}, select, turn),
    show({ sort, backwards }) {
      select.value = sort;
      turn.setAttribute("aria-pressed", String(backwards));
    },
  };
}

function makeClusters(change) {
  const element = h("select", { "aria-label": "Cluster", hidden: true, onchange: () => change(Number(element.value)) });
  let shown = "";
  return {
    element,
    show(counts, cluster) {
      element.hidden = !counts.length;
      // An open list that is filled anew would close.
      if (shown !== String(counts)) {
        shown = String(counts);
        fill(
          element,
          h("option", { value: -1 }, `all ${plural(counts.length, "cluster")}`),
          counts.map((size, n) => h("option", { value: n }, `cluster ${n + 1} (${size})`)),
        );
      }
      element.value = cluster;
    },
  };
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

/** A button that says how many images were skipped, and a dialog that says why. */
function makeSkipped(app) {
  const element = h("button.link", { type: "button", onclick: () => app.attempt(open) });
  return {
    element,
    show() {
      const { skipped } = app.class();
      element.hidden = !skipped;
      element.textContent = `${skipped.toLocaleString("en")} skipped`;
      element.title = "Images that were not scored, and why";
    },
  };

  async function open() {
    const rows = [];
    let total = 0;
    for (let page = 0, pages = 1; page < pages && page < 10; page += 1) {
      const answer = await app.ask("skipped", { page });
      rows.push(...answer.rows);
      ({ pages, total } = answer);
    }
    const body = rows.map((row) => h("tr", {}, h("td", {}, row.image_id), h("td", {}, row.reason)));
    const more =
      total > rows.length &&
      h(
        "p.hint",
        {},
        `These are the first ${rows.length.toLocaleString("en")} of ${total.toLocaleString("en")}; images.parquet in the run lists them all.`,
      );
    app.dialog(
      `Skipped images of ${app.class().name}`,
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Image"), h("th", { scope: "col" }, "Reason"))),
        h("tbody", {}, body),
      ),
      more,
    );
  }
}

/** A button that says how many images are banned by hand, and a dialog to look at them and allow them. */
function makeBanned(app) {
  let banned = [];
  const element = h("button.link", { type: "button", onclick: open });
  return {
    element,
    show(answer) {
      banned = answer.banned ?? [];
      element.hidden = !banned.length;
      element.textContent = `${banned.length.toLocaleString("en")} banned`;
    },
  };

  function open() {
    const body = banned.map((id) => {
      const look = () => act(() => app.store.go({ image_id: id }));
      const allow = () => act(() => toggleBan(app.store, id));
      return h(
        "tr",
        {},
        h("td", {}, id),
        h(
          "td.figure",
          {},
          h("button.link", { type: "button", onclick: look, "aria-label": `Look at ${id}` }, "Look"),
          " ",
          h("button.link", { type: "button", onclick: allow, "aria-label": `Allow ${id} again` }, "Allow again"),
        ),
      );
    });
    const box = app.dialog(`Banned images of ${app.class().name}`, h("table", {}, h("tbody", {}, body)));
    const act = (does) => {
      box.close();
      does();
    };
  }
}
