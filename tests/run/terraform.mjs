// The Terraform module (deploy/terraform): each resource and argument is one that the provider has, names and numbers are those of
// wrangler.toml and the documents, and what the expressions come to is what raydex needs.
// For `node --test`; needs the packages of tests/infrastructure. Without a terraform, what it evaluates is left out.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { unstable_readConfig as readConfig } from "wrangler";
import { ROOT, text } from "../infrastructure/alerts.mjs";
import { MODULE, configurationOf, evaluated, resourcesOf } from "../infrastructure/module.mjs";
import { faultsOf, namesIn, providerVersion, schemaOf } from "../infrastructure/provider.mjs";

const skip = spawnSync("terraform", ["version"]).error !== undefined && "there is no terraform";
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-terraform-"));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const wrangler = readConfig({ config: path.join(ROOT, "wrangler.toml") });
const module = await configurationOf(MODULE);
const resources = resourcesOf(module).filter(({ type }) => type !== "terraform_data");
const EXAMPLES = ["minimal", "complete"];
/** What the examples ask for. */
const GIVEN = { "${var.api_token_sha256}": "a".repeat(64), "${var.logpush_r2_key}": { access_key_id: "an-id", secret_access_key: "a-secret" } };

/** The arguments that an example gives to the module. */
async function exampleOf(name) {
  const { source, ...given } = (await configurationOf(`${MODULE}/examples/${name}`)).module.raydex[0];
  assert.equal(source, "../..");
  return Object.fromEntries(Object.entries(given).map(([argument, value]) => [argument, GIVEN[value] ?? value]));
}

/** A value of a variable's default. */
const defaultOf = (name) => module.variable[name][0].default;

test("the module asks for the provider whose schema is read here", () => {
  const [{ cloudflare }] = module.terraform.required_providers;
  const least = /^>= (\d+\.\d+), < 6\.0$/.exec(cloudflare.version)[1];
  assert.equal(cloudflare.source, "cloudflare/cloudflare");
  assert.ok(providerVersion().startsWith(`${least}.`), providerVersion());
});

test("each resource and argument is one of the provider", () => {
  assert.ok(resources.length > 14, `${resources.length} resources`);
  for (const { type, place, values } of resources) {
    const schema = schemaOf(type);
    assert.ok(schema, `the provider has no ${type}`);
    assert.deepEqual(faultsOf(schema.arguments, values, place), []);
  }
});

test("an argument that the provider lacks, a missing one and a wrong value are found", () => {
  const schema = (type) => schemaOf(type).arguments;
  assert.equal(schemaOf("cloudflare_r2_buckets"), undefined);
  const version = { account_id: "a", worker_id: "w" };
  for (const [type, values, words] of [
    ["cloudflare_queue", { account_id: "a", queue_name: "q", retention: 1 }, /no argument retention/],
    ["cloudflare_queue", { account_id: "a" }, /lacks queue_name/],
    ["cloudflare_queue", { account_id: "a", queue_name: "q", settings: { message_retention: 1 } }, /settings has no argument message_retention/],
    ["cloudflare_queue", { account_id: "a", queue_name: 1 }, /queue_name is a string/],
    ["cloudflare_worker_version", { ...version, migrations: { steps: [{ new_sqlite_class: ["A"] }] } }, /steps has no argument new_sqlite_class/],
    ["cloudflare_worker_version", { ...version, bindings: [{ type: "r2", name: "RAW" }] }, /bindings.type is none of/],
    ["cloudflare_worker_version", { ...version, bindings: { type: "queue", name: "Q" } }, /bindings is a list/],
    ["cloudflare_worker_version", { ...version, limits: {} }, /limits lacks cpu_ms/],
    ["cloudflare_worker_version", { ...version, bindings: "${[for a in b : { kind = a }]}" }, /bindings has no argument kind/],
  ]) {
    assert.match(faultsOf(schema(type), values, type).join(), words);
  }
  assert.deepEqual(namesIn('${x == null ? [] : [{ a = "b = c", d = { e = f } }]}'), ["a", "d", "e"]);
});

