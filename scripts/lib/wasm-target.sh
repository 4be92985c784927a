# Makes `cargo build --target wasm32-unknown-unknown` work. Sourced by scripts/setup after common.sh.
#
# Tries three methods in order until a crate compiles; RAYDEX_WASM_STD=rustup|source|debian selects one of them:
#   rustup  `rustup target add`: the usual method, if Rust's server is reachable.
#   source  builds the standard library from Debian's `rust-src` of exactly this compiler's version and installs it
#           into the toolchain.
#   debian  installs Debian's `rustc-web` with its matching sources under .tools, as a separate compiler for wasm32.
# The last two access only the Debian mirror that apt already uses, need no root, and do not change the system's
# package lists.

# Whether a crate that uses the standard library compiles and links.
wasm_std_works() {
  local dir ok=1
  dir=$(mktemp -d)
  printf 'use std::collections::HashMap;\n#[unsafe(no_mangle)]\npub extern "C" fn f(n: u32) -> usize { HashMap::from([(n, vec![n])]).len() }\n' >"$dir/probe.rs"
  (
    load_wasm_env
    cd "$dir" && "${RUSTC:-rustc}" --edition 2024 --crate-type cdylib -O --target "$WASM_TARGET" \
      ${CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER:+-Clinker="$CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER"} probe.rs
  ) >"$dir/log" 2>&1 || ok=0
  rm -rf "$dir"
  [ $ok = 1 ]
}

wasm_std_by_rustup() {
  have rustup || return 1
  note "rustup target add $WASM_TARGET"
  timeout 300 rustup target add "$WASM_TARGET" >&2
}

# private_apt ARGS…: apt with lists, cache and status of its own.
private_apt() {
  local tool=$1 apt="$TOOLS/apt"
  shift
  "$tool" -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$apt/state" \
    -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root "$@"
}

