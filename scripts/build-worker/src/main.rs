//! Turns the compiled wasm module of raydex into what the Workers runtime loads.
//!
//! `build-worker MODULE.wasm OUT` writes `OUT/bindgen/` (the JavaScript bindings, for the bundler) and
//! `OUT/index_bg.wasm` (the module that the bundle imports, beside it).
//!
//! `wasm-bindgen-cli-support` is used as a library, at the one version that the Worker's lock file names, so
//! that nothing but the crate registry is needed to build.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use wasm_bindgen_cli_support::Bindgen;

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
    fs::rename(bindings.join("raydex_bg.wasm"), out.join("index_bg.wasm"))?;
    Ok(())
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
