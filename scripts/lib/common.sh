# Shared by the scripts: paths, messages and errors. Sourced, never run.
# Every step states what it does, and every error states how to resolve it.

set -euo pipefail
# shellcheck disable=SC2034 # read by the scripts that source this file
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TOOLS="$ROOT/.tools"
WASM_TARGET=wasm32-unknown-unknown

# Turns off telemetry and unnecessary network access.
export WRANGLER_SEND_METRICS=false WRANGLER_SEND_ERROR_REPORTS=false CLOUDFLARE_CF_FETCH_ENABLED=false

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
note() { printf '  %s\n' "$*" >&2; }

# stop ERROR [REMEDY]
stop() {
  printf '\033[1;31mstopped:\033[0m %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  what to do: %s\n' "$2" >&2
  exit 1
}

# have COMMAND: whether the command is on the path.
have() { command -v "$1" >/dev/null 2>&1; }

# The compiler for wasm32, if it is not the default one (see wasm-target.sh).
load_wasm_env() {
  # shellcheck disable=SC1091 # made by wasm-target.sh
  [ ! -f "$TOOLS/wasm-env" ] || . "$TOOLS/wasm-env"
}

# install_npm_folder FOLDER WHAT: installs the packages of a folder's lock file, unless they are installed.
install_npm_folder() {
  cmp -s "$1/package-lock.json" "$1/node_modules/.raydex-lock" && return 0
  say "installing $2"
  (cd "$1" && npm ci --no-audit --no-fund --loglevel=error) >&2 ||
    stop "npm ci failed" "read the message above; npm needs access to its registry"
  cp "$1/package-lock.json" "$1/node_modules/.raydex-lock"
}
