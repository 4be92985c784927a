# The buckets, what is deleted from them, and who hears of new objects.

resource "cloudflare_r2_bucket" "logs" {
  account_id = var.account_id
  name       = var.bucket_name
  location   = var.bucket_location

  lifecycle {
    prevent_destroy = true
  }
}

resource "cloudflare_r2_bucket" "data" {
  count = var.data_bucket_name == null ? 0 : 1

  account_id = var.account_id
  name       = var.data_bucket_name
  location   = var.bucket_location

  lifecycle {
    prevent_destroy = true
  }
}

locals {
  day_s = 24 * 60 * 60

  all_log_rules = var.log_retention_days == null ? [] : [{
    id                        = "logs"
    enabled                   = true
    conditions                = { prefix = var.log_prefix }
    delete_objects_transition = { condition = { type = "Age", max_age = var.log_retention_days * local.day_s } }
  }]

  # Prefixes with days of their own: R2 deletes an object by the shortest of its rules.
  dataset_log_rules = [for prefix, rule in jsondecode(lookup(var.settings, "DATASETS", "{}")) : {
    id                        = "logs ${prefix}"
    enabled                   = true
    conditions                = { prefix = prefix }
    delete_objects_transition = { condition = { type = "Age", max_age = rule.retention_days * local.day_s } }
  } if try(rule.retention_days, null) != null]

  log_rules = concat(local.all_log_rules, local.dataset_log_rules)

  audit_rules = var.audit_retention_days == null ? [] : [{
    id                        = "audit-log"
    enabled                   = true
    conditions                = { prefix = "raydex/audit/v1/" }
    delete_objects_transition = { condition = { type = "Age", max_age = var.audit_retention_days * local.day_s } }
  }]
}

resource "cloudflare_r2_bucket_lifecycle" "logs" {
  count = length(concat(local.log_rules, var.data_bucket_name == null ? local.audit_rules : [])) > 0 ? 1 : 0

  account_id  = var.account_id
  bucket_name = cloudflare_r2_bucket.logs.name
  rules       = concat(local.log_rules, var.data_bucket_name == null ? local.audit_rules : [])
}

resource "cloudflare_r2_bucket_lifecycle" "data" {
  count = var.data_bucket_name != null && length(local.audit_rules) > 0 ? 1 : 0

  account_id  = var.account_id
  bucket_name = cloudflare_r2_bucket.data[0].name
  rules       = local.audit_rules
}

# Objects that are written before there is a rule are found by the sweep.
resource "cloudflare_r2_bucket_event_notification" "logs" {
  account_id  = var.account_id
  bucket_name = cloudflare_r2_bucket.logs.name
  queue_id    = cloudflare_queue.this["parse-queue"].id

  rules = [{
    actions     = ["PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "LifecycleDeletion"]
    prefix      = var.log_prefix
    suffix      = ".log.gz"
    description = "raydex: batches that Logpush writes, and that are deleted"
  }]
}
