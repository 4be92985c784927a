# What the clients of the API need: Python packages in .tools/venv, npm packages in tests/clients, the program that
# writes sample data. Sourced, never run.

# shellcheck disable=SC2034 # read by the scripts that source this file
VENV="$TOOLS/venv"

ensure_python_clients() {
  local list="$ROOT/tests/clients/requirements.txt" python
  cmp -s "$list" "$VENV/.raydex-list" && return 0
  python=$(command -v python3) || stop "there is no python3" "install Python 3.10 or newer, with venv"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || stop "python3 is too old" "install Python 3.10 or newer"
  say "installing the Python clients (about 30 s, 210 MB)"
  "$python" -m venv --clear "$VENV" || stop "python3 -m venv failed" "install Python's venv (python3-venv on Debian)"
  "$VENV/bin/pip" install --quiet --disable-pip-version-check --requirement "$list" >&2 ||
    stop "pip install failed" "see its message above; it needs the Python package index"
  cp "$list" "$VENV/.raydex-list"
}

ensure_npm_clients() {
  local folder="$ROOT/tests/clients"
  cmp -s "$folder/package-lock.json" "$folder/node_modules/.raydex-lock" && return 0
  say "installing the npm client (about 10 s, 120 MB)"
  (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error) >&2 ||
    stop "npm ci failed" "see its message above; it needs the npm registry"
  cp "$folder/package-lock.json" "$folder/node_modules/.raydex-lock"
}

# What tests/clients/world.mjs runs.
ensure_world() {
  "$ROOT/scripts/build"
  cargo build --quiet --locked --release --features sample --bin make-batches --manifest-path "$ROOT/Cargo.toml"
}