test("each reference leads to a resource, a variable or a local value that has it", () => {
  const all = JSON.stringify([module.resource, module.locals, module.output]);
  for (const [, type, name, , attribute] of all.matchAll(/\b(cloudflare_\w+)\.(\w+)((?:\[[^\]]*\])?)(?:\.(\w+))?/g)) {
    const { arguments: own, attributes } = schemaOf(type);
    assert.ok(module.resource[type]?.[name], `there is no ${type}.${name}`);
    if (attribute) assert.ok(own[attribute] || attributes.has(attribute), `${type} has no ${attribute}`);
  }
  const named = (kind) => new Set([...all.matchAll(new RegExp(`\\b${kind}\\.(\\w+)`, "g"))].map(([, name]) => name));
  assert.deepEqual([...named("local")].filter((name) => !(name in module.locals)), []);
  assert.deepEqual([...named("var")].sort(), Object.keys(module.variable).sort(), "each variable is used");
});

test("the Worker is bound as wrangler.toml binds it", () => {
  const { worker, modules, producers, durable_objects: objects, migrations } = module.locals;
  assert.deepEqual(worker, {
    name: wrangler.name,
    main_module: path.basename(wrangler.main),
    compatibility_date: wrangler.compatibility_date,
    compatibility_flags: wrangler.compatibility_flags,
    cpu_ms: wrangler.limits.cpu_ms,
    crons: wrangler.triggers.crons,
  });
  assert.equal(modules[0].name, worker.main_module);
  assert.ok(fs.readFileSync(path.join(ROOT, "scripts/build-worker/src/main.rs"), "utf8").includes(modules[1].name), "what the build makes");
  assert.deepEqual(producers, Object.fromEntries(wrangler.queues.producers.map(({ binding, queue }) => [binding, queue])));
  assert.deepEqual(objects, Object.fromEntries(wrangler.durable_objects.bindings.map(({ name, class_name: of }) => [name, of])));
  assert.deepEqual(migrations, wrangler.migrations);
  assert.deepEqual([module.locals.bucket_binding, defaultOf("bucket_name")], [wrangler.r2_buckets[0].binding, wrangler.r2_buckets[0].bucket_name]);
  assert.match(text("wrangler.toml"), new RegExp(`^# binding = "${module.locals.data_bucket_binding}"$`, "m"));
  assert.equal(defaultOf("workers_dev"), wrangler.workers_dev);
});

test("the edge logger is bound as wrangler.toml binds it", () => {
  const edge = readConfig({ config: path.join(ROOT, "wrangler.toml"), env: "edge" });
  const { edge_worker: worker, edge_modules: modules, edge_producers: producers, edge_durable_objects: objects, ...all } = module.locals;
  assert.deepEqual([worker.name, worker.main_module, modules[0].name], [edge.name, path.basename(edge.main), path.basename(edge.main)]);
  assert.deepEqual(modules[1], all.modules[1]);
  assert.deepEqual(producers, Object.fromEntries(edge.queues.producers.map(({ binding, queue }) => [binding, queue])));
  assert.deepEqual(objects, Object.fromEntries(edge.durable_objects.bindings.map(({ name, class_name: of }) => [name, of])));
  assert.deepEqual(edge.durable_objects.bindings.map(({ script_name: script }) => script), [all.worker.name]);
  assert.deepEqual(edge.r2_buckets, wrangler.r2_buckets);
  // What both have in common is said once in the module.
  for (const name of ["compatibility_date", "compatibility_flags", "limits", "observability"]) assert.deepEqual(edge[name], wrangler[name], name);
  assert.deepEqual([edge.triggers.crons, edge.migrations, edge.workers_dev], [[], [], false]);
});

test("the queues are consumed as wrangler.toml says, and kept as the documents say", () => {
  const ours = wrangler.queues.consumers.map(({ queue, max_batch_size, max_batch_timeout, max_retries, dead_letter_queue }) => [
    queue,
    { batch_size: max_batch_size, max_retries, max_wait_time_ms: max_batch_timeout === undefined ? null : max_batch_timeout * 1000, dead_letter_queue: dead_letter_queue ?? null },
  ]);
  assert.deepEqual(module.locals.consumers, Object.fromEntries(ours));
  const seconds = [...text("docs/deploy.md").matchAll(/--message-retention-period-secs (\d+)/g)].map(([, number]) => Number(number));
  assert.deepEqual(seconds.filter((number) => number !== module.locals.message_retention_s), []);
});

test("Logpush jobs have the fields that the documents ask for", () => {
  const rows = [...text("docs/deploy.md").matchAll(/^\| `([a-z_]+)` \| (`[A-Za-z]+`(?:, `[A-Za-z]+`)*) \|$/gm)];
  const asked = Object.fromEntries(rows.map(([, dataset, fields]) => [dataset, fields.replaceAll("`", "").split(", ")]));
  assert.ok(rows.length > 5, `${rows.length} datasets`);
  assert.deepEqual(module.locals.required_fields, asked);
});

