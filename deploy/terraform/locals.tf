# What the Worker is bound to, as wrangler.toml has it; tests/run/terraform.mjs holds the two against each other.

locals {
  worker = {
    name                = "raydex"
    main_module         = "index.js"
    compatibility_date  = "2026-04-01"
    compatibility_flags = ["queue_consumer_no_wait_for_wait_until", "enable_request_signal"]
    cpu_ms              = 300000
    crons               = ["*/10 * * * *", "* * * * *"]
  }

  # Binding and file of each module that scripts/build makes.
  modules = [
    { name = "index.js", content_type = "application/javascript+module" },
    { name = "index_bg.wasm", content_type = "application/wasm" },
  ]

  bucket_binding      = "RAW"
  data_bucket_binding = "DATA"

  # Binding of each queue that the Worker sends to.
  producers = {
    PARSE_QUEUE = "parse-queue"
    SEND_QUEUE  = "send-queue"
  }

  # Every queue has a consumer, the dead-letter queues too: without one a queue loses its messages after its retention.
  consumers = {
    "parse-queue" = { batch_size = 5, max_wait_time_ms = 10000, max_retries = 3, dead_letter_queue = "parse-dlq" }
    "send-queue"  = { batch_size = 10, max_wait_time_ms = 5000, max_retries = 5, dead_letter_queue = "send-dlq" }
    "edge-queue"  = { batch_size = 10, max_wait_time_ms = 5000, max_retries = 100, dead_letter_queue = null }
    "parse-dlq"   = { batch_size = 10, max_wait_time_ms = null, max_retries = 100, dead_letter_queue = null }
    "send-dlq"    = { batch_size = 10, max_wait_time_ms = null, max_retries = 100, dead_letter_queue = null }
  }

  # 14 days, the longest that the platform keeps a message.
  message_retention_s = 1209600

  durable_objects = {
    RAY_SHARD  = "RayShard"
    LEDGER     = "Ledger"
    AUDIT      = "Audit"
    EDGE_SPOOL = "EdgeSpool"
  }

  migrations = [
    { tag = "v1", new_sqlite_classes = ["RayShard", "Ledger", "Audit"] },
    { tag = "v2", new_sqlite_classes = ["EdgeSpool"] },
  ]

  # The edge logger, the environment edge of wrangler.toml.
  edge_worker = {
    name        = "raydex-edge"
    main_module = "edge.js"
  }

  edge_modules = [
    { name = "edge.js", content_type = "application/javascript+module" },
    { name = "index_bg.wasm", content_type = "application/wasm" },
  ]

  edge_producers = {
    PARSE_QUEUE = "parse-queue"
    EDGE_QUEUE  = "edge-queue"
  }

  edge_durable_objects = {
    EDGE_SPOOL = "EdgeSpool"
  }

  # What raydex needs to find a record by: docs/deploy.md#logpush.
  required_fields = {
    http_requests                   = ["RayID", "EdgeStartTimestamp"]
    firewall_events                 = ["RayID", "Datetime"]
    workers_trace_events            = ["Event", "EventTimestampMs"]
    websocket_analytics             = ["RayID", "EdgeStartTimestamp"]
    access_requests                 = ["RayID", "CreatedAt"]
    account_abuse_protection_events = ["RayID", "Timestamp"]
  }
}

# What follows from the variables.
locals {
  worker_name = "${var.prefix}${local.worker.name}"

  # Settings and secrets that there are, as data of the code.
  described       = jsondecode(file("${path.module}/../../schemas/config.json")).settings
  plain_settings  = [for setting in local.described : setting.name if !setting.secret]
  secret_settings = [for setting in local.described : setting.name if setting.secret]

  # The names that the Worker must know because they may differ from its defaults.
  own_settings = {
    BUCKET_NAME      = var.bucket_name
    LOG_PREFIX       = var.log_prefix
    PARSE_QUEUE_NAME = "${var.prefix}parse-queue"
    SEND_QUEUE_NAME  = "${var.prefix}send-queue"
    PARSE_DLQ_NAME   = "${var.prefix}parse-dlq"
    SEND_DLQ_NAME    = "${var.prefix}send-dlq"
    EDGE_QUEUE_NAME  = "${var.prefix}edge-queue"
  }

  retention_settings = var.log_retention_days == null ? {} : { LOG_RETENTION_DAYS = tostring(var.log_retention_days) }

  access_settings = var.access == null ? {} : {
    ACCESS_TEAM          = var.access.team
    ACCESS_AUD           = cloudflare_zero_trust_access_application.this[0].aud
    ACCESS_GRANTS        = var.access.grants
    ACCESS_SESSION_HOURS = tostring(var.access.session_hours)
  }

  settings = merge(local.own_settings, local.retention_settings, local.access_settings, var.settings)

  # Migrations that are still to be applied: those after the tag of the deployment, all of them without one.
  tags    = [for migration in local.migrations : migration.tag]
  applied = try(index(local.tags, var.migrated_to) + 1, 0)
  pending = slice(local.migrations, local.applied, length(local.migrations))
}
