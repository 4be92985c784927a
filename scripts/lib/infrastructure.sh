# Dependencies of the tests of alerts and of the Terraform module: npm packages in tests/infrastructure. Sourced, never run.

ensure_npm_infrastructure() {
  local folder="$ROOT/tests/infrastructure"
  cmp -s "$folder/package-lock.json" "$folder/node_modules/.raydex-lock" && return 0
  say "installing the schema of Terraform's provider and parsers (about 5 s, 80 MB)"
  (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error) >&2 ||
    stop "npm ci failed" "read the message above; npm needs access to its registry"
  cp "$folder/package-lock.json" "$folder/node_modules/.raydex-lock"
}
