// What scripts/release packs: equal bytes from equal commits, checksums, the bill of materials by CycloneDX's own schema, and a
// deployment from the archive with Node.js alone. Needs scripts/build; run by `node --test`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { packRelease } from "../../deploy/release.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-release-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
let release;

function run(program, args, options) {
  const ran = spawnSync(program, args, { encoding: "utf8", ...options });
  assert.equal(ran.status, 0, `${program} ${args.join(" ")}: ${ran.error ?? ran.stdout + ran.stderr}`);
  return ran.stdout;
}

before(() => {
  release = packRelease(path.join(folder, "one"));
});

test("equal commits make equal archives", () => {
  const other = packRelease(path.join(folder, "other"));
  assert.ok(fs.readFileSync(release.archive).equals(fs.readFileSync(other.archive)));
});

test("the checksums are those of all files", () => {
  const place = path.join(folder, "unpacked");
  fs.mkdirSync(place);
  run("tar", ["-xzf", release.archive, "-C", place]);
  run("sha256sum", ["-c", "--quiet", "SHA256SUMS"], { cwd: path.dirname(release.archive) });
  const unpacked = path.join(place, path.basename(release.folder));
  run("sha256sum", ["-c", "--quiet", "SHA256SUMS"], { cwd: unpacked });
  const files = run("find", [".", "-type", "f"], { cwd: unpacked }).trim().split("\n");
  assert.equal(fs.readFileSync(path.join(unpacked, "SHA256SUMS"), "utf8").trim().split("\n").length, files.length - 1);
});

test("the bill of materials is CycloneDX and names each crate", async () => {
  const text = fs.readFileSync(path.join(release.folder, "sbom.cdx.json"), "utf8");
  assert.equal(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text), null);
  const { components } = JSON.parse(text);
  const names = components.map(({ name }) => name);
  for (const name of ["worker", "serde_json", "wasm-bindgen"]) assert.ok(names.includes(name), name);
  for (const name of ["proptest", "miniz_oxide", "rand_chacha"]) assert.ok(!names.includes(name), `${name} is not in the Worker`);
  assert.ok(components.every(({ licenses, hashes }) => licenses.length === 1 && hashes?.length === 1));
});

test("each crate has its licence", () => {
  const text = fs.readFileSync(path.join(release.folder, "THIRD-PARTY-LICENSES.txt"), "utf8");
  const { components } = JSON.parse(fs.readFileSync(path.join(release.folder, "sbom.cdx.json"), "utf8"));
  for (const { name, version } of components) assert.ok(text.includes(`${name} ${version}`), name);
});

test("the archive deploys without Rust", () => {
  // The packages that `npm ci` would install, and neither cargo nor this project's scripts.
  fs.symlinkSync(path.join(ROOT, "node_modules"), path.join(release.folder, "node_modules"));
  const env = { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`, HOME: folder, WRANGLER_SEND_METRICS: "false" };
  const listed = run("sh", ["scripts/deploy", "--env", "staging"], { cwd: release.folder, env });
  assert.match(listed, /wrangler deploy --config build\/deploy\/staging\.json/);
  assert.ok(!listed.includes("scripts/build"));
  const wrangler = path.join(ROOT, "node_modules/.bin/wrangler");
  for (const environment of ["staging", "edge"]) {
    run("sh", ["scripts/deploy", "--env", environment], { cwd: release.folder, env });
    const built = run(wrangler, ["deploy", "--dry-run", "--config", `build/deploy/${environment}.json`], { cwd: release.folder, env });
    assert.match(built, /EDGE_SPOOL/);
  }
});
