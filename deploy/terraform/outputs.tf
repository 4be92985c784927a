# What other configurations and people need to know.

output "worker_name" {
  description = "Name of the Worker, for `wrangler secret put NAME --name …`."
  value       = cloudflare_worker.this.name
}

output "url" {
  description = "Where the Worker answers under its own hostname; null without one."
  value       = var.hostname == null ? null : "https://${var.hostname}"
}

output "version_id" {
  description = "The version that is deployed."
  value       = cloudflare_worker_version.this.id
}

output "bucket_name" {
  description = "The bucket that Logpush writes to."
  value       = cloudflare_r2_bucket.logs.name
}

output "queue_ids" {
  description = "Identifiers of the queues, by their names without prefix."
  value       = { for name, queue in cloudflare_queue.this : name => queue.id }
}

output "access_aud" {
  description = "The audience tag of the Access application; null without one."
  value       = one(cloudflare_zero_trust_access_application.this[*].aud)
}
