# raydex without delivery: everything that Logpush writes for one zone is indexed, and found with one token.
#
# TF_VAR_api_token_sha256=$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1), CLOUDFLARE_API_TOKEN for the provider.

terraform {
  required_providers {
    cloudflare = {
      source  = "cloudflare/cloudflare"
      version = ">= 5.14, < 6.0"
    }
  }
}

variable "api_token_sha256" {
  description = "SHA-256 of the token that may do and see everything."
  type        = string
}

variable "logpush_r2_key" {
  description = "An R2 API token for Logpush, for the log bucket alone."
  type        = object({ access_key_id = string, secret_access_key = string })
  sensitive   = true
}

module "raydex" {
  source = "../.."

  account_id       = "00000000000000000000000000000000"
  api_token_sha256 = var.api_token_sha256
  logpush_r2_key   = var.logpush_r2_key

  logpush_jobs = {
    requests = {
      dataset = "http_requests"
      zone_id = "11111111111111111111111111111111"
      fields  = ["ClientIP", "ClientRequestHost", "ClientRequestMethod", "ClientRequestURI", "EdgeEndTimestamp", "EdgeResponseStatus", "ParentRayID", "ZoneName"]
    }
  }
}

output "worker_name" {
  description = "Name of the Worker."
  value       = module.raydex.worker_name
}
