// What raydex and another Worker make of the same batches (scripts/compare): both outputs line by line, and what explains each
// difference.
//
// raydex is the built Worker under the local runtime. The other one is asked (--other), or has been (--other-output). Exit code 0:
// every difference is explained; 1: one is not; 2: wrong use, or something stopped the comparison.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Evidence, MOST_BATCHES, filesIn, writeSample } from "./compare-batches.mjs";
import { compareLines } from "./compare-lines.mjs";
import { RECEIVER, Raydex, otherByOutput, otherByUrl } from "./compare-sides.mjs";
import { reportOf, tableOf } from "./compare-table.mjs";
import { exitAtSignals } from "./guard.mjs";
import { NotBuilt, ROOT } from "./runtime.mjs";
import { Trouble } from "./sample.mjs";
import { settingsOf } from "./settings.mjs";

const OPTIONS = {
  batches: { type: "string" },
  sample: { type: "string" },
  records: { type: "string", default: "1000" },
  other: { type: "string" },
  listen: { type: "string", default: "8799" },
  quiet: { type: "string", default: "15" },
  "other-output": { type: "string" },
  set: { type: "string", multiple: true },
  json: { type: "boolean" },
  // For the script, which builds nothing for wrong options.
  check: { type: "boolean" },
};
/** Settings that the comparison makes itself. */
const OWN_SETTINGS = ["API_TOKEN_SHA256", "PARTNER_ENDPOINT", "PARTNER_URI", "PARTNER_PRIVATE_KEY"];
const MAKE_BATCHES = path.join(ROOT, "target", "release", "make-batches");

/** The options, checked: throws a Trouble. */
function optionsOf(args) {
  let values;
  try {
    ({ values } = parseArgs({ args, options: OPTIONS }));
  } catch (error) {
    throw new Trouble(error.message);
  }
  const isNumber = (name, min, max) => {
    const number = Number(values[name]);
    if (!(number >= min && number <= max)) throw new Trouble(`--${name} must be a number from ${min} to ${max}`);
    return number;
  };
  const [records, listen, quietS] = [isNumber("records", 3, 100_000), isNumber("listen", 0, 65_535), isNumber("quiet", 0, 3600)];
  if (Boolean(values.batches) === Boolean(values.sample)) throw new Trouble("give either --batches DIR or --sample DIR");
  if (values.other && values["other-output"]) throw new Trouble("give either --other URL or --other-output DIR");
  if (values.other && !(URL.canParse(values.other) && /^https?:/.test(values.other))) throw new Trouble("--other must be a URL");
  const hasOther = values.other || values["other-output"];
  if (values.batches && !hasOther) throw new Trouble("give the other side: --other URL or --other-output DIR");
  for (const name of ["batches", "other-output"]) {
    if (values[name] && !fs.statSync(values[name], { throwIfNoEntry: false })?.isDirectory()) throw new Trouble(`--${name} must be a folder`);
  }
  const own = OWN_SETTINGS.find((name) => values.set?.some((pair) => pair.startsWith(`${name}=`)));
  if (own) throw new Trouble(`--set: ${own} is that of the local receiver`);
  return { ...values, records, listen, quietS, settings: settingsOf({ set: values.set }) };
}

/** Shows how far it is, on a terminal. */
function progress(words) {
  if (!process.stderr.isTTY) return () => {};
  return (done, total) => process.stderr.write(`\r  ${words}: ${done} of ${total}${done === total ? "\n" : ""}`);
}

/** Compares both sides: the report (compare-table.mjs). */
export async function compare({ batches, other, output, listen, quietS, settings }) {
  const files = filesIn(batches);
  if (files.length === 0) throw new Trouble(`there are no batches in ${batches}`, "name the folder in which `logs/` is");
  if (files.length > MOST_BATCHES) throw new Trouble(`there are more than ${MOST_BATCHES} batches`, "compare an hour, in a folder of its own");
  const evidence = new Evidence(files);
  const theirs = other
    ? await otherByUrl(other, files, { listen, quietS, step: progress("given to the other Worker") })
    : otherByOutput(filesIn(output));
  const raydex = new Raydex();
  try {
    await raydex.start(settings);
    await raydex.take(files, progress("read by raydex"));
    const accounts = { verdicts: raydex.verdicts, rejected: await raydex.rejected(), reasons: (rays) => raydex.reasons(rays) };
    const found = await compareLines(raydex.lines, theirs, evidence, accounts);
    return reportOf({ batches: files.length, input: evidence.lines, ...found });
  } finally {
    await raydex.stop();
  }
}

async function main(args) {
  const options = optionsOf(args);
  if (options.check) return 0;
  if (options.sample && !fs.existsSync(options.sample)) writeSample(options.sample, { program: MAKE_BATCHES, records: options.records });
  const { other, "other-output": output, listen, quietS, settings } = options;
  if (!other && !output) {
    process.stdout.write(`The batches are in ${options.sample}. Give them to the other Worker, then name its output with --other-output.\n`);
    return 0;
  }
  if (other && process.stderr.isTTY) process.stderr.write(`  the other Worker delivers to http://127.0.0.1:${listen}${RECEIVER.uri}, signed with the key "${RECEIVER.key}"\n`);
  const report = await compare({ batches: options.batches ?? options.sample, other, output, listen, quietS, settings });
  process.stdout.write(`${options.json ? JSON.stringify(report, null, 2) : tableOf(report)}\n`);
  return report.unexplained > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  exitAtSignals();
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    const isKnown = error instanceof Trouble || error instanceof NotBuilt;
    const toDo = error instanceof NotBuilt ? "run scripts/build" : error.toDo;
    process.stderr.write(`scripts/compare: ${isKnown ? error.message : error.stack}\n${toDo ? `  what to do: ${toDo}\n` : ""}`);
    process.exitCode = 2;
  }
}
