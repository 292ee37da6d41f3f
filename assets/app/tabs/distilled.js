// The distilled set: all its images at the present settings, where each comes from, how good it is.

import { createRows, neighbour, rove } from "../components/distilled_rows.js";
import { decidedWords, reviewDecisions, takeBack, turnBan, turnPin } from "../components/overrides_dialog.js";
import { createQuality } from "../components/quality.js";
import { createPanel } from "../components/source_panel.js";
import { fill, h, plural, stylesheet } from "../lib/dom.js";

stylesheet(new URL("./distilled.css", import.meta.url));

const NARROW = matchMedia("(max-width: 62rem)");
const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

export const tab = {
  mount(root, app) {
    return mountSet(root, app);
  },
};

function mountSet(root, app) {
  const { store } = app;
  const own = { all: true, nth: 0, open: false, from: null, box: null };
  const rows = createRows(app, { choose, failed, came: () => fill(problem) });
  const quality = createQuality(app, { figures: rows.figures, look: choose });
  const panel = createPanel(app, close);
  const problem = h("div.notices", { role: "status" });
  const head = makeHead(app, { whole, resize: rows.resize });
  const hand = h("p.hand", {});
  const main = h(
    "div.set-main",
    {},
    head.element,
    quality.strip,
    quality.warning,
    problem,
    hand,
    quality.table,
    rows.element,
  );
  const frame = h("div.set", {}, main, panel.element);
  fill(root, frame);
  rows.resize("M");
  root.addEventListener("keydown", (event) => pressed(event));
  if (store.state.image_id && !NARROW.matches) open();
  else hide();
  return { show };

  function show(change) {
    const asked = ["run", "select", "export"].some((key) => change.has(key));
    if (change.has("run")) rows.stale({ all: true });
    rows.show(own.all ? app.start.classes.map((one) => one.name) : [store.state.class_name]);
    head.show(own.all);
    showHand();
    rows.mark(store.state.class_name, store.state.image_id);
    if (change.has("image_id") && own.id !== store.state.image_id) own.nth = 0;
    const jobs = [own.open && panel.show(own.nth)];
    if (asked) {
      jobs.push(rows.stale());
      quality.refresh();
    }
    return Promise.all(jobs);
  }

  function whole(all) {
    own.all = all;
    show(new Set());
  }

  function choose(className, piece, cell) {
    Object.assign(own, { nth: piece.nth, id: piece.id, from: cell });
    const { class_name: before, image_id: id } = store.state;
    open();
    if (before === className && id === piece.id) panel.show(own.nth);
    else store.go({ class_name: className, image_id: piece.id });
  }

  function open() {
    own.open = true;
    if (NARROW.matches) {
      own.box = app.dialog("Patch", panel.element);
      own.box.addEventListener("close", closed);
    } else frame.append(panel.element);
    panel.element.hidden = false;
    frame.classList.toggle("opened", !NARROW.matches);
  }

  function close() {
    if (own.box) own.box.close();
    else closed();
  }

  function closed() {
    hide();
    own.from?.isConnected && own.from.focus();
  }

  function hide() {
    Object.assign(own, { open: false, box: null });
    panel.element.hidden = true;
    frame.append(panel.element);
    frame.classList.remove("opened");
  }

  function showHand() {
    const words = decidedWords(store.state.select);
    const review = h("button.link", { type: "button", onclick: () => reviewDecisions(app) }, "Review…");
    fill(hand, words ? [h("span", {}, `By hand: ${words}`), review] : h("span.soft", {}, "Nothing decided by hand."));
  }

  async function failed(error) {
    const found = await app.attempt(() => app.ask("by_hand"));
    const unfit = (found ?? []).filter((one) => one.problem);
    const drop = h(
      "button.button",
      { type: "button", onclick: () => takeBack(store, unfit) },
      `Drop ${plural(unfit.length, "decision")} that ${unfit.length === 1 ? "does" : "do"} not fit`,
    );
    fill(
      problem,
      h(
        "div.notice.bad",
        {},
        h("p", {}, h("strong", {}, "The set cannot be made with these settings: "), error.message),
        unfit.length > 0 && h("div.acts", {}, drop),
      ),
    );
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const cell = event.target.closest?.(".tile");
    const does = keyed(event.key, cell);
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  }

  function keyed(key, cell) {
    if (key === "Escape") return own.open && close;
    if (!cell) return null;
    if (ARROWS.includes(key)) return () => step(cell, key);
    if (key === "p") return () => turnPin(store, cell.piece.id);
    if (key === "b") return () => turnBan(store, cell.piece.id);
    return null;
  }

  function step(cell, key) {
    const next = neighbour(rows.cells(), cell, key);
    if (!next) return;
    rove(rows.element, next);
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
}

function makeHead(app, { whole, resize }) {
  const { store } = app;
  const count = h("span.count", {});
  const choice = (words, label, does) => {
    const buttons = words.map((word) => h("button", { type: "button", onclick: () => does(word, mark) }, word));
    const mark = (chosen) =>
      buttons.forEach((one) => one.setAttribute("aria-pressed", String(one.textContent === chosen)));
    return { element: h("div.segments", { role: "group", "aria-label": label }, buttons), mark };
  };
  const SCOPES = ["This class", "All classes"];
  const scope = choice(SCOPES, "Which classes", (word) => whole(word === SCOPES[1]));
  const size = choice(["S", "M", "L"], "Size of the cells", (word, mark) => {
    mark(word);
    resize(word);
  });
  size.mark("M");
  return {
    element: h(
      "div.bar-line.set-head",
      {},
      h("h2", {}, "Distilled set"),
      count,
      h("span.grow"),
      size.element,
      scope.element,
    ),
    show(all) {
      const { ipc, factor } = store.state.select;
      count.textContent = `${plural(app.start.classes.length, "class", "classes")}, IPC ${ipc}${factor > 1 ? `, ${factor} × ${factor} mosaics` : ""}`;
      scope.mark(SCOPES[Number(all)]);
    },
  };
}
