# raydex under a hostname of its own behind Access, with a data bucket, lifecycle rules, delivery to a partner, two datasets
# and the edge logger.

terraform {
  required_providers {
    cloudflare = {
      source  = "cloudflare/cloudflare"
      version = ">= 5.14, < 6.0"
    }
  }
}

variable "logpush_r2_key" {
  description = "An R2 API token for Logpush, for the log bucket alone."
  type        = object({ access_key_id = string, secret_access_key = string })
  sensitive   = true
}

module "raydex" {
  source = "../.."

  account_id           = "00000000000000000000000000000000"
  bucket_location      = "weur"
  data_bucket_name     = "raydex-data"
  log_retention_days   = 30
  audit_retention_days = 365

  hostname    = "raydex.example.com"
  zone_id     = "11111111111111111111111111111111"
  workers_dev = false

  access = {
    team          = "acme"
    email_domains = ["example.com"]
    session_hours = 12
    grants        = "[{\"email_domain\":\"example.com\",\"scopes\":[\"read\"],\"role\":\"support\"}]"
  }

  settings = {
    BATCH_SIZE         = "2000"
    PARTNER_ON_UNKNOWN = "park"
  }

  # Set by `wrangler secret bulk` after the first apply; until then the set is empty.
  inherited_secrets = ["API_TOKENS", "PARTNER_ENDPOINT", "PARTNER_URI", "PARTNER_PRIVATE_KEY"]

  edge = {
    routes   = { "api.example.com/*" = "11111111111111111111111111111111" }
    settings = { EDGE_FLUSH_SECONDS = "15" }
  }

  logpush_r2_key = var.logpush_r2_key
  logpush_jobs = {
    requests = {
      dataset = "http_requests"
      zone_id = "11111111111111111111111111111111"
      fields  = ["ClientIP", "ClientRequestHost", "ClientRequestMethod", "ClientRequestURI", "EdgeEndTimestamp", "EdgeResponseStatus", "ParentRayID", "ZoneName"]
    }
    workers = {
      dataset                     = "workers_trace_events"
      fields                      = ["Exceptions", "Logs", "Outcome", "ScriptName"]
      max_upload_interval_seconds = 60
    }
  }
}

output "worker_name" {
  description = "Name of the Worker."
  value       = module.raydex.worker_name
}