test("each variable and output is described, and each validation says what to do", () => {
  for (const [name, [{ description, type, validation = [] }]] of Object.entries(module.variable)) {
    assert.ok(/\.$|\)\.$/.test(description) && type, name);
    for (const { error_message: message } of validation) assert.match(message, /^The [a-z_0-9]+ .*\.$/, name);
  }
  for (const [name, [{ description }]] of Object.entries(module.output)) assert.match(description, /\.$/, name);
  const readme = text(`${MODULE}/README.md`);
  assert.deepEqual(Object.keys(module.variable).filter((name) => !readme.includes(`\`${name}\``)), [], "README names each variable");
});

test("no secret of the settings is a variable, nor in the state", () => {
  const { settings } = JSON.parse(text("schemas/config.json"));
  const secrets = settings.filter(({ secret }) => secret).map(({ name }) => name);
  const written = Object.values(module.locals).concat(Object.keys(module.variable)).map((value) => JSON.stringify(value)).join();
  // The hash of a token is no secret that leads anywhere.
  assert.deepEqual(secrets.filter((name) => written.includes(name)), ["API_TOKEN_SHA256"]);
  assert.equal(module.variable.logpush_r2_key[0].sensitive, true);
});

test("the examples give arguments that the module has, and all that it needs", async () => {
  for (const name of EXAMPLES) {
    const given = Object.keys(await exampleOf(name));
    assert.deepEqual(given.filter((argument) => !(argument in module.variable)), [], name);
    const needed = Object.keys(module.variable).filter((variable) => !("default" in module.variable[variable][0]));
    assert.deepEqual(needed.filter((variable) => !given.includes(variable)), [], name);
  }
});

