# The Logpush jobs: NDJSON into the folder of each dataset, with the fields that raydex needs.

resource "cloudflare_logpush_job" "this" {
  for_each = var.logpush_jobs

  account_id                  = each.value.zone_id == null ? var.account_id : null
  zone_id                     = each.value.zone_id
  name                        = each.key
  dataset                     = each.value.dataset
  enabled                     = true
  filter                      = each.value.filter
  max_upload_interval_seconds = each.value.max_upload_interval_seconds

  destination_conf = join("", [
    "r2://${cloudflare_r2_bucket.logs.name}/${var.log_prefix}${each.value.dataset}/{DATE}",
    "?account-id=${var.account_id}",
    "&access-key-id=${var.logpush_r2_key.access_key_id}",
    "&secret-access-key=${var.logpush_r2_key.secret_access_key}",
  ])

  output_options = {
    output_type      = "ndjson"
    timestamp_format = each.value.timestamp_format
    field_names      = distinct(concat(lookup(local.required_fields, each.value.dataset, []), each.value.fields))
  }

  # What is written from the first moment on is announced.
  depends_on = [cloudflare_r2_bucket_event_notification.logs, cloudflare_queue_consumer.this]

  lifecycle {
    precondition {
      condition     = var.logpush_r2_key != null
      error_message = "A Logpush job needs a logpush_r2_key."
    }

    precondition {
      condition     = length(distinct(concat(lookup(local.required_fields, each.value.dataset, []), each.value.fields))) > 0
      error_message = "The job needs fields, one of them the time of its dataset (schemas/datasets.toml)."
    }
  }
}