# private_lists [SUITE…]: the packages of these Debian suites, from the mirror that this machine uses; without
# any, those of the machine's own suites.
private_lists() {
  local apt="$TOOLS/apt" keyring=/usr/share/keyrings/debian-archive-keyring.gpg own mirror suite
  have apt-get || { note "apt is not installed"; return 1; }
  # shellcheck disable=SC2016 # apt fills in the variables
  own=$(apt-get indextargets --format '$(SITE) $(RELEASE) main' 'Created-By: Packages' | grep '/debian' | sort -u)
  [ -n "$own" ] || { note "this machine's apt names no Debian mirror"; return 1; }
  mirror=$(grep -m1 -o '^[^ ]*/debian ' <<<"$own") || { note "this machine's apt names no Debian mirror"; return 1; }
  rm -rf "$apt" && mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" && : >"$apt/status"
  if [ $# = 0 ]; then
    sed "s|^|deb [signed-by=$keyring] |" <<<"$own" >"$apt/sources.list"
  else
    for suite in "$@"; do echo "deb [signed-by=$keyring] $mirror $suite main"; done >"$apt/sources.list"
  fi
  private_apt apt-get update -qq >&2
}

# unpack INTO PACKAGE[=VERSION]…: fetch Debian packages and lay their files under INTO.
unpack() {
  local into=$1 deb
  shift
  mkdir -p "$into"
  (cd "$into" && private_apt apt-get download -qq "$@" >&2) || return 1
  for deb in "$into"/*.deb; do dpkg -x "$deb" "$into" && rm "$deb"; done
}

# build_std OUT: the standard library for wasm32, built from the sources that RUSTC's sysroot holds; its rlibs go to OUT.
# Bitcode is embedded because link-time optimisation of the Worker needs it.
build_std() {
  local out=$1 stub
  stub=$(mktemp -d)
  mkdir -p "$stub/src" && : >"$stub/src/lib.rs"
  printf '[package]\nname = "stub"\nversion = "0.0.0"\nedition = "2021"\n[profile.release]\npanic = "abort"\n' >"$stub/Cargo.toml"
  note "building the standard library for $WASM_TARGET (about a minute)"
  (cd "$stub" && RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR="$stub/target" \
    cargo build --quiet --release -Zbuild-std=std,panic_abort --target "$WASM_TARGET") >&2 || { rm -rf "$stub"; return 1; }
  rm -rf "$out" && mkdir -p "$out"
  find "$stub/target/$WASM_TARGET/release/deps" -name '*.rlib' ! -name 'libstub-*' -exec cp {} "$out/" \;
  rm -rf "$stub"
}

# lay_sources FROM SYSROOT: the library's sources of an unpacked package, to where cargo looks for them.
lay_sources() {
  local library
  # Debian's own compiler brings a link to its sources.
  [ ! -e "$2/lib/rustlib/src/rust/library/Cargo.lock" ] || return 0
  for library in "$1"/src/*/library; do
    [ -e "$library/Cargo.lock" ] || continue
    rm -rf "$2/lib/rustlib/src/rust/library"
    mkdir -p "$2/lib/rustlib/src/rust" && cp -R "$library" "$2/lib/rustlib/src/rust/"
    return
  done
  note "the package contains no library sources"
  return 1
}

wasm_std_by_source() {
  local version sysroot package
  version=$(rustc --version | cut -d' ' -f2)
  private_lists trixie-backports || return 1
  package=$(private_apt apt-cache madison rust-src | awk -F'|' -v v="$version" '{gsub(/ /,"",$2)} index($2, v "+") == 1 {print $2; exit}')
  [ -n "$package" ] || { note "Debian has no rust-src $version"; return 1; }
  note "rust-src $package"
  unpack "$TOOLS/rust-src" "rust-src=$package" || return 1
  sysroot=$(rustc --print sysroot)
  lay_sources "$TOOLS/rust-src/usr" "$sysroot" || return 1
  rm -rf "$TOOLS/rust-src"
  build_std "$(rustc --print target-libdir --target "$WASM_TARGET")"
}

wasm_std_by_debian() {
  local root="$TOOLS/rust-web" linker std llvm
  private_lists || return 1
  std=$(private_apt apt-cache depends rustc-web | awk '/Depends: libstd-rust-web/ {print $2; exit}')
  [ -n "$std" ] || { note "Debian has no rustc-web"; return 1; }
  # The compiler's own library, and the LLVM it is linked with.
  std="$std $(private_apt apt-cache depends "$std" | awk '/Depends: libstd-rust-web-[0-9]/ {print $2; exit}')"
  # shellcheck disable=SC2086 # two names
  llvm=$(private_apt apt-cache depends $std | awk '/Depends: libllvm/ {print $2; exit}')
  note "rustc-web with $std and $llvm"
  rm -rf "$root"
  # shellcheck disable=SC2086
  unpack "$root" rustc-web $std $llvm rust-web-src || return 1
  root="$root/usr"
  lay_sources "$root" "$root" || return 1
  linker=$(find "$(rustc --print sysroot)/lib/rustlib" -name rust-lld | head -1)
  {
    echo "# Made by scripts/setup: the compiler for wasm32, since the machine's own has no standard library for it."
    echo "export RUSTC=$root/bin/rustc"
    echo "export LD_LIBRARY_PATH=$root/lib:$(find "$root/lib" -name 'libLLVM*.so*' -printf '%h\n' | head -1)\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
    [ -z "$linker" ] || echo "export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker"
  } >"$TOOLS/wasm-env"
  (load_wasm_env && build_std "$("$RUSTC" --print target-libdir --target "$WASM_TARGET")")
}

ensure_wasm_target() {
  local way ways="rustup source debian"
  if [ -z "${RAYDEX_WASM_STD:-}" ] && wasm_std_works; then return 0; fi
  say "installing Rust's standard library for $WASM_TARGET"
  mkdir -p "$TOOLS"
  for way in ${RAYDEX_WASM_STD:-$ways}; do
    rm -f "$TOOLS/wasm-env"
    note "method: $way"
    if "wasm_std_by_$way" && wasm_std_works; then return 0; fi
    note "this method does not work here"
  done
  rm -f "$TOOLS/wasm-env"
  stop "no Rust standard library for $WASM_TARGET" \
    "run 'rustup target add $WASM_TARGET' on a network that reaches Rust's server, or use a Debian machine whose apt works"
}
