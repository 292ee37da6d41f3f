// Images of a run by id: requested in batches, kept as data URLs, the least recently used released.

import { set } from "./dom.js";

const BATCH = 100;
const LIMITS = { thumbnail: 4000, proxy: 300 };

/** @typedef {"thumbnail" | "proxy"} Kind */
/** @typedef {{ id: string, resolve: (url: string) => void, reject: (error: unknown) => void }} Wanted */

/**
 * Create the store of images: `images.url(kind, run, className, id)` resolves to a URL.
 * @param {Ask} ask
 */
export function createImages(ask) {
  /** @type {Map<string, Promise<string>>} */
  const stored = new Map();
  /** @type {Map<string, Wanted[]>} */
  const waiting = new Map();
  return { url, put };

  /**
   * @param {Kind} kind
   * @param {string} run
   * @param {string} className
   * @param {string} id
   */
  function url(kind, run, className, id) {
    const key = JSON.stringify([kind, run, className, id]);
    const found = stored.get(key);
    if (found) {
      stored.delete(key);
      stored.set(key, found);
      return found;
    }
    /** @type {Promise<string>} */
    const promise = new Promise((resolve, reject) => enqueue(kind, run, className, { id, resolve, reject }));
    promise.catch(() => stored.delete(key));
    stored.set(key, promise);
    release(kind);
    return promise;
  }

  /**
   * Store an image that came with another response.
   * @param {Kind} kind
   * @param {string} run
   * @param {string} className
   * @param {string} id
   * @param {string} file WebP in base64
   */
  function put(kind, run, className, id, file) {
    stored.set(JSON.stringify([kind, run, className, id]), Promise.resolve(webpUrl(file)));
    release(kind);
  }

  /**
   * @param {Kind} kind
   * @param {string} run
   * @param {string} className
   * @param {Wanted} wanted
   */
  function enqueue(kind, run, className, wanted) {
    const queue = JSON.stringify([kind, run, className]);
    const others = waiting.get(queue);
    if (others) {
      others.push(wanted);
      return;
    }
    waiting.set(queue, [wanted]);
    queueMicrotask(() => {
      const all = waiting.get(queue) ?? [];
      waiting.delete(queue);
      for (let n = 0; n < all.length; n += BATCH) fetchBatch(kind, run, className, all.slice(n, n + BATCH));
    });
  }

  /**
   * @param {Kind} kind
   * @param {string} run
   * @param {string} className
   * @param {Wanted[]} wanted
   */
  async function fetchBatch(kind, run, className, wanted) {
    const view = new URLSearchParams({ class: className }).toString();
    try {
      const files = await ask("images", { kind, ids: wanted.map((one) => one.id) }, { run, view });
      for (const one of wanted) one.resolve(webpUrl(files[one.id]));
    } catch (error) {
      for (const one of wanted) one.reject(error);
    }
  }

  /** @param {Kind} kind */
  function release(kind) {
    const prefix = JSON.stringify([kind]).slice(0, -1);
    const keys = [...stored.keys()].filter((key) => key.startsWith(prefix));
    for (const key of keys.slice(0, Math.max(0, keys.length - LIMITS[kind]))) stored.delete(key);
  }
}

/**
 * Return the URL of an image. A blob URL would wait for the browser's main process twice, and files are small.
 * @param {string} file WebP in base64
 */
function webpUrl(file) {
  return `data:image/webp;base64,${file}`;
}

/**
 * Show an image in an element; a later call on the same element wins.
 * @param {App} app
 * @param {HTMLImageElement} element
 * @param {string} id
 * @param {Kind} [kind]
 * @param {string} [name] of its class, the current one by default
 */
export function showImage(app, element, id, kind = "thumbnail", name = app.store.state.class_name) {
  const { run } = app.store.state;
  const key = JSON.stringify([kind, run, name, id]);
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  app.images.url(kind, run, name, id).then(
    (url) => {
      if (element.dataset.key === key) element.src = url;
    },
    () => {
      if (element.dataset.key !== key) return;
      element.removeAttribute("src");
      delete element.dataset.key; // the next call requests it again
    },
  );
}

/**
 * Load an image before it is shown, so that it does not flicker.
 * @param {string} url
 */
export async function decoded(url) {
  await set(new Image(), { src: url })
    .decode()
    .catch(() => {});
}
