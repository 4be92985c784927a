// All tests in a browser, in one process, so that the Worker and its sample data are started once: `node tests/browser/run.mjs`,
// from scripts/browser. With names of files, only those: `node tests/browser/run.mjs look_up`.
import fs from "node:fs";

const folder = new URL(".", import.meta.url);
const named = process.argv.slice(2);
for (const name of fs.readdirSync(folder).filter((name) => name.endsWith(".test.mjs")).sort()) {
  if (named.length === 0 || named.includes(name.replace(".test.mjs", ""))) await import(new URL(name, folder));
}
