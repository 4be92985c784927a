# The edge logger, a Worker of its own in front of a site. Its durable buffer is in the Worker of worker.tf, and its queue in queues.tf.

resource "cloudflare_worker" "edge" {
  count = var.edge == null ? 0 : 1

  account_id    = var.account_id
  name          = "${var.prefix}${local.edge_worker.name}"
  observability = { enabled = true }
  subdomain     = { enabled = false, previews_enabled = false }
}

locals {
  edge_built = [for file in local.edge_modules : {
    name         = file.name
    content_type = file.content_type
    content_file = "${coalesce(var.build_folder, "${path.module}/../../build")}/${file.name}"
  }]

  # BUCKET_NAME and LOG_PREFIX must be the same in both Workers.
  edge_settings = var.edge == null ? {} : merge({ BUCKET_NAME = var.bucket_name, LOG_PREFIX = var.log_prefix }, var.edge.settings)

  edge_queue_bindings = [for name, queue in local.edge_producers : {
    type       = "queue"
    name       = name
    queue_name = cloudflare_queue.this[queue].queue_name
  }]
  edge_object_bindings = [for name, class in local.edge_durable_objects : {
    type        = "durable_object_namespace"
    name        = name
    class_name  = class
    script_name = cloudflare_workers_deployment.this.script_name
  }]
  edge_setting_bindings = [for name, value in local.edge_settings : { type = "plain_text", name = name, text = value }]
  edge_secrets          = var.edge == null ? [] : sort(tolist(var.edge.inherited_secrets))
  edge_secret_bindings  = [for name in local.edge_secrets : { type = "inherit", name = name }]
  edge_origin           = try(var.edge.origin_service, null)
  edge_origin_bindings  = local.edge_origin == null ? [] : [{ type = "service", name = "ORIGIN", service = local.edge_origin }]
}

resource "cloudflare_worker_version" "edge" {
  count = var.edge == null ? 0 : 1

  account_id          = var.account_id
  worker_id           = cloudflare_worker.edge[0].id
  main_module         = local.edge_worker.main_module
  compatibility_date  = local.worker.compatibility_date
  compatibility_flags = local.worker.compatibility_flags
  limits              = { cpu_ms = local.worker.cpu_ms }
  annotations         = { workers_message = var.version_message }
  modules             = local.edge_built

  bindings = concat(
    [{ type = "r2_bucket", name = local.bucket_binding, bucket_name = cloudflare_r2_bucket.logs.name }],
    local.edge_queue_bindings,
    local.edge_object_bindings,
    local.edge_setting_bindings,
    local.edge_secret_bindings,
    local.edge_origin_bindings,
  )

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = length(setsubtract(keys(local.edge_settings), local.plain_settings)) == 0
      error_message = "There is no such setting, or it is a secret: ${join(", ", setsubtract(keys(local.edge_settings), local.plain_settings))}."
    }

    precondition {
      condition     = length(setsubtract(local.edge_secrets, local.secret_settings)) == 0
      error_message = "These are no secrets of raydex: ${join(", ", setsubtract(local.edge_secrets, local.secret_settings))}."
    }
  }
}

resource "cloudflare_workers_deployment" "edge" {
  count = var.edge == null ? 0 : 1

  account_id  = var.account_id
  script_name = cloudflare_worker.edge[0].name
  strategy    = "percentage"
  versions    = [{ version_id = cloudflare_worker_version.edge[0].id, percentage = 100 }]
}

resource "cloudflare_workers_route" "edge" {
  for_each = var.edge == null ? {} : var.edge.routes

  zone_id = each.value
  pattern = each.key
  script  = cloudflare_workers_deployment.edge[0].script_name
}
