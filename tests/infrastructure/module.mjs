// The Terraform module as data: what its files say, parsed by HashiCorp's own parser (@cdktf/hcl2json), and, where there is a
// terraform, what its expressions come to.
//
// Terraform needs the provider to plan a resource, and has none here. So each resource becomes a `terraform_data`, which Terraform
// brings itself, with the arguments as its input: variables, validations, preconditions, counts and expressions are the module's own.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { parse } from "@cdktf/hcl2json";
import { ROOT } from "./alerts.mjs";
import { META } from "./provider.mjs";

export const MODULE = "deploy/terraform";

/** The configuration of a folder: {resource, variable, output, local, terraform, module, provider}. */
export async function configurationOf(folder) {
  const place = path.join(ROOT, folder);
  const whole = { resource: {}, variable: {}, output: {}, locals: {}, module: {}, provider: {}, terraform: {} };
  for (const file of fs.readdirSync(place).filter((name) => name.endsWith(".tf"))) {
    const { locals = [], terraform = [], ...blocks } = await parse(file, fs.readFileSync(path.join(place, file), "utf8"));
    Object.assign(whole.locals, ...locals);
    Object.assign(whole.terraform, ...terraform);
    for (const [kind, named] of Object.entries(blocks)) {
      for (const [type, value] of Object.entries(named)) whole[kind][type] = kind === "resource" ? { ...whole[kind][type], ...value } : value;
    }
  }
  return whole;
}

/** Every resource: {type, name, place, values} without Terraform's own arguments, and with them. */
export function resourcesOf({ resource }) {
  return Object.entries(resource).flatMap(([type, named]) =>
    Object.entries(named).map(([name, [all]]) => {
      const values = Object.fromEntries(Object.entries(all).filter(([argument]) => !META.includes(argument)));
      return { type, name, place: `${type}.${name}`, values, all };
    }),
  );
}

/** Replaces each string in a value. */
function mapped(value, change) {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapped(item, change));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, mapped(item, change)]));
}

/** An expression over resources of the provider as one over their stand-ins. */
function overStandIns(expression) {
  return expression
    .replace(/\bcloudflare_(\w+)\.(\w+)((?:\[[^\]]*\])?)\.(?!id\b)(\w+)/g, "terraform_data.$1__$2$3.output.$4")
    .replace(/\bcloudflare_(\w+)\.(\w+)/g, "terraform_data.$1__$2")
    .replace(/\bbucket\.name\b/g, "bucket.output.name");
}

/** The configuration with stand-ins, as Terraform's JSON. */
function standIns(configuration) {
  const resource = { terraform_data: {} };
  for (const { type, name, values, all } of resourcesOf(configuration)) {
    if (type === "terraform_data") continue;
    const { count, for_each: each, depends_on: after, lifecycle } = all;
    const preconditions = lifecycle?.flatMap(({ precondition = [] }) => precondition) ?? [];
    resource.terraform_data[`${type.slice("cloudflare_".length)}__${name}`] = {
      ...(count !== undefined && { count }),
      ...(each !== undefined && { for_each: each }),
      ...(after && { depends_on: after.map((one) => one.replace(/^\$\{(.*)\}$/, "$1")) }),
      ...(preconditions.length > 0 && { lifecycle: { precondition: preconditions } }),
      input: { ...values, ...(type === "cloudflare_zero_trust_access_application" && { aud: "an-audience" }) },
    };
  }
  const variable = mapped(configuration.variable, (text) => text);
  for (const [one] of Object.values(variable)) one.type = one.type.replace(/^\$\{([\s\S]*)\}$/, "$1");
  return mapped({ resource, variable, locals: configuration.locals, output: configuration.output }, overStandIns);
}

/** JSON on many lines: a message of Terraform quotes the line that it speaks of. */
const lines = (value) => JSON.stringify(value, null, 1);

/** Runs the module with these variables: {resources} by place with their evaluated arguments and {outputs}, or {error}. */
export async function evaluated(folder, variables) {
  const configuration = standIns(await configurationOf(MODULE));
  // The module reads schemas/config.json two folders above.
  const place = path.join(folder, "deploy/terraform");
  fs.mkdirSync(place, { recursive: true });
  fs.mkdirSync(path.join(folder, "schemas"), { recursive: true });
  fs.copyFileSync(path.join(ROOT, "schemas/config.json"), path.join(folder, "schemas/config.json"));
  fs.writeFileSync(path.join(place, "main.tf.json"), lines(configuration));
  fs.writeFileSync(path.join(place, "terraform.tfvars.json"), lines(variables));
  fs.rmSync(path.join(place, "terraform.tfstate"), { force: true });
  const run = (...options) => spawnSync("terraform", options, { cwd: place, encoding: "utf8", maxBuffer: 1 << 26, env: { ...process.env, CHECKPOINT_DISABLE: "1" } });
  const init = run("init", "-backend=false", "-input=false", "-no-color");
  if (init.status !== 0) throw new Error(init.stderr + init.stdout);
  const apply = run("apply", "-auto-approve", "-input=false", "-no-color");
  if (apply.status !== 0) return { error: apply.stderr };
  const { values } = JSON.parse(run("show", "-json").stdout);
  const resources = values.root_module.resources.map(({ name, index, values: { input } }) => [`${name.replace("__", ".")}${index === undefined ? "" : `[${index}]`}`, input]);
  return { resources: Object.fromEntries(resources), outputs: Object.fromEntries(Object.entries(values.outputs ?? {}).map(([name, { value }]) => [name, value])) };
}
