// What the button "Deploy to Cloudflare" asks for (package.json, .dev.vars.example) are bindings and secrets that there are.
// Run by `node --test`, from scripts/test.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { unstable_readConfig as readConfig } from "wrangler";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (file) => fs.readFileSync(path.join(ROOT, file), "utf8");
const asked = JSON.parse(read("package.json")).cloudflare.bindings;
const secrets = JSON.parse(read("schemas/config.json")).settings.filter(({ secret }) => secret).map(({ name }) => name);
const examples = read(".dev.vars.example").split("\n").filter((line) => line && !line.startsWith("#"));

test("each secret that is asked for is one of the settings, and has no value", () => {
  for (const line of examples) {
    const [, name, value] = /^([A-Z0-9_]+)=(.*)$/.exec(line);
    assert.ok(secrets.includes(name), name);
    assert.equal(value, "", `${name} would be deployed with this value`);
  }
  // A deployment that may deliver needs these together.
  for (const name of ["API_TOKEN_SHA256", "PARTNER_ENDPOINT", "PARTNER_URI", "PARTNER_PRIVATE_KEY"]) assert.ok(examples.includes(`${name}=`), name);
});

test("each description is of a secret that is asked for or of a binding", () => {
  const { r2_buckets: buckets, queues } = readConfig({ config: path.join(ROOT, "wrangler.toml") });
  const known = [...examples.map((line) => line.split("=")[0]), ...buckets.map(({ binding }) => binding), ...queues.producers.map(({ binding }) => binding)];
  assert.deepEqual(Object.keys(asked).sort(), known.sort());
  for (const [name, { description }] of Object.entries(asked)) assert.match(description, /\.$/, name);
});
