# What the module needs. tests/run/terraform.mjs holds it against the provider's schema of 5.14.

terraform {
  required_version = ">= 1.5"

  required_providers {
    cloudflare = {
      source  = "cloudflare/cloudflare"
      version = ">= 5.14, < 6.0"
    }
  }
}
