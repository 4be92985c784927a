// One lookup with the tools of a shell, over the same file: those that this machine has.
//
// The CPU is that of the whole pipeline, as the shell counts its children. The line that a tool finds is compared with
// the one that Node reads. A missing tool is named, without a figure.
import { execFileSync, spawnSync } from "node:child_process";
import { same } from "./compute.mjs";
import { spread } from "./cpu.mjs";

/**
 * The tools. `needs`: programs that must be there; `module`: a module of Python, too. `exact`: they print the line as it
 * stands; the others write its JSON anew. $1 is the file, $2 the ray.
 */
const TOOLS = [
  { name: "jq", needs: ["zcat", "jq"], words: "zcat | jq", script: `zcat "$1" | jq -c "select(.RayID == \\"$2\\")"` },
  { name: "zgrep", needs: ["zgrep"], words: "zgrep", script: `zgrep -F "\\"RayID\\":\\"$2\\"" "$1"`, exact: true },
  { name: "rg", needs: ["rg"], words: "rg -z", script: `rg -z -N --no-filename -F "\\"RayID\\":\\"$2\\"" "$1"`, exact: true },
  {
    name: "rapidgzip",
    needs: ["rapidgzip"],
    words: "rapidgzip | grep",
    script: `rapidgzip -d -c "$1" | grep -F "\\"RayID\\":\\"$2\\""`,
    exact: true,
  },
  {
    name: "isal",
    needs: ["python3"],
    module: "isal",
    words: "isal (igzip) | grep",
    script: `python3 -m isal.igzip -d -c "$1" | grep -F "\\"RayID\\":\\"$2\\""`,
    exact: true,
  },
  {
    name: "duckdb",
    needs: ["duckdb"],
    words: "DuckDB",
    script: `duckdb -json -c "select RayID from read_json('$1', format = 'newline_delimited') where RayID = '$2'"`,
  },
];

/** A row for each tool that is there; `ours` is the figure of a lookup of the same batch. */
export function toolRows(batch, ours, { turns, tell }) {
  const { ray, line } = batch.samples[batch.samples.length >> 1];
  const rows = [];
  for (const tool of TOOLS) {
    const row = { name: `tool_${tool.name}`, words: `lookup by ${tool.words}, ${batch.mb} MB`, ours, unit: "ms" };
    const missing = missingOf(tool);
    if (missing) {
      rows.push({ ...row, ours: undefined, note: `${missing} is not installed` });
      continue;
    }
    tell(`lookup by ${tool.words}`);
    const figures = Array.from({ length: turns }, () => once(tool, batch.file, ray, line));
    rows.push({ ...row, baseline: spread(figures) });
  }
  return rows;
}

/** What a tool needs and this machine does not have. */
function missingOf({ needs, module }) {
  return needs.find((name) => !isThere(name)) ?? (module && !isModule(module) ? module : undefined);
}

function isThere(name) {
  return succeeds("sh", ["-c", 'command -v "$1"', "sh", name]);
}

function isModule(name) {
  return succeeds("python3", ["-c", `import ${name}`]);
}

function succeeds(program, args) {
  try {
    execFileSync(program, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** CPU of one lookup, in milliseconds. */
function once({ script, words, exact }, file, ray, line) {
  // `time` writes to the shell's own errors, which go to a pipe apart.
  const timed = `TIMEFORMAT='%U %S'; { time { ${script}; } 2>/dev/null; } 2>&3`;
  const stdio = ["ignore", "pipe", "inherit", "pipe"];
  const { output } = spawnSync("bash", ["-c", timed, "bash", file, ray], { stdio });
  const [found, times] = [output[1].toString(), output[3].toString()];
  if (exact) same(`the line that ${words} found`, found, `${line}\n`);
  else same(`what ${words} found`, [JSON.parse(found)].flat().map((one) => one.RayID).join(), ray);
  const [user, system] = times.trim().split(" ").map(Number);
  return (user + system) * 1000;
}
