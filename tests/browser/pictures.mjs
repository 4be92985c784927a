// Pictures of the page for the documents: scripts/pictures writes them to docs/pictures/, with the sample data of scripts/run.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { open, rayAt, world } from "./harness.mjs";

const FOLDER = fileURLToPath(new URL("../../docs/pictures", import.meta.url));
const { ray } = world.examples.story;

/** Name, address, and height of each picture. */
const PICTURES = [
  ["look-up", `/r/${ray}`, 900],
  ["not-found", `/r/${rayAt(Date.now() - 200_000)}`, 700],
  ["search", "/search?last=1h", 900],
  ["operations", "/ops", 900],
];

fs.mkdirSync(FOLDER, { recursive: true });
for (const [name, address, height] of PICTURES) {
  await open({ as: "main", height, expected: [404] }, async (page) => {
    await page.goto(`${world.url}${address}`);
    await page.waitForLoadState("networkidle");
    await page.screenshot({ path: path.join(FOLDER, `${name}.png`) });
  });
  process.stdout.write(`docs/pictures/${name}.png\n`);
}
process.exit(0);
