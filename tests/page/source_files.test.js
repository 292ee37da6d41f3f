// What the linter cannot check of the page's files: their length, the length of their lines, and their place.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../assets/app", import.meta.url));
const MOST_LINES = 400;
const LONGEST_LINE = 120;
const AT_ROOT = ["app.css", "early.js", "main.js", "results.d.ts", "types.d.ts"];
const FOLDERS = ["components", "lib", "tabs"];

const files = readdirSync(ROOT, { recursive: true, withFileTypes: true })
  .filter((one) => one.isFile())
  .map((one) => `${one.parentPath ?? one.path}/${one.name}`.slice(ROOT.length + 1))
  .sort();
const lines = new Map(files.map((name) => [name, readFileSync(`${ROOT}/${name}`, "utf8").split("\n")]));

test("files: modules and style sheets in their folders", () => {
  assert.deepEqual(
    files.filter((name) => !name.includes("/")),
    AT_ROOT,
  );
  assert.deepEqual([...new Set(files.filter((name) => name.includes("/")).map((name) => name.split("/")[0]))], FOLDERS);
});

test("files: at most 400 lines", () => {
  const long = files.filter((name) => lines.get(name).length - 1 > MOST_LINES);
  assert.deepEqual(long, []);
});

test("lines: at most 120 characters", () => {
  const long = files.flatMap((name) =>
    lines.get(name).flatMap((line, n) => (line.length > LONGEST_LINE ? [`${name}:${n + 1}`] : [])),
  );
  assert.deepEqual(long, []);
});

test("imports: lib imports lib alone, and components no tab", () => {
  const wrong = files.flatMap((name) => {
    const folder = name.split("/")[0];
    const forbidden = { lib: /from "\.\.\//, components: /from "\.\.\/tabs\// }[folder];
    return forbidden ? lines.get(name).filter((line) => forbidden.test(line)) : [];
  });
  assert.deepEqual(wrong, []);
});

test("modules: each begins with a comment that says what it is", () => {
  const bare = files.filter((name) => name.endsWith(".js") && !/^\/\/ [A-Z].*[.]$/.test(lines.get(name)[0]));
  assert.deepEqual(bare, []);
});
