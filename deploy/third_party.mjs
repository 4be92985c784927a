// What of others is in the built Worker: crates with their licences, as a CycloneDX bill of materials and as one text.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

const TARGET = "wasm32-unknown-unknown";
const LICENCE_FILE = /^(LICEN[CS]E|COPYING|UNLICENSE|NOTICE)/i;

/** The crates that are compiled into the Worker, by name and version: neither those of tests nor those that only build it. */
export function cratesOf(root) {
  const { packages, resolve } = JSON.parse(cargo(root, ["metadata", "--format-version", "1", "--filter-platform", TARGET]));
  // With the features of the Worker: those of the metadata are of its tests, too.
  const listed = cargo(root, ["tree", "--edges", "normal", "--target", TARGET, "--package", "raydex", "--prefix", "none", "--format", "{p}"]);
  const isLinked = new Set(listed.split("\n").map((line) => line.split(" ").slice(0, 2).join(" ")));
  const byId = new Map(packages.map((crate) => [crate.id, crate]));
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]));
  const found = new Set();
  const visit = (id) => {
    const { name, version, targets } = byId.get(id);
    const isMacro = targets.some(({ kind }) => kind.includes("proc-macro"));
    if (found.has(id) || isMacro || !isLinked.has(`${name} v${version}`)) return;
    found.add(id);
    const isNormal = ({ dep_kinds }) => dep_kinds.some(({ kind }) => kind === null);
    for (const dependency of nodes.get(id).deps.filter(isNormal)) visit(dependency.pkg);
  };
  visit(resolve.root);
  found.delete(resolve.root);
  const checksums = checksumsOf(root);
  const refs = (id) => nodes.get(id).deps.map(({ pkg }) => pkg).filter((pkg) => found.has(pkg)).map((pkg) => reference(byId.get(pkg)));
  const crates = [...found].map((id) => ({ ...byId.get(id), checksum: checksums.get(`${byId.get(id).name} ${byId.get(id).version}`), uses: refs(id) }));
  return crates.sort((one, other) => (`${one.name} ${one.version}` < `${other.name} ${other.version}` ? -1 : 1));
}

/** How the bill of materials names a crate. */
const reference = ({ name, version }) => `pkg:cargo/${name}@${version}`;

function cargo(root, args) {
  const { status, stdout, stderr } = spawnSync("cargo", [...args, "--locked"], { cwd: root, encoding: "utf8", maxBuffer: 1 << 27 });
  if (status !== 0) throw new Error(`cargo ${args[0]} failed: ${stderr}`);
  return stdout;
}

function checksumsOf(root) {
  const lock = fs.readFileSync(path.join(root, "Cargo.lock"), "utf8");
  const entry = /^name = "(.+)"\nversion = "(.+)"\nsource = .+\nchecksum = "([0-9a-f]{64})"$/gm;
  return new Map([...lock.matchAll(entry)].map(([, name, version, checksum]) => [`${name} ${version}`, checksum]));
}

/** The bill of materials (CycloneDX 1.6) of the Worker with these crates. `time` is when it was made, `files` what it is about. */
export function billOfMaterials({ version, crates, files, time }) {
  const worker = `pkg:github/raydex@${version}`;
  const components = crates.map(({ name, version, license, checksum, description }) => ({
    type: "library",
    "bom-ref": reference({ name, version }),
    name,
    version,
    ...(description && { description: description.replace(/\s+/g, " ").trim() }),
    ...(checksum && { hashes: [{ alg: "SHA-256", content: checksum }] }),
    // Older crates write a slash for "or".
    licenses: license ? [{ expression: license.replaceAll("/", " OR ") }] : [],
    purl: reference({ name, version }),
  }));
  const own = files.map(({ name, sha256 }) => ({ type: "file", "bom-ref": `file:${name}`, name, hashes: [{ alg: "SHA-256", content: sha256 }] }));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { timestamp: time, component: { type: "application", "bom-ref": worker, name: "raydex", version, components: own } },
    components,
    dependencies: [{ ref: worker, dependsOn: components.map((component) => component["bom-ref"]) }, ...crates.map((crate) => ({ ref: reference(crate), dependsOn: crate.uses }))],
  };
}

/** The licences of the crates as one text, each text once with the crates that it is of. */
export function licenceText(crates) {
  const texts = new Map();
  for (const crate of crates) {
    for (const text of licencesOf(crate)) texts.set(text, [...(texts.get(text) ?? []), `${crate.name} ${crate.version}`]);
  }
  const sections = [...texts].map(([text, names]) => `${"=".repeat(80)}\n${names.join(", ")}\n${"=".repeat(80)}\n\n${text}\n`);
  return `The built Worker contains the crates below. Each is under the licence that follows its name.\n\n${sections.join("\n")}`;
}

/** The licence texts in a crate's folder; where it has none, what it says of itself. */
function licencesOf({ manifest_path, name, license, repository }) {
  const folder = path.dirname(manifest_path);
  const files = fs.readdirSync(folder).filter((file) => LICENCE_FILE.test(file) && fs.statSync(path.join(folder, file)).isFile()).sort();
  if (files.length === 0) return [`${name} is under ${license}. Its package has no licence text; its source: ${repository}`];
  return files.map((file) => fs.readFileSync(path.join(folder, file), "utf8").replaceAll("\r\n", "\n").trim());
}

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
