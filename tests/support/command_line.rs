//! The command lines of the programs that run seeds.

use std::ops::Range;
use std::process::ExitCode;

use lexopt::prelude::{Long, ValueExt};

/// A command line, at one of its options.
pub struct CommandLine {
    parser: lexopt::Parser,
    option: String,
}

impl CommandLine {
    /// The option's value, a number.
    pub fn number(&mut self) -> Result<u64, String> {
        let value = self.value()?;
        value.parse().map_err(|_| format!("--{} must be a number", self.option))
    }

    /// The option's value, the seeds from `A` to `B`, excluding `B`: `A..B`.
    pub fn seeds(&mut self) -> Result<Range<u64>, String> {
        let value = self.value()?;
        let bounds = value.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
        bounds.ok_or_else(|| format!("--{} must be A..B", self.option))
    }

    fn value(&mut self) -> Result<String, String> {
        let value = self.parser.value().and_then(ValueExt::string);
        value.map_err(|error| error.to_string())
    }

    /// Goes to the next option, and gives its name; `None` after the last one.
    fn next_option(&mut self) -> Result<Option<String>, String> {
        match self.parser.next().map_err(|error| error.to_string())? {
            Some(Long(name)) => self.option = name.to_owned(),
            Some(other) => return Err(format!("unknown option {other:?}")),
            None => return Ok(None),
        }
        Ok(Some(self.option.clone()))
    }
}

/// The options of the program that `script` runs. `set` changes the option of a name, and says whether there is one.
/// An error is how the program ends: after its usage, or after a wrong option.
pub fn read_options<T>(
    script: &str,
    usage: &str,
    mut options: T,
    set: impl Fn(&mut T, &str, &mut CommandLine) -> Result<bool, String>,
) -> Result<T, ExitCode> {
    let mut line = CommandLine { parser: lexopt::Parser::from_env(), option: String::new() };
    let wrong = |why: String| {
        eprintln!("{script}: {why}\nSee {script} --help.");
        ExitCode::from(2)
    };
    while let Some(name) = line.next_option().map_err(wrong)? {
        match name.as_str() {
            // Cargo passes it to every bench.
            "bench" => {}
            "help" => {
                #[expect(clippy::print_stdout, reason = "a program for the terminal")]
                {
                    println!("{usage}");
                }
                return Err(ExitCode::SUCCESS);
            }
            name if set(&mut options, name, &mut line).map_err(wrong)? => {}
            name => return Err(wrong(format!("unknown option --{name}"))),
        }
    }
    Ok(options)
}
