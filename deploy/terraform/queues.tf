# The queues, and the Worker as the consumer of each.

resource "cloudflare_queue" "this" {
  for_each = local.consumers

  account_id = var.account_id
  queue_name = "${var.prefix}${each.key}"
  settings   = { message_retention_period = local.message_retention_s }
}

resource "cloudflare_queue_consumer" "this" {
  for_each = local.consumers

  account_id        = var.account_id
  queue_id          = cloudflare_queue.this[each.key].id
  type              = "worker"
  script_name       = cloudflare_workers_deployment.this.script_name
  dead_letter_queue = each.value.dead_letter_queue == null ? null : cloudflare_queue.this[each.value.dead_letter_queue].queue_name

  settings = {
    batch_size       = each.value.batch_size
    max_retries      = each.value.max_retries
    max_wait_time_ms = each.value.max_wait_time_ms
  }
}