test("terraform would write the files as they are", { skip }, () => {
  const { status, stdout } = spawnSync("terraform", ["fmt", "-check", "-recursive", path.join(ROOT, MODULE)], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});

for (const name of EXAMPLES) {
  test(`what the example ${name} comes to fits the provider's schema`, { skip }, async () => {
    const { resources: made, error } = await evaluated(folder, await exampleOf(name));
    assert.equal(error, undefined);
    for (const [place, values] of Object.entries(made)) {
      const { aud, ...own } = values;
      const { arguments: schema } = schemaOf(`cloudflare_${place.split(".")[0]}`);
      assert.deepEqual(faultsOf(schema, place.startsWith("zero_trust_access_application") ? own : values, place), []);
    }
    assert.deepEqual(Object.keys(made).some((place) => place.includes(".edge")), name === "complete");
    checkBindings(made["worker_version.this"].bindings, await exampleOf(name));
  });
}

/** The bindings of the Worker: those of wrangler.toml, the settings and the secrets. */
function checkBindings(bindings, given) {
  const names = (type) => bindings.filter((binding) => binding.type === type).map(({ name }) => name).sort();
  assert.deepEqual(names("r2_bucket"), given.data_bucket_name ? ["DATA", "RAW"] : ["RAW"]);
  assert.deepEqual(names("queue"), wrangler.queues.producers.map(({ binding }) => binding).sort());
  assert.deepEqual(names("durable_object_namespace"), wrangler.durable_objects.bindings.map(({ name }) => name).sort());
  assert.deepEqual(names("inherit"), (given.inherited_secrets ?? []).toSorted());
  assert.deepEqual(names("secret_text"), given.api_token_sha256 ? ["API_TOKEN_SHA256"] : []);
  const settings = Object.fromEntries(bindings.filter(({ type }) => type === "plain_text").map(({ name, text: value }) => [name, value]));
  assert.deepEqual([settings.BUCKET_NAME, settings.LOG_PREFIX, settings.PARSE_DLQ_NAME], ["cdn-logs-raw", "logs/", "parse-dlq"]);
  assert.deepEqual([settings.LOG_RETENTION_DAYS, settings.ACCESS_AUD], given.access ? ["30", "an-audience"] : [undefined, undefined]);
}

test("a migration is deployed by a version without the classes' bindings, before the one that binds them", { skip }, async () => {
  const given = await exampleOf("minimal");
  for (const [migrated_to, old_tag, classes] of [
    [undefined, null, [["RayShard", "Ledger", "Audit"], ["EdgeSpool"]]],
    ["v1", "v1", [["EdgeSpool"]]],
    ["v2", undefined, undefined],
  ]) {
    const { resources: made } = await evaluated(folder, { ...given, migrated_to });
    const own = made["worker_version.migration[0]"];
    assert.deepEqual(own?.migrations.steps.map(({ new_sqlite_classes: names }) => names), classes);
    assert.equal(own?.migrations.old_tag, old_tag);
    assert.equal(own?.bindings.some(({ type }) => type === "durable_object_namespace") ?? false, false);
    assert.equal(own === undefined, made["workers_deployment.migration[0]"] === undefined);
    assert.equal(made["worker_version.this"].migrations, undefined);
  }
  const [{ depends_on: after }] = module.resource.cloudflare_worker_version.this;
  assert.deepEqual(after, ["${cloudflare_workers_deployment.migration}"]);
});

test("a second deployment in the account has names of its own, and its Worker knows them", { skip }, async () => {
  const { resources: made } = await evaluated(folder, { ...(await exampleOf("minimal")), prefix: "staging-" });
  assert.equal(made["worker.this"].name, "staging-raydex");
  const { bindings } = made["worker_version.this"];
  for (const queue of Object.keys(module.locals.consumers)) {
    assert.equal(made[`queue.this[${queue}]`].queue_name, `staging-${queue}`);
    assert.ok(bindings.some(({ type, text: value }) => type === "plain_text" && value === `staging-${queue}`), queue);
  }
  assert.equal(made["queue_consumer.this[parse-queue]"].dead_letter_queue, "staging-parse-dlq");
});

test("what cannot work is refused before anything is made, in words", { skip }, async () => {
  const given = await exampleOf("minimal");
  const access = { team: "acme", grants: '[{"email":"a@example.com"}]', emails: ["a@example.com"] };
  for (const [wrong, words] of [
    [{ account_id: "me" }, /account_id must have 32/],
    [{ prefix: "staging" }, /ends? with a hyphen/],
    [{ bucket_name: "Logs" }, /bucket_name must have/],
    [{ bucket_location: "mars" }, /bucket_location must be/],
    [{ log_prefix: "raydex/" }, /log_prefix must end with a slash/],
    [{ log_prefix: "logs" }, /log_prefix must end with a slash/],
    [{ log_retention_days: 0.5 }, /whole number from 1/],
    [{ api_token_sha256: "secret" }, /64 hexadecimal digits/],
    [{ migrated_to: "v9" }, /no tag of a migration: v1, v2/],
    [{ settings: { LOG_LEVL: "debug" } }, /no such setting, or it is a secret: LOG_LEVL/],
    [{ settings: { PARTNER_PRIVATE_KEY: "x" } }, /it is a secret: PARTNER_PRIVATE_KEY/],
    [{ settings: { BUCKET_NAME: "other" } }, /variables of their own: BUCKET_NAME/],
    [{ inherited_secrets: ["LOG_LEVEL"] }, /no secrets of raydex: LOG_LEVEL/],
    [{ inherited_secrets: ["API_TOKEN_SHA256"] }, /either inherited or given/],
    [{ logpush_r2_key: undefined }, /needs a logpush_r2_key/],
    [{ logpush_jobs: { a: { dataset: "dns_logs" } } }, /needs fields/],
    [{ logpush_jobs: { a: { dataset: "http_requests", timestamp_format: "iso" } } }, /timestamp_format/],
    [{ hostname: "raydex.example.com" }, /needs the zone_id/],
    [{ edge: { routes: { "api.example.com/*": "example.com" } } }, /routes of edge must have/],
    [{ edge: { routes: {}, settings: { EDGE_SINK_HEADERS: "x" } } }, /it is a secret: EDGE_SINK_HEADERS/],
    [{ edge: { routes: {}, inherited_secrets: ["EDGE_ROUTES"] } }, /no secrets of raydex: EDGE_ROUTES/],
    [{ access }, /Access needs a hostname/],
    [{ access: { ...access, emails: [] } }, /lets everyone in/],
    [{ access: { ...access, grants: "[]" } }, /JSON array that is not empty/],
  ]) {
    const { error } = await evaluated(folder, { ...given, ...wrong });
    const message = (error ?? "nothing is refused").replace(/\s+/g, " ");
    assert.match(message, words, JSON.stringify(wrong));
    assert.match(message, /Invalid value for variable|Resource precondition failed/, JSON.stringify(wrong));
  }
});
