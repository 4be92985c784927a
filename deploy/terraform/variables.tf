# What an operator decides.

variable "account_id" {
  description = "Identifier of the Cloudflare account, 32 hexadecimal digits."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{32}$", var.account_id))
    error_message = "The account_id must have 32 hexadecimal digits."
  }
}

variable "prefix" {
  description = "What the names of the Worker and its queues begin with, such as staging-, for a second deployment in the account."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,30}-)?)?$", var.prefix)) && (var.prefix == "" || endswith(var.prefix, "-"))
    error_message = "The prefix must be empty, or lower-case letters, digits and hyphens that end with a hyphen."
  }
}

variable "bucket_name" {
  description = "Name of the bucket that Logpush writes to. It is part of the identity of every batch: choose it once."
  type        = string
  default     = "cdn-logs-raw"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "The bucket_name must have 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "bucket_location" {
  description = "Where R2 keeps the buckets, as a hint: apac, eeur, enam, oc, weur or wnam; null for where they are first asked for."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_location == null ? true : contains(["apac", "eeur", "enam", "oc", "weur", "wnam"], var.bucket_location)
    error_message = "The bucket_location must be apac, eeur, enam, oc, weur or wnam."
  }
}

variable "data_bucket_name" {
  description = "Name of a second bucket for what raydex writes for itself; null to keep that under raydex/ in the log bucket."
  type        = string
  default     = null
}

variable "log_prefix" {
  description = "The folder of the bucket that is watched. For several folders, or the whole bucket, make the notification rules yourself."
  type        = string
  default     = "logs/"

  validation {
    condition     = can(regex("^[^/].*/$", var.log_prefix)) && !startswith(var.log_prefix, "raydex/") && !startswith(var.log_prefix, "processed/")
    error_message = "The log_prefix must end with a slash, and be neither raydex/ nor processed/, which are never read as logs."
  }
}

variable "log_retention_days" {
  description = "After how many days objects under log_prefix are deleted; null to keep them."
  type        = number
  default     = null

  validation {
    condition     = var.log_retention_days == null ? true : var.log_retention_days >= 1 && var.log_retention_days <= 36500 && floor(var.log_retention_days) == var.log_retention_days
    error_message = "The log_retention_days must be a whole number from 1 to 36500."
  }
}

variable "audit_retention_days" {
  description = "After how many days segments of the audit log are deleted; null to keep them. Nothing else under raydex/ may have a rule."
  type        = number
  default     = null

  validation {
    condition     = var.audit_retention_days == null ? true : var.audit_retention_days >= 1 && floor(var.audit_retention_days) == var.audit_retention_days
    error_message = "The audit_retention_days must be a whole number from 1."
  }
}

variable "build_folder" {
  description = "The folder of the built Worker, which scripts/build makes."
  type        = string
  default     = null
}

variable "version_message" {
  description = "What the versions are called in the dashboard, such as the commit that was built."
  type        = string
  default     = null
}

variable "migrated_to" {
  description = "Tag of the migration that the deployed Worker has, such as v1, before it gets newer ones; null for a new deployment."
  type        = string
  default     = null

  validation {
    condition     = var.migrated_to == null ? true : can(regex("^v[1-9][0-9]*$", var.migrated_to))
    error_message = "The migrated_to must be the tag of a migration, such as v1."
  }
}

variable "workers_dev" {
  description = "Whether the Worker answers at workers.dev. Set it to false where Access guards its own hostname."
  type        = bool
  default     = true
}

variable "hostname" {
  description = "A hostname of its own, such as raydex.example.com; null for none."
  type        = string
  default     = null
}

variable "zone_id" {
  description = "Identifier of the zone of the hostname."
  type        = string
  default     = null

  validation {
    condition     = var.zone_id == null ? true : can(regex("^[0-9a-f]{32}$", var.zone_id))
    error_message = "The zone_id must have 32 hexadecimal digits."
  }
}

variable "api_token_sha256" {
  description = "SHA-256 of the main token, in 64 hexadecimal digits; null where API_TOKENS or Access let people in. The token itself stays with you."
  type        = string
  default     = null

  validation {
    condition     = var.api_token_sha256 == null ? true : can(regex("^[0-9a-f]{64}$", var.api_token_sha256))
    error_message = "The api_token_sha256 must have 64 hexadecimal digits, as `sha256sum` prints them."
  }
}

variable "settings" {
  description = "Settings that are no secrets, by name: docs/configuration.md."
  type        = map(string)
  default     = {}
}

variable "inherited_secrets" {
  description = "Names of the secrets that `wrangler secret` has set. Each version takes over those that are named here, and loses others."
  type        = set(string)
  default     = []
}

variable "logpush_jobs" {
  description = "Logpush jobs into the bucket, by name. Without a zone_id a job is the account's. The fields that raydex needs are added."
  type = map(object({
    dataset                     = string
    zone_id                     = optional(string)
    fields                      = optional(list(string), [])
    filter                      = optional(string)
    timestamp_format            = optional(string, "rfc3339")
    max_upload_interval_seconds = optional(number, 30)
  }))
  default = {}

  validation {
    condition     = alltrue([for job in values(var.logpush_jobs) : contains(["unixnano", "unix", "rfc3339"], job.timestamp_format)])
    error_message = "The timestamp_format of a job must be unixnano, unix or rfc3339."
  }

  validation {
    condition     = alltrue([for job in values(var.logpush_jobs) : job.max_upload_interval_seconds >= 30 && job.max_upload_interval_seconds <= 300])
    error_message = "The max_upload_interval_seconds of a job must be 30 to 300."
  }
}

variable "logpush_r2_key" {
  description = "An R2 API token for Logpush, with Object Read & Write for the log bucket alone. It is kept in Terraform's state."
  type = object({
    access_key_id     = string
    secret_access_key = string
  })
  default   = null
  sensitive = true
}

variable "access" {
  description = "A Cloudflare Access application in front of the hostname: the team, who may sign in, and ACCESS_GRANTS as JSON (docs/security.md)."
  type = object({
    team          = string
    grants        = string
    emails        = optional(list(string), [])
    email_domains = optional(list(string), [])
    session_hours = optional(number, 24)
  })
  default = null

  validation {
    condition     = var.access == null ? true : can(jsondecode(var.access.grants)[0])
    error_message = "The grants of access must be a JSON array that is not empty."
  }

  validation {
    condition     = var.access == null ? true : length(var.access.emails) + length(var.access.email_domains) > 0
    error_message = "The access must name emails or email_domains: an application that lets everyone in guards nothing."
  }

  validation {
    condition     = var.access == null ? true : var.access.session_hours >= 1 && var.access.session_hours <= 730
    error_message = "The session_hours of access must be 1 to 730."
  }
}

variable "edge" {
  description = "The edge logger in front of a site: its routes with the identifiers of their zones, its settings and secrets (docs/edge-logger.md); null for none."
  type = object({
    routes            = map(string)
    settings          = optional(map(string), {})
    inherited_secrets = optional(set(string), [])
    origin_service    = optional(string)
  })
  default = null

  validation {
    condition     = var.edge == null ? true : alltrue([for zone in values(var.edge.routes) : can(regex("^[0-9a-f]{32}$", zone))])
    error_message = "The routes of edge must have the zones' identifiers of 32 hexadecimal digits, such as {\"api.example.com/*\" = \"…\"}."
  }
}
