// A short tour of the page, which starts by itself on the first visit.

import { fill, h } from "../lib/dom.js";
import { hasStorage, recall, remember } from "../lib/storage.js";

const KEY = "dsel-tour";
const GAP_PX = 12;
const RING_PX = 6;
const EDGE_PX = 2;
const DELAY_MS = 300;
const LEAST_WIDTH_PX = 720;

const STEPS = [
  {
    at: ".gallery",
    title: "Every image and its patch",
    text: "The images of the class with the patch that was chosen on each, best first. Choose one to see why.",
  },
  {
    at: ".detail",
    title: "Why this patch",
    text:
      "The heat map shows where naming the class helps the prior, and the sentence gives the figures. " +
      "Click anywhere on the map to read the values there.",
  },
  {
    at: ".side",
    title: "Move the sliders",
    text:
      "Timesteps, patch size, clusters, IPC: everything follows at once, from stored maps. " +
      "A triangle marks each default.",
  },
  {
    at: ".tabs",
    title: "More views",
    text:
      "Clusters shows which patches are similar, Distilled set what is kept, Compare two settings side by side, " +
      "Baselines other ways to choose, Evaluate whether the set trains better models than random images.",
  },
  {
    at: "#dsel-tab-export",
    title: "Export it",
    text: "Export the whole set as a zip file, or copy the command that writes the same files on another machine.",
  },
];

/**
 * Start the tour unless it was seen before. Without storage it could not be dismissed for good.
 * @param {App} app
 */
export function startTourOnce(app) {
  if (!hasStorage() || recall(KEY) === "seen" || innerWidth < LEAST_WIDTH_PX) return;
  // It begins in Inspect, and leads nobody there who is at work in another tab.
  whenPresent(app.root, ".cell", () => app.store.state.tab === "inspect" && startTour(app));
}

/**
 * Lead through the page with a card beside each part.
 * @param {App} app
 */
export function startTour(app) {
  app.root.querySelector(".tour")?.remove();
  app.store.go({ tab: "inspect" });
  new Tour(app).start();
}

class Tour {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.step = 0;
    this.ring = h("div.tour-ring", { "aria-hidden": "true" });
    this.card = h("div.tour-card", { role: "dialog", "aria-label": "Tour", tabIndex: -1 });
    this.element = h("div.tour", {}, this.ring, this.card);
    this.card.addEventListener("keydown", (event) => this.press(event));
  }

  start() {
    this.app.root.append(this.element);
    this.show();
    this.follow();
  }

  /** Follow the parts of the page, which appear and grow while the tour is open. */
  follow() {
    if (!this.element.isConnected) return;
    const found = [...this.app.root.querySelectorAll(STEPS[this.step].at)];
    const target = found.find((one) => /** @type {HTMLElement} */ (one).offsetParent);
    place(target, this.ring, this.card);
    requestAnimationFrame(() => this.follow());
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") this.end();
    else if (by) this.go(by);
    else return;
    event.stopPropagation();
    event.preventDefault();
  }

  /** @param {number} by */
  go(by) {
    if (this.step + by >= STEPS.length) {
      this.end();
      return;
    }
    this.step = Math.max(0, this.step + by);
    this.show();
  }

  show() {
    const { step } = this;
    const { title, text } = STEPS[step];
    const isLast = step === STEPS.length - 1;
    /**
     * @param {string} label
     * @param {() => void} onclick
     * @param {"button" | "quiet" | "primary"} kind
     */
    const button = (label, onclick, kind) => h(`button.${kind}`, { type: "button", onclick }, label);
    const buttons = [
      !isLast && button("Skip", () => this.end(), "quiet"),
      step > 0 && button("Back", () => this.go(-1), "button"),
      button(isLast ? "Done" : "Next", () => this.go(1), "primary"),
    ];
    const count = h("span.soft", {}, `${step + 1} of ${STEPS.length}`);
    fill(this.card, h("h2", {}, title), h("p", {}, text), h("div.bar-line", {}, count, h("span.grow"), buttons));
    this.card.focus();
  }

  end() {
    this.element.remove();
    remember(KEY, "seen");
    /** @type {HTMLElement | null} */ (this.app.root.querySelector("#dsel-help"))?.focus();
  }
}

/**
 * Put the ring around a part of the page, and the card beside it where there is room.
 * @param {Element | undefined} target
 * @param {HTMLElement} ring
 * @param {HTMLElement} card
 */
function place(target, ring, card) {
  const at = target?.getBoundingClientRect() ?? new DOMRect(innerWidth / 2, innerHeight / 2, 0, 0);
  const left = Math.max(at.left - RING_PX, EDGE_PX);
  const top = Math.max(at.top - RING_PX, EDGE_PX);
  const right = Math.min(at.right + RING_PX, innerWidth - EDGE_PX);
  const bottom = Math.min(at.bottom + RING_PX, innerHeight - EDGE_PX);
  put(ring, { left, top, width: right - left, height: bottom - top });
  const { offsetWidth: width, offsetHeight: height } = card;
  const beside = right + GAP_PX + width > innerWidth ? left - width - GAP_PX : right + GAP_PX;
  const below = bottom + GAP_PX;
  const x = beside < GAP_PX ? left + GAP_PX : beside;
  const y = beside >= GAP_PX ? top + GAP_PX : below + height < innerHeight ? below : bottom - height - GAP_PX;
  put(card, { left: inside(x, width, innerWidth), top: inside(y, height, innerHeight) });
}

/**
 * @param {number} value
 * @param {number} size
 * @param {number} whole
 */
function inside(value, size, whole) {
  return Math.max(GAP_PX, Math.min(value, whole - size - GAP_PX));
}

/**
 * @param {HTMLElement} element
 * @param {Record<string, number>} pixels
 */
function put(element, pixels) {
  for (const [name, value] of Object.entries(pixels)) element.style.setProperty(name, `${value}px`);
}

/**
 * Do something soon after the first such element is present.
 * @param {Element} root
 * @param {string} selector
 * @param {() => void} action
 */
function whenPresent(root, selector, action) {
  if (root.querySelector(selector)) {
    setTimeout(action, DELAY_MS);
    return;
  }
  const observer = new MutationObserver(() => {
    if (!root.querySelector(selector)) return;
    observer.disconnect();
    setTimeout(action, DELAY_MS);
  });
  observer.observe(root, { childList: true, subtree: true });
}
