// Help: what the app is about, its keys, and a short tour on first use.

import { fill, h } from "../lib/dom.js";

const SEEN = "dsel-tour";
const GAP_PX = 12;
const AIR_PX = 6;

const ABOUT = [
  "A pretrained diffusion model, the prior, predicts the noise in each image twice: with the class named in the prompt, and without. Where naming the class lowers the loss, the image is discriminative: that gap is the heat map.",
  "dsel cuts the patch with the largest mean gap from each image, clusters the patches of a class by what they look like, ranks them, and keeps as many as IPC says: a small training set of real pixels.",
];

const KEYS = [
  ["←  →", "Image before, next image"],
  ["[  ]", "Class before, next class"],
  ["1 to 7", "Tabs, in their order"],
  ["P", "Pin the chosen image: its patch is kept first"],
  ["B", "Ban the chosen image: it is never kept"],
  ["Ctrl+Z", "Undo; with Shift, redo"],
  ["Esc", "Close, or let go of what is selected"],
  ["?", "This help"],
];

const WORDS = [
  ["Gap", "unconditional minus conditional loss: above 0 where naming the class helps"],
  ["Patch", "a square box of an image; its score is the mean gap inside, as a share of the loss"],
  ["Cluster", "one k-means cluster of a class's patches"],
  ["IPC", "images per class in the distilled set"],
  ["Timestep", "how much noise the prior saw: small is little, 999 is all"],
  ["Mosaic", "one distilled image made of several patches"],
];

const TOUR = [
  {
    at: ".gallery",
    title: "Every image, its patch",
    text: "Each picture of the class with the patch that was chosen on it, best first. Choose one to see why.",
  },
  {
    at: ".detail",
    title: "Why this patch",
    text: "The heat map says where naming the class helps the prior, the sentence says it in figures. Click anywhere on the map to read the values there.",
  },
  {
    at: ".side",
    title: "Move the sliders",
    text: "Timesteps, patch size, clusters, IPC: everything follows at once, from stored maps. A triangle marks each default.",
  },
  {
    at: ".tabs",
    title: "Look further",
    text: "Clusters shows what lies close together, Distilled set what is kept, Compare two settings side by side, Controls a random patch in place of the chosen one.",
  },
  {
    at: "#dsel-tab-export",
    title: "Keep it",
    text: "Export the whole set as a zip, or copy the command that makes the same files on another machine.",
  },
];

/** Add help to a page: the overlay, its key, and the tour where it was not seen. */
export function mountHelp(app) {
  app.help = () => openHelp(app);
  app.keys.set("?", app.help);
  if (!wasSeen() && innerWidth >= 720) waitFor(app.root, ".cell", () => startTour(app));
}

function openHelp(app) {
  if (app.root.querySelector("dialog.help")) return;
  const tour = h(
    "button.button",
    {
      type: "button",
      onclick: () => {
        box.close();
        startTour(app);
      },
    },
    "Show the tour again",
  );
  const box = app.dialog(
    "Help",
    ABOUT.map((text) => h("p.help-text", {}, text)),
    h("h3", {}, "Keys"),
    list(KEYS, (key) => key.split("  ").map((one) => h("kbd", {}, one))),
    h("h3", {}, "Words"),
    list(WORDS, (word) => word),
    h("p.help-text", {}, tour),
    h("p.soft", {}, `dsel ${app.start.version}`),
  );
  box.classList.add("help");
}

function list(pairs, show) {
  return h(
    "dl.help-list",
    {},
    pairs.map(([name, text]) => [h("dt", {}, show(name)), h("dd", {}, text)]),
  );
}

/** Lead through the page, a card beside each part; Escape or "Skip" ends it for good. */
function startTour(app) {
  app.root.querySelector(".tour")?.remove();
  app.store.go({ tab: "inspect" });
  let step = 0;
  const ring = h("div.tour-ring", { "aria-hidden": "true" });
  const card = h("div.tour-card", { role: "dialog", "aria-label": "Tour", tabIndex: -1 });
  const tour = h("div.tour", {}, ring, card);
  const place = () =>
    beside(
      [...app.root.querySelectorAll(TOUR[step].at)].find((one) => one.offsetParent),
      ring,
      card,
    );
  // The parts that it leads through come and grow while it is open.
  const follow = () => {
    if (!tour.isConnected) return;
    place();
    requestAnimationFrame(follow);
  };
  app.store.go({ tab: "inspect" });
  app.root.append(tour);
  card.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") end();
    else if (by) go(by);
    else return;
    event.stopPropagation();
    event.preventDefault();
  });
  show();
  follow();

  function go(by) {
    if (step + by >= TOUR.length) return end();
    step = Math.max(0, step + by);
    return show();
  }

  function show() {
    const { title, text } = TOUR[step];
    const last = step === TOUR.length - 1;
    const button = (words, onclick, kind = "button") => h(`button.${kind}`, { type: "button", onclick }, words);
    fill(
      card,
      h("h2", {}, title),
      h("p", {}, text),
      h(
        "div.bar-line",
        {},
        h("span.soft", {}, `${step + 1} of ${TOUR.length}`),
        h("span.grow"),
        !last && button("Skip", end, "quiet"),
        step > 0 && button("Back", () => go(-1)),
        button(last ? "Done" : "Next", () => go(1), "primary"),
      ),
    );
    card.focus();
  }

  function end() {
    tour.remove();
    remember();
    app.root.querySelector("#dsel-help")?.focus();
  }
}

/** Put the ring around a part of the page, and the card where there is room beside it. */
function beside(target, ring, card) {
  const at = target?.getBoundingClientRect() ?? new DOMRect(innerWidth / 2, innerHeight / 2, 0, 0);
  const [left, top] = [Math.max(at.left - AIR_PX, 2), Math.max(at.top - AIR_PX, 2)];
  const [right, bottom] = [Math.min(at.right + AIR_PX, innerWidth - 2), Math.min(at.bottom + AIR_PX, innerHeight - 2)];
  Object.assign(ring.style, {
    left: `${left}px`,
    top: `${top}px`,
    width: `${right - left}px`,
    height: `${bottom - top}px`,
  });
  const { offsetWidth: width, offsetHeight: height } = card;
  const clamp = (value, size, most) => Math.max(GAP_PX, Math.min(value, most - size - GAP_PX));
  let x = right + GAP_PX;
  if (x + width > innerWidth) x = left - width - GAP_PX;
  let y = top + GAP_PX;
  if (x < GAP_PX) {
    x = left + GAP_PX;
    y = bottom + GAP_PX + height < innerHeight ? bottom + GAP_PX : bottom - height - GAP_PX;
  }
  Object.assign(card.style, { left: `${clamp(x, width, innerWidth)}px`, top: `${clamp(y, height, innerHeight)}px` });
}

function waitFor(root, selector, then) {
  if (root.querySelector(selector)) return void setTimeout(then, 300);
  const watcher = new MutationObserver(() => {
    if (!root.querySelector(selector)) return;
    watcher.disconnect();
    setTimeout(then, 300);
  });
  watcher.observe(root, { childList: true, subtree: true });
  return undefined;
}

function wasSeen() {
  try {
    return localStorage.getItem(SEEN) === "seen";
  } catch {
    return true; // Without storage it could not be dismissed for good.
  }
}

function remember() {
  try {
    localStorage.setItem(SEEN, "seen");
  } catch {
    // Then it was not shown by itself, either.
  }
}
