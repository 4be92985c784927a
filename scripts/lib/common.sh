# What the scripts share: where the project is, how they speak, how they stop. Sourced, never run.
# Every step says what it does, and a failed one says what to do about it.

set -euo pipefail
# shellcheck disable=SC2034 # read by the scripts that source this file
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TOOLS="$ROOT/.tools"
WASM_TARGET=wasm32-unknown-unknown

# Nothing that runs here reports home or asks the network for what it does not need.
export WRANGLER_SEND_METRICS=false WRANGLER_SEND_ERROR_REPORTS=false CLOUDFLARE_CF_FETCH_ENABLED=false

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
note() { printf '  %s\n' "$*" >&2; }

# stop WHAT-IS-WRONG WHAT-TO-DO
stop() {
  printf '\033[1;31mstopped:\033[0m %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  what to do: %s\n' "$2" >&2
  exit 1
}

# have COMMAND: is it on the path?
have() { command -v "$1" >/dev/null 2>&1; }

# The compiler that builds for wasm32, where it is not the machine's own (see wasm-target.sh).
load_wasm_env() {
  # shellcheck disable=SC1091 # made by wasm-target.sh
  [ ! -f "$TOOLS/wasm-env" ] || . "$TOOLS/wasm-env"
}
