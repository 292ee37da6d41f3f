// Requests to Python. Each carries the run and the view; of the requests of one queue only the newest counts.

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

/**
 * Create `ask(method, params, place)`, which resolves to the result. `server.ask` takes and gives JSON text.
 * A request may name its own `run` or `view`; otherwise the current ones are sent.
 * @param {{ ask(text: string): Promise<unknown> }} server
 * @param {() => { run: string, view: string }} current
 * @returns {Ask}
 */
export function createAsk(server, current) {
  return async (method, params = {}, place = {}) => {
    const { run, view } = current();
    const response = JSON.parse(await send(server, JSON.stringify({ method, run, view, ...place, params })));
    if ("error" in response) {
      const { code, message, fields } = response.error;
      throw new RequestError(message, code, fields);
    }
    return response.result;
  };
}

const UNREACHABLE = "The app cannot be reached. Is it still running? The page continues when it is.";

/**
 * @param {{ ask(text: string): Promise<unknown> }} server
 * @param {string} text
 */
async function send(server, text) {
  const response = await server.ask(text).catch(() => undefined);
  // Gradio resolves to nothing where the network fails.
  if (typeof response !== "string") throw new RequestError(UNREACHABLE, "unreachable");
  return response;
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
