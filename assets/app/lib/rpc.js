// Questions to Python, each with the whole view; of questions in one line only the newest counts.

/** What an answer says when the user can mend something. */
export class AskError extends Error {}

/**
 * `ask(name, more)` -> Promise of the answer. `server.ask` takes and gives JSON text.
 * A question may carry its own `view` or `run`; else those of the store are sent.
 */
export function asker(server, current) {
  return async (name, more = {}) => {
    const said = JSON.parse(await reach(server, JSON.stringify({ ask: name, ...current(), ...more })));
    if ("error" in said) throw new AskError(said.error);
    return said.answer;
  };
}

const AWAY = "The app cannot be reached: is it still running? Its page goes on when it is.";

async function reach(server, text) {
  const said = await server.ask(text).catch(() => undefined);
  // Gradio answers nothing where the network fails.
  if (typeof said !== "string") throw new AskError(AWAY);
  return said;
}

/**
 * Lines of questions: `latest(line, question)` runs one question of a line at a time. While one is
 * asked, only the newest of those that wait is kept; the others answer undefined.
 */
export function lines() {
  const busy = new Map();
  return function latest(line, question) {
    return new Promise((resolve, reject) => {
      const turn = { question, resolve, reject };
      const before = busy.get(line);
      if (before) {
        before.next?.resolve(undefined);
        before.next = turn;
        return;
      }
      run(line, turn);
    });
  };

  async function run(line, turn) {
    const place = { next: null };
    busy.set(line, place);
    try {
      const answer = await turn.question();
      // What was overtaken is still shown while a slider moves: the picture follows the hand.
      turn.resolve(answer);
    } catch (error) {
      place.next ? turn.resolve(undefined) : turn.reject(error);
    }
    busy.delete(line);
    if (place.next) run(line, place.next);
  }
}
