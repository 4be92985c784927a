// A Worker with sample data, for programs that ask it over HTTP: `node tests/clients/world.mjs [--rate N] PROGRAM ARGS…`.
//
// It starts what sample.mjs describes and runs the program with where that is: RAYDEX_URL, RAYDEX_TOKEN, RAYDEX_ZONE and
// RAYDEX_ZONE_NAME (the one zone that the deployment names), RAYDEX_SAMPLE (the folder of the batches, with their
// manifest.json). `--rate N`: how often a caller may ask, per minute. It ends as the program does.
import { spawn } from "node:child_process";
import { startSample } from "./sample.mjs";

const given = process.argv.slice(2);
const rate = given[0] === "--rate" ? given.splice(0, 2)[1] : "0";
const { env } = await startSample({ rate });
const program = spawn(given[0], given.slice(1), { stdio: "inherit", env: { ...process.env, ...env } });
program.on("error", (error) => {
  console.error(String(error));
  process.exit(1);
});
program.on("close", (code) => process.exit(code ?? 1));
