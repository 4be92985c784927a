# The Worker, its versions and its deployment.
#
# A version that brings a class of Durable Objects cannot bind it: the class exists once the version is deployed. So a migration has
# a version of its own without bindings, which is deployed first. For the seconds until the next deployment, requests get 500 and
# messages return to their queues.

resource "cloudflare_worker" "this" {
  account_id    = var.account_id
  name          = local.worker_name
  observability = { enabled = true }
  subdomain     = { enabled = var.workers_dev, previews_enabled = false }
}

locals {
  built = [for file in local.modules : {
    name         = file.name
    content_type = file.content_type
    content_file = "${coalesce(var.build_folder, "${path.module}/../../build")}/${file.name}"
  }]

  bucket_bindings = concat(
    [{ type = "r2_bucket", name = local.bucket_binding, bucket_name = cloudflare_r2_bucket.logs.name }],
    [for bucket in cloudflare_r2_bucket.data : { type = "r2_bucket", name = local.data_bucket_binding, bucket_name = bucket.name }],
  )
  queue_bindings = [for name, queue in local.producers : {
    type       = "queue"
    name       = name
    queue_name = cloudflare_queue.this[queue].queue_name
  }]
  object_bindings  = [for name, class in local.durable_objects : { type = "durable_object_namespace", name = name, class_name = class }]
  setting_bindings = [for name, value in local.settings : { type = "plain_text", name = name, text = value }]
  # A hash of a random token, which leads back to nothing.
  token_bindings  = var.api_token_sha256 == null ? [] : [{ type = "secret_text", name = "API_TOKEN_SHA256", text = var.api_token_sha256 }]
  secret_bindings = [for name in sort(tolist(var.inherited_secrets)) : { type = "inherit", name = name }]
}

resource "cloudflare_worker_version" "migration" {
  count = length(local.pending) > 0 ? 1 : 0

  account_id          = var.account_id
  worker_id           = cloudflare_worker.this.id
  main_module         = local.worker.main_module
  compatibility_date  = local.worker.compatibility_date
  compatibility_flags = local.worker.compatibility_flags
  modules             = local.built
  bindings            = concat(local.token_bindings, local.secret_bindings)

  migrations = {
    old_tag = var.migrated_to
    new_tag = local.tags[length(local.tags) - 1]
    steps   = [for migration in local.pending : { new_sqlite_classes = migration.new_sqlite_classes }]
  }

  # It is made once for its migrations, not for each build.
  lifecycle {
    ignore_changes       = [modules, bindings, compatibility_date, compatibility_flags, annotations]
    replace_triggered_by = [terraform_data.migrations]
  }
}

resource "terraform_data" "migrations" {
  input = local.pending[*].tag
}

resource "cloudflare_workers_deployment" "migration" {
  count = length(cloudflare_worker_version.migration)

  account_id  = var.account_id
  script_name = cloudflare_worker.this.name
  strategy    = "percentage"
  versions    = [{ version_id = cloudflare_worker_version.migration[count.index].id, percentage = 100 }]
}

resource "cloudflare_worker_version" "this" {
  account_id          = var.account_id
  worker_id           = cloudflare_worker.this.id
  main_module         = local.worker.main_module
  compatibility_date  = local.worker.compatibility_date
  compatibility_flags = local.worker.compatibility_flags
  limits              = { cpu_ms = local.worker.cpu_ms }
  annotations         = { workers_message = var.version_message }
  modules             = local.built

  bindings = concat(
    local.bucket_bindings,
    local.queue_bindings,
    local.object_bindings,
    local.setting_bindings,
    local.token_bindings,
    local.secret_bindings,
  )

  depends_on = [cloudflare_workers_deployment.migration]

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = var.migrated_to == null ? true : contains(local.tags, var.migrated_to)
      error_message = "The migrated_to is no tag of a migration: ${join(", ", local.tags)}."
    }

    precondition {
      condition     = length(setsubtract(keys(var.settings), local.plain_settings)) == 0
      error_message = "There is no such setting, or it is a secret: ${join(", ", setsubtract(keys(var.settings), local.plain_settings))}."
    }

    precondition {
      condition     = length(setintersection(keys(var.settings), keys(local.own_settings))) == 0
      error_message = "These settings have variables of their own: ${join(", ", setintersection(keys(var.settings), keys(local.own_settings)))}."
    }

    precondition {
      condition     = length(setsubtract(var.inherited_secrets, local.secret_settings)) == 0
      error_message = "These are no secrets of raydex: ${join(", ", setsubtract(var.inherited_secrets, local.secret_settings))}."
    }

    precondition {
      condition     = var.api_token_sha256 == null || !contains(var.inherited_secrets, "API_TOKEN_SHA256")
      error_message = "API_TOKEN_SHA256 is either inherited or given as api_token_sha256."
    }
  }
}

resource "cloudflare_workers_deployment" "this" {
  account_id  = var.account_id
  script_name = cloudflare_worker.this.name
  strategy    = "percentage"
  versions    = [{ version_id = cloudflare_worker_version.this.id, percentage = 100 }]
}

resource "cloudflare_workers_cron_trigger" "this" {
  account_id  = var.account_id
  script_name = cloudflare_workers_deployment.this.script_name
  schedules   = [for cron in local.worker.crons : { cron = cron }]
}

resource "cloudflare_workers_custom_domain" "this" {
  count = var.hostname == null ? 0 : 1

  account_id = var.account_id
  zone_id    = var.zone_id
  hostname   = var.hostname
  service    = cloudflare_workers_deployment.this.script_name

  lifecycle {
    precondition {
      condition     = var.zone_id != null
      error_message = "A hostname needs the zone_id of its zone."
    }
  }
}
