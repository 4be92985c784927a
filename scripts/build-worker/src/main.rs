//! Turns the compiled wasm module of raydex into what the Workers runtime loads.
//!
//! `build-worker MODULE.wasm OUT` writes `OUT/bindgen/` (the JavaScript bindings, for the bundler),
//! `OUT/index_bg.wasm` (the module that the bundle imports, beside it) and `OUT/names.wasm` (the names of its functions, which
//! `scripts/name-frames` reads).
//!
//! `wasm-bindgen-cli-support` is used as a library, at the one version that the Worker's lock file names, so
//! that nothing but the crate registry is needed to build.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use wasm_bindgen_cli_support::Bindgen;

/// The bytes before a module's first section: its magic number and version.
const HEADER_BYTES: usize = 8;
/// The kind of sections that have a name.
const CUSTOM: u8 = 0;
/// The name of the section with the names of functions, with its length before it.
const NAME: &[u8] = b"\x04name";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [module, out] = arguments.as_slice() else {
        eprintln!("usage: build-worker MODULE.wasm OUT");
        return ExitCode::from(2);
    };
    match build(Path::new(module), Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("build-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Generates the bindings of `module` under `out`.
fn build(module: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let bindings = out.join("bindgen");
    if bindings.exists() {
        fs::remove_dir_all(&bindings)?;
    }
    Bindgen::new()
        .input_path(module)
        .out_name("raydex")
        .module(true)?
        .typescript(false)
        // After a trap the entry replaces the whole instance instead of going on with a broken one.
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .generate(&bindings)?;
    let script = bindings.join("raydex.js");
    let text = fs::read_to_string(&script)?;
    fs::write(&script, for_the_bundler(&text)?)?;
    let generated = bindings.join("raydex_bg.wasm");
    let (module, names) = split_names(&fs::read(&generated)?)?;
    fs::write(out.join("index_bg.wasm"), module)?;
    fs::write(out.join("names.wasm"), names)?;
    fs::remove_file(generated)?;
    Ok(())
}

/// Parts a module into one without the names of its functions, which are a twentieth of what a deployment uploads, and one
/// of nothing but these names.
fn split_names(module: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
    let cut_short = || "the module ends within a section".to_owned();
    let (header, mut rest) = module.split_at_checked(HEADER_BYTES).ok_or_else(cut_short)?;
    let (mut code, mut names) = (header.to_vec(), header.to_vec());
    while let [kind, sized @ ..] = rest {
        let (size, content) = read_leb128(sized).ok_or_else(cut_short)?;
        let (content, after) = content.split_at_checked(size).ok_or_else(cut_short)?;
        let section = rest.get(..rest.len() - after.len()).ok_or_else(cut_short)?;
        let is_names = *kind == CUSTOM && content.starts_with(NAME);
        if is_names { names.extend_from_slice(section) } else { code.extend_from_slice(section) }
        rest = after;
    }
    Ok((code, names))
}

/// Reads a number in LEB128; returns it with what follows.
fn read_leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        number |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return bytes.get(at + 1..).map(|rest| (number, rest));
        }
    }
    None
}

/// The bindings with an ordinary import of the module, which is what the bundler and the runtime understand:
/// `import source` is newer than both.
fn for_the_bundler(script: &str) -> Result<String, String> {
    const GENERATED: &str = "import source ";
    if script.matches(GENERATED).count() != 1 {
        return Err("the generated bindings do not import the module as expected: has wasm-bindgen changed?".into());
    }
    Ok(script.replace(GENERATED, "import ").replace("./raydex_bg.wasm", "./index_bg.wasm"))
}
