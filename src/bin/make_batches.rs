//! `make-batches`: writes generated Logpush batches into a folder, under the keys they would have in a bucket.
//!
//! # Invariants
//!
//! The files depend only on the options (with `--start`, their bytes are the same every time). A bad option is reported
//! on stderr with its remedy, and ends the program with code 2.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use lexopt::prelude::{Long, Short, ValueExt};
use raydex::record::{Dataset, Timestamp};
use raydex::sample::{DATASETS, FieldSet, PlanUnits, SampleLine, SampleManifest, SamplePlan, TimestampUnit};

const HELP: &str = "\
Generates realistic Logpush batches in a folder, with paths equal to their keys in a bucket, and a
manifest.json that lists the batches and some rays to look up.

Usage: make-batches --out DIR [options]

  --out DIR           output folder; created if it does not exist
  --seed N            seed of the random generator (default 1)
  --start TIME        start of the first batch, in RFC 3339, or `now` (default: the window ends now)
  --window SECONDS    total time covered by the batches (default 30 per batch)
  --batches N         number of batches per dataset (default 4)
  --records N         total number of http_requests lines (default 20000)
  --dataset NAME      http_requests, firewall_events, workers_trace_events or all (default all)
  --unit UNIT         timestamp format: unixnano, unix, rfc3339, or mixed to rotate (default unixnano)
  --fields SET        http_requests fields: usual (1.6 KB per line) or all (3 KB per line) (default usual)
  --subrequests N     records per 1000 that are subrequests made by Workers (default 120)
  --late N            records per 1000 that are written late (default 20)
  --duplicates N      visitor requests per 1000 whose record is written twice (default 0)
  --merged            merge subrequests into the record of the visitor's request
  --preserve-duplicates   write log headers as arrays of strings
  --members N         number of gzip members in the second batch, or in the only one (default 1)
  --level N           compression level, from 1 (fast) to 9 (small) (default 6)
  --prefix TEXT       key prefix (default logs)
  --rays FILE         also write every http_requests ray to FILE, one per line
  --help              show this help
";

/// The options of the command line.
struct Options {
    out: PathBuf,
    rays: Option<PathBuf>,
    datasets: Vec<Dataset>,
    plan: SamplePlan,
}

fn main() -> ExitCode {
    let options = match parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => return say(io::stdout(), HELP, ExitCode::SUCCESS),
        Err(error) => {
            let text = format!("make-batches: {error}\nSee make-batches --help.\n");
            return say(io::stderr(), &text, ExitCode::from(2));
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say(io::stderr(), &format!("make-batches: {error}\n"), ExitCode::FAILURE),
    }
}

/// Prints `text`. A closed stream is ignored: the exit code suffices.
fn say(mut to: impl Write, text: &str, code: ExitCode) -> ExitCode {
    let _printed = to.write_all(text.as_bytes());
    code
}

/// Parses the options; `None` if help was requested.
fn parse(mut args: lexopt::Parser) -> Result<Option<Options>, String> {
    let (mut out, mut rays, mut start, mut window_s) = (None, None, None, None);
    let (mut datasets, mut plan) = (DATASETS.to_vec(), SamplePlan::default());
    while let Some(arg) = args.next().map_err(|error| error.to_string())? {
        let name = match arg {
            Long("help") | Short('h') => return Ok(None),
            Long(name) => name.to_owned(),
            other => return Err(other.unexpected().to_string()),
        };
        let mut text = || -> Result<String, String> {
            let value = args.value().map_err(|error| error.to_string())?;
            value.string().map_err(|error| format!("--{name}: {error}"))
        };
        match name.as_str() {
            "out" => out = Some(PathBuf::from(text()?)),
            "rays" => rays = Some(PathBuf::from(text()?)),
            "start" => start = Some(text()?),
            "window" => window_s = Some(number::<u32>(&name, &text()?)?),
            "dataset" => datasets = dataset_list(&text()?)?,
            "unit" => plan.units = units(&text()?)?,
            "fields" => plan.fields = field_set(&text()?)?,
            "seed" => plan.seed = number(&name, &text()?)?,
            "batches" => plan.batches = number(&name, &text()?)?,
            "records" => plan.records = number(&name, &text()?)?,
            "subrequests" => plan.subrequests = number(&name, &text()?)?,
            "late" => plan.late = number(&name, &text()?)?,
            "duplicates" => plan.duplicates = number(&name, &text()?)?,
            "members" => plan.members = number(&name, &text()?)?,
            "level" => plan.level = number(&name, &text()?)?,
            "prefix" => plan.prefix = prefix(&text()?)?,
            "merged" => plan.merged = true,
            "preserve-duplicates" => plan.preserve_duplicates = true,
            _ => return Err(format!("unknown option --{name}")),
        }
    }
    let out = out.ok_or("--out is required: specify the output folder")?;
    plan.window_ms = window_s.map_or_else(|| i64::from(plan.batches) * 30_000, |seconds| i64::from(seconds) * 1000);
    plan.start_ms = start_of(start.as_deref(), plan.window_ms)?;
    plan.check().map_err(|error| error.to_string())?;
    Ok(Some(Options { out, rays, datasets, plan }))
}

