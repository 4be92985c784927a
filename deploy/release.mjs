// `scripts/release`: packs what is needed to deploy raydex with Node.js alone: the built Worker, scripts/deploy with what it
// reads, checksums, the bill of materials and the licences of others. Two runs on one commit make the same bytes.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { billOfMaterials, cratesOf, licenceText, sha256 } from "./third_party.mjs";

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const WORKER = ["build/index.js", "build/edge.js", "build/index_bg.wasm"];
const SOURCES = [
  ...["carry_out", "by_hand", "choices", "doctor", "environment", "main", "name_frames", "own_findings", "platform_findings", "rebuild", "smoke", "states", "steps", "wrangler"].map((name) => `deploy/${name}.mjs`),
  "build/names.wasm",
  "schemas/config.json", "schemas/http_requests_fields.json", "schemas/partner_v3.toml",
  "wrangler.toml", "package.json", "package-lock.json", "LICENSE", "CHANGELOG.md", "docs/deploy.md", "docs/configuration.md",
];
/** The commands of a release, as shell scripts: what each does, and what runs it. */
const COMMANDS = {
  "scripts/deploy": ["Deploys raydex with Node.js alone. See docs/deploy.md, and --help.", 'deploy/main.mjs "$@"'],
  "scripts/doctor": ["Examines a deployment. See --help.", 'deploy/doctor.mjs "$@"'],
  "scripts/rebuild": ["Rebuilds a deployment's index from its bucket. See --help.", 'deploy/rebuild.mjs "$@"'],
  "scripts/name-frames": ["Names the functions in the stack of a trap, from standard input.", "deploy/name_frames.mjs build/names.wasm"],
};
const launcher = ([what, command]) => `#!/bin/sh
# ${what}
set -eu
cd "$(dirname "$0")/.."
[ -d node_modules/wrangler ] || npm ci --no-audit --no-fund --loglevel=error >&2
exec node ${command}
`;

function git(...args) {
  const { status, stdout, stderr } = spawnSync("git", args, { cwd: ROOT, encoding: "utf8" });
  if (status !== 0) throw new Error(`git ${args.join(" ")} failed: ${stderr}`);
  return stdout.trim();
}

/** Writes a file of the release. */
function put(folder, name, bytes, mode = 0o644) {
  const place = path.join(folder, name);
  fs.mkdirSync(path.dirname(place), { recursive: true });
  fs.writeFileSync(place, bytes, { mode });
}

/** Packs the release into `out`; returns the names of the files there. */
export function packRelease(out) {
  const version = fs.readFileSync(path.join(ROOT, "Cargo.toml"), "utf8").match(/^version = "(.+)"$/m)[1];
  const seconds = Number(git("log", "-1", "--format=%ct"));
  const name = `raydex-${version}`;
  const folder = path.join(out, name);
  fs.rmSync(folder, { recursive: true, force: true });
  for (const file of [...WORKER, ...SOURCES]) put(folder, file, fs.readFileSync(path.join(ROOT, file)));
  for (const [file, command] of Object.entries(COMMANDS)) put(folder, file, launcher(command), 0o755);
  const crates = cratesOf(ROOT);
  const files = WORKER.map((file) => ({ name: file, sha256: sha256(fs.readFileSync(path.join(folder, file))) }));
  const bill = billOfMaterials({ version, crates, files, time: new Date(seconds * 1000).toISOString() });
  put(folder, "THIRD-PARTY-LICENSES.txt", licenceText(crates));
  put(folder, "sbom.cdx.json", `${JSON.stringify(bill, null, 2)}\n`);
  put(folder, "SHA256SUMS", sums(folder));
  const archive = path.join(out, `${name}.tar.gz`);
  packFolder(out, name, archive, seconds);
  put(out, "SHA256SUMS", `${sha256(fs.readFileSync(archive))}  ${name}.tar.gz\n`);
  put(out, "sbom.cdx.json", fs.readFileSync(path.join(folder, "sbom.cdx.json")));
  return { archive, folder, version, crates: crates.length };
}

/** The checksums of all files of a folder, as `sha256sum -c` reads them. */
function sums(folder) {
  const files = fs.readdirSync(folder, { recursive: true }).filter((file) => fs.statSync(path.join(folder, file)).isFile()).sort();
  return files.map((file) => `${sha256(fs.readFileSync(path.join(folder, file)))}  ${file}\n`).join("");
}

/** Packs a folder so that equal files make equal archives. */
function packFolder(out, name, archive, seconds) {
  const same = ["--sort=name", `--mtime=@${seconds}`, "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX"];
  const { status, stdout, stderr } = spawnSync("tar", [...same, "-cf", "-", name], { cwd: out, maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`tar failed: ${stderr}`);
  const packed = spawnSync("gzip", ["-9n"], { input: stdout, maxBuffer: 1 << 28 });
  fs.writeFileSync(archive, packed.stdout);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { archive, crates } = packRelease(path.join(ROOT, "build", "release"));
  process.stdout.write(`${path.relative(ROOT, archive)}: ${fs.statSync(archive).size} bytes, ${crates} crates in its bill of materials\n`);
}
