# Dependencies of the API clients: Python packages in .tools/venv, npm packages in tests/clients, and make-batches.
# Sourced, never run.

# shellcheck disable=SC2034 # read by the scripts that source this file
VENV="$TOOLS/venv"

ensure_python_clients() {
  local list="$ROOT/tests/clients/requirements.txt" python
  cmp -s "$list" "$VENV/.raydex-list" && return 0
  python=$(command -v python3) || stop "python3 is not installed" "install Python 3.10 or newer, with venv"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || stop "python3 is too old" "install Python 3.10 or newer"
  say "installing the Python clients (about 30 s, 210 MB)"
  "$python" -m venv --clear "$VENV" || stop "python3 -m venv failed" "install Python's venv (python3-venv on Debian)"
  "$VENV/bin/pip" install --quiet --disable-pip-version-check --requirement "$list" >&2 ||
    stop "pip install failed" "read the message above; pip needs access to the Python package index"
  cp "$list" "$VENV/.raydex-list"
}

ensure_npm_clients() {
  install_npm_folder "$ROOT/tests/clients" "the npm clients (about 10 s, 120 MB)"
}

# The program that tests/clients/world.mjs runs.
ensure_world() {
  "$ROOT/scripts/build"
  cargo build --quiet --locked --release --features sample --bin make-batches --manifest-path "$ROOT/Cargo.toml"
}