/// Parses the number given for option `name`.
fn number<N: FromStr<Err: Display>>(name: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|error| format!("--{name} must be a whole number, not {text:?}: {error}"))
}

fn dataset_list(text: &str) -> Result<Vec<Dataset>, String> {
    if text == "all" {
        return Ok(DATASETS.to_vec());
    }
    let wrong = || format!("--dataset must be {} or all, not {text:?}", DATASETS.map(Dataset::name).join(", "));
    Dataset::from_name(text).filter(|dataset| DATASETS.contains(dataset)).map(|dataset| vec![dataset]).ok_or_else(wrong)
}

fn units(text: &str) -> Result<PlanUnits, String> {
    if text == "mixed" {
        return Ok(PlanUnits::Mixed);
    }
    let found = TimestampUnit::ALL.into_iter().find(|unit| unit.name() == text);
    found.map(PlanUnits::Always).ok_or_else(|| format!("--unit must be unixnano, unix, rfc3339 or mixed, not {text:?}"))
}

fn field_set(text: &str) -> Result<FieldSet, String> {
    match text {
        "usual" => Ok(FieldSet::Usual),
        "all" => Ok(FieldSet::All),
        _ => Err(format!("--fields must be usual or all, not {text:?}")),
    }
}

/// Checks that a prefix of keys stays inside the folder.
fn prefix(text: &str) -> Result<String, String> {
    let fine = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\\');
    if text.split('/').all(fine) {
        return Ok(text.to_owned());
    }
    Err(format!("--prefix must be names separated by slashes, such as logs or site/logs, not {text:?}"))
}

/// Returns the start of the first batch: as given, or so that the window ends now; in whole seconds, like the names of
/// batches.
fn start_of(text: Option<&str>, window_ms: i64) -> Result<i64, String> {
    let ms = match text {
        None => now_ms() - window_ms,
        Some("now") => now_ms(),
        Some(text) if text.contains('T') => {
            let time = Timestamp::parse(text).ok_or_else(|| format!("--start: {text:?} is not a valid time"))?;
            time.unix_ms()
        }
        Some(text) => return Err(format!("--start must be a time such as 2026-03-28T06:42:00Z, or now, not {text:?}")),
    };
    Ok(ms / 1000 * 1000)
}

#[expect(clippy::disallowed_methods, reason = "a program of the developer's machine, where there is a clock")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Writes all batches and the manifest.
fn run(options: &Options) -> Result<(), String> {
    let mut manifest = SampleManifest::new(&options.plan);
    let mut rays = match &options.rays {
        Some(path) => Some(BufWriter::new(create(path)?)),
        None => None,
    };
    for &dataset in &options.datasets {
        for number in 0..options.plan.batches {
            write_batch(options, dataset, number, &mut manifest, &mut rays)?;
        }
    }
    if let (Some(mut rays), Some(path)) = (rays, &options.rays) {
        rays.flush().map_err(|error| failed(path, &error))?;
    }
    let path = options.out.join("manifest.json");
    fs::write(&path, manifest.to_json() + "\n").map_err(|error| failed(&path, &error))
}

/// Writes one batch, and records it in the manifest; one without lines is not kept.
fn write_batch(
    options: &Options,
    dataset: Dataset,
    number: u32,
    manifest: &mut SampleManifest,
    rays: &mut Option<BufWriter<File>>,
) -> Result<(), String> {
    let plan = &options.plan;
    let key = plan.key(dataset, number);
    let path = options.out.join(&key);
    let file = BufWriter::new(create(&path)?);
    let (mut count, mut ray_error) = (0_u64, None);
    let observe = |line: SampleLine<'_>| {
        count += 1;
        if count.is_multiple_of(100_000) {
            progress(&format!("{key}: {count} lines\n"));
        }
        if dataset == Dataset::HttpRequests {
            manifest.line(&key, &line);
            if let Some(rays) = rays.as_mut().filter(|_| !line.request.copy) {
                ray_error = writeln!(rays, "{}", line.request.ray).err().or(ray_error.take());
            }
        }
    };
    let written = plan.write_batch(dataset, number, file, observe).map_err(|error| failed(&path, &error))?;
    if let Some(error) = ray_error {
        return Err(format!("cannot write the list of rays: {error}"));
    }
    if written.records == 0 {
        return fs::remove_file(&path).map_err(|error| failed(&path, &error));
    }
    progress(&format!("{key}: {} lines, {} bytes\n", written.records, written.bytes));
    manifest.batch(plan, dataset, number, written);
    Ok(())
}

/// Prints the progress for the user.
fn progress(text: &str) {
    let _code = say(io::stderr(), text, ExitCode::SUCCESS);
}

/// Creates a file at `path`, with its parent folders.
fn create(path: &Path) -> Result<File, String> {
    let above = path.parent().map_or(Ok(()), fs::create_dir_all);
    above.and_then(|()| File::create(path)).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}
