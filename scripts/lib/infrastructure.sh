# Dependencies of the tests of alerts and of the Terraform module: npm packages in tests/infrastructure. Sourced, never run.

ensure_npm_infrastructure() {
  install_npm_folder "$ROOT/tests/infrastructure" "the schema of Terraform's provider and parsers (about 5 s, 80 MB)"
}
