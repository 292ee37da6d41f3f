// Requests to Python. Each carries the run and the view; of the requests of one queue only the newest counts.

import { recall, remember } from "./storage.js";

/** An error that the server reports: a code, values the page may use, and a message to show. */
export class RequestError extends Error {
  /**
   * @param {string} message
   * @param {string} code
   * @param {Record<string, any>} fields
   */
  constructor(message, code, fields = {}) {
    super(message);
    this.code = code;
    this.fields = fields;
  }
}

const TOKEN = "dsel-token";
/** The types of the app's responses to requests and uploads, and statuses that it never has. */
const TYPES = ["application/json", "text/plain"];
const PROXY_STATUSES = [502, 503, 504];
/** As Gradio's own page says that it is one, so that a Space refuses a GPU in words for people. */
const PAGE = { "X-Gradio-User": "app" };

/**
 * Take the app's token from the address that the app printed, and remember it: with it the visitor is local.
 * It is in the fragment of the address, which no browser sends anywhere, and other ports have storages of their own.
 */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  remember(TOKEN, token);
  history.replaceState(history.state, "", location.pathname + location.search);
}

/**
 * Return the headers by which the app knows the visitor.
 * @returns {Record<string, string>}
 */
export function tokenHeaders() {
  const token = recall(TOKEN);
  return token ? { "X-Dsel-Token": token } : {};
}

/** What a change of the view asks for at once: such requests of one moment are sent together, one per line. */
const TOGETHER = ["gallery", "image", "images"];
const MOST_TOGETHER = 8;

/** @typedef {{ text: string, resolve: (response: string) => void, reject: (error: unknown) => void }} Waiting */

/**
 * Return whether a response is the app's, and not of a proxy that answers in its place while it sleeps or is gone.
 * @param {number} status
 * @param {string | null} type its content type
 */
export function isOfApp(status, type) {
  return !PROXY_STATUSES.includes(status) && TYPES.some((one) => type?.startsWith(one));
}

/**
 * Create the server that `createAsk` sends requests to.
 * @param {string} base the address of the page's routes
 * @param {(status: number) => void} [lost] is called when it does not answer, with the HTTP status of what answers in
 *     its place, or 0
 */
export function createServer(base, lost = () => {}) {
  /** @type {Waiting[]} */
  let waiting = [];
  return {
    /**
     * @param {string} text
     * @param {boolean} [isTogether] whether it is sent with the others of this moment
     * @returns {Promise<string>}
     */
    ask: (text, isTogether = false) => (isTogether ? wait(text) : post(text)),
  };

  /** @param {string} text */
  async function post(text) {
    const headers = { "Content-Type": "application/json", ...PAGE, ...tokenHeaders() };
    const response = await fetch(`${base}ask`, { method: "POST", headers, body: text }).catch((error) => {
      lost(0);
      throw error;
    });
    if (!isOfApp(response.status, response.headers.get("content-type"))) {
      lost(response.status);
      throw new Error(`HTTP ${response.status}`);
    }
    if (!response.ok) throw new RequestError(await response.text(), "refused");
    return response.text();
  }

  /**
   * @param {string} text
   * @returns {Promise<string>}
   */
  function wait(text) {
    return new Promise((resolve, reject) => {
      waiting.push({ text, resolve, reject });
      if (waiting.length === 1) queueMicrotask(sendWaiting);
    });
  }

  function sendWaiting() {
    for (let n = 0; n < waiting.length; n += MOST_TOGETHER) sendTogether(waiting.slice(n, n + MOST_TOGETHER));
    waiting = [];
  }

  /** @param {Waiting[]} some */
  async function sendTogether(some) {
    try {
      const responses = (await post(some.map(({ text }) => text).join("\n"))).split("\n");
      some.forEach(({ resolve }, n) => {
        resolve(responses[n]);
      });
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  }
}

/**
 * Create `ask(method, params, place)`, which resolves to the result. `server.ask` takes and gives JSON text.
 * A request may name its own `run` or `view`; otherwise the current ones are sent.
 * @param {{ ask(text: string, isTogether: boolean): Promise<string> }} server
 * @param {() => { run: string, view: string }} current
 * @returns {Ask}
 */
export function createAsk(server, current) {
  return async (method, params = {}, place = {}) => {
    const { run, view } = current();
    const text = JSON.stringify({ method, run, view, ...place, params });
    const response = JSON.parse(await send(server, text, TOGETHER.includes(method)));
    if ("error" in response) {
      const { code, message, fields } = response.error;
      throw new RequestError(message, code, fields);
    }
    return response.result;
  };
}

const UNREACHABLE = "The app cannot be reached. Is it still running? The page continues when it is.";

/**
 * @param {{ ask(text: string, isTogether: boolean): Promise<string> }} server
 * @param {string} text
 * @param {boolean} isTogether
 */
async function send(server, text, isTogether) {
  try {
    return await server.ask(text, isTogether);
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError(UNREACHABLE, "unreachable");
  }
}

/** @typedef {{ request: () => Promise<any>, resolve: (value: any) => void, reject: (error: unknown) => void }} Turn */

/**
 * Create `latest(queue, request)`, which runs one request of a queue at a time. While one runs, only the newest of
 * those that wait is kept; the others resolve to undefined.
 * @returns {Latest}
 */
export function createLatest() {
  /** @type {Map<string, { next: Turn | null }>} */
  const busy = new Map();
  return function latest(queue, request) {
    return new Promise((resolve, reject) => {
      const turn = { request, resolve, reject };
      const running = busy.get(queue);
      if (!running) {
        run(queue, turn);
        return;
      }
      running.next?.resolve(undefined);
      running.next = turn;
    });
  };

  /**
   * @param {string} queue
   * @param {Turn} turn
   */
  async function run(queue, turn) {
    /** @type {{ next: Turn | null }} */
    const running = { next: null };
    busy.set(queue, running);
    try {
      // A result that is overtaken is still shown while a slider moves: the page follows the hand.
      turn.resolve(await turn.request());
    } catch (error) {
      if (running.next) turn.resolve(undefined);
      else turn.reject(error);
    }
    busy.delete(queue);
    if (running.next) run(queue, running.next);
  }
}
