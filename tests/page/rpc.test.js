import assert from "node:assert/strict";
import { test } from "node:test";

import {
  createAsk,
  createLatest,
  createServer,
  RequestError,
  takeToken,
  tokenHeaders,
} from "../../assets/app/lib/rpc.js";

const PLACE = { run: "token", view: "ipc=4" };

/** A server that answers with `response` and remembers the requests. */
function serverOf(response) {
  const requests = [];
  return {
    requests,
    ask: async (text) => {
      requests.push(JSON.parse(text));
      return typeof response === "string" ? response : JSON.stringify(response);
    },
  };
}

test("ask: the method, the place and the params", async () => {
  const server = serverOf({ result: [1, 2] });
  const ask = createAsk(server, () => PLACE);
  assert.deepEqual(await ask("gallery", { page: 2 }), [1, 2]);
  await ask("start", {}, { view: "" });
  assert.deepEqual(server.requests, [
    { method: "gallery", run: "token", view: "ipc=4", params: { page: 2 } },
    { method: "start", run: "token", view: "", params: {} },
  ]);
});

test("ask: an error has a code, fields and a message", async () => {
  const error = { code: "setting", message: "ipc must be at least 1, got 0", fields: { setting: "ipc" } };
  const ask = createAsk(serverOf({ error }), () => PLACE);
  await assert.rejects(ask("gallery"), (found) => {
    assert.ok(found instanceof RequestError);
    assert.deepEqual({ code: found.code, message: found.message, fields: found.fields }, error);
    return true;
  });
});

test("ask: a server that fails is unreachable", async () => {
  const ask = createAsk({ ask: () => Promise.reject(new Error("offline")) }, () => PLACE);
  await assert.rejects(ask("gallery"), { code: "unreachable" });
});

test("ask: a proxy that answers in the place of the app is no answer", async () => {
  const original = globalThis.fetch;
  const lost = [];
  const html = { "Content-Type": "text/html; charset=utf-8" };
  for (const [body, status, headers] of [
    ["<h1>asleep</h1>", 200, html],
    ["<h1>asleep</h1>", 404, html],
    ["no healthy upstream", 503, { "Content-Type": "text/plain" }],
  ]) {
    globalThis.fetch = async () => new Response(body, { status, headers });
    const server = createServer("http://x/_dsel/", (found) => lost.push(found));
    await assert.rejects(createAsk(server, () => PLACE)("gallery"), { code: "unreachable" });
  }
  assert.deepEqual(lost, [200, 404, 503]);
  globalThis.fetch = original;
});

test("ask: a refusal is shown, and is not taken for a missing server", async () => {
  const original = globalThis.fetch;
  globalThis.fetch = async () => new Response("dsel does not answer for the host 'x'", { status: 403 });
  const ask = createAsk(createServer("http://x/_dsel/"), () => PLACE);
  await assert.rejects(ask("gallery"), { code: "refused", message: "dsel does not answer for the host 'x'" });
  globalThis.fetch = original;
});

test("server: requests carry the token that the address had, and the address loses it", async () => {
  const { fetch, localStorage, location, history } = globalThis;
  const stored = new Map();
  const calls = [];
  const moves = [];
  const put = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  put("localStorage", { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) });
  put("location", { hash: "#token=abc", pathname: "/", search: "?ipc=3" });
  put("history", { state: null, replaceState: (...values) => moves.push(values[2]) });
  put("fetch", async (...values) => {
    calls.push(values);
    return new Response("{}");
  });
  takeToken();
  await createServer("http://x/_dsel/").ask("text");
  assert.deepEqual(moves, ["/?ipc=3"]);
  assert.deepEqual(tokenHeaders(), { "X-Dsel-Token": "abc" });
  const headers = { "Content-Type": "application/json", "X-Gradio-User": "app", "X-Dsel-Token": "abc" };
  assert.deepEqual(calls, [["http://x/_dsel/ask", { method: "POST", headers, body: "text" }]]);
  for (const [name, value] of Object.entries({ fetch, localStorage, location, history })) put(name, value);
});

test("server: what a change of the view asks for is sent together, and the rest by itself", async () => {
  const original = globalThis.fetch;
  const bodies = [];
  globalThis.fetch = async (_, { body }) => {
    bodies.push(body.split("\n").map((line) => JSON.parse(line).method));
    return new Response(
      body
        .split("\n")
        .map((line) => JSON.stringify({ result: JSON.parse(line).params.n }))
        .join("\n"),
    );
  };
  const ask = createAsk(createServer("http://x/_dsel/"), () => PLACE);
  const results = ["gallery", "projection", "image"].map((method, n) => ask(method, { n }));
  assert.deepEqual(await Promise.all(results), [0, 1, 2]);
  const many = Array.from({ length: 9 }, (_, n) => ask("images", { n }));
  assert.deepEqual(await Promise.all(many), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(bodies, [["projection"], ["gallery", "image"], Array(8).fill("images"), ["images"]]);
  globalThis.fetch = original;
});

test("server: those that were sent together fail together, and each has its own error", async () => {
  const original = globalThis.fetch;
  const error = { code: "setting", message: "unknown class", fields: {} };
  globalThis.fetch = async () => new Response(`${JSON.stringify({ error })}\n{"result":1}`);
  const ask = createAsk(createServer("http://x/_dsel/"), () => PLACE);
  const found = await Promise.allSettled([ask("gallery"), ask("image")]);
  assert.deepEqual([found[0].reason.message, found[1].value], ["unknown class", 1]);
  globalThis.fetch = async () => Promise.reject(new Error("offline"));
  for (const one of await Promise.allSettled([ask("gallery"), ask("image")])) {
    assert.equal(one.reason.code, "unreachable");
  }
  globalThis.fetch = original;
});

test("latest: of the requests that wait only the newest runs", async () => {
  const latest = createLatest();
  const started = [];
  let finish;
  const request = (name) => () => {
    started.push(name);
    return name === "first" ? new Promise((resolve) => (finish = () => resolve(name))) : Promise.resolve(name);
  };
  const results = ["first", "second", "third"].map((name) => latest("queue", request(name)));
  const other = latest("other queue", request("other"));
  finish();
  assert.deepEqual(await Promise.all([...results, other]), ["first", undefined, "third", "other"]);
  assert.deepEqual(started, ["first", "other", "third"]);
});

test("latest: the error of an overtaken request is dropped", async () => {
  const latest = createLatest();
  const failing = latest("queue", () => Promise.reject(new Error("old settings")));
  const next = latest("queue", async () => "new");
  assert.deepEqual(await Promise.all([failing, next]), [undefined, "new"]);
  await assert.rejects(
    latest("queue", () => Promise.reject(new Error("last"))),
    /last/,
  );
});
