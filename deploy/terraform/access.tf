# Cloudflare Access in front of the hostname. raydex checks each assertion itself, so the Worker learns the audience tag.

resource "cloudflare_zero_trust_access_policy" "this" {
  count = var.access == null ? 0 : 1

  account_id = var.account_id
  name       = "${local.worker_name}: people"
  decision   = "allow"

  include = concat(
    [for email in var.access.emails : { email = { email = email } }],
    [for domain in var.access.email_domains : { email_domain = { domain = domain } }],
  )
}

resource "cloudflare_zero_trust_access_application" "this" {
  count = var.access == null ? 0 : 1

  account_id                 = var.account_id
  name                       = local.worker_name
  type                       = "self_hosted"
  domain                     = var.hostname
  session_duration           = "${var.access.session_hours}h"
  http_only_cookie_attribute = true
  same_site_cookie_attribute = "lax"
  policies                   = [{ id = cloudflare_zero_trust_access_policy.this[0].id, precedence = 1 }]

  lifecycle {
    precondition {
      condition     = var.hostname != null
      error_message = "Access needs a hostname."
    }
  }
}
