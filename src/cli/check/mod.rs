//! `floorkeeper check`: our objects in files, without a cluster.

mod document;
mod objects;
mod promql;
mod report;
mod schema;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use document::{Broken, Document};
use objects::{Known, Problem, Severity};
use report::{FileReport, Summary};

/// Checks policies, sources and overrides in files, without a cluster.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Checks ScalingPolicies, MetricSources and FloorOverrides in files, without a cluster: what the API \
server would refuse, fields that don't exist, and queries that read an error as idleness. Every problem comes with file, \
line, column and field.\n\nObjects of other kinds are passed over. Policies are read together with the MetricSources that \
are among the files.\n\nExit code: 0 nothing is wrong, 1 an error (with --strict a warning too), 2 a file can't be read.",
    after_help = "Examples:
  floorkeeper check policy.yaml source.yaml
  floorkeeper check deploy/                          every .yaml, .yml and .json below it
  kustomize build . | floorkeeper check --strict -   in a pipeline, warnings fail too"
)]
pub(crate) struct Args {
    /// Files, directories, or `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How problems are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Warnings count as errors.
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// FILE:LINE:COLUMN: error: FIELD: what to write
    Text,
    /// One JSON object
    Json,
}

impl Args {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { files, format, strict } = self;
        let mut texts = Vec::new();
        for file in &files {
            if let Err(error) = read(file, &mut texts) {
                eprintln!("error: {error}");
                return Ok(ExitCode::from(UNREADABLE));
            }
        }
        let reports = check(&texts);
        let summary = Summary::of(&reports);
        let text = match format {
            Format::Text => report::text(&reports, &summary, report::colours()),
            Format::Json => report::json(&reports, &summary)?,
        };
        super::print(text.as_bytes())?;
        let failed = summary.errors > 0 || (strict && summary.warnings > 0);
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// Whether documents have no error; warnings are for people to weigh.
pub(super) fn is_sound(text: &str) -> bool {
    Summary::of(&check(&[(String::new(), text.to_owned())])).errors == 0
}

/// The errors in a text, printed as this command prints them; `None` where there are none.
pub(super) fn errors(name: &str, text: &str) -> Option<String> {
    let mut reports = check(&[(name.to_owned(), text.to_owned())]);
    for report in &mut reports {
        report.problems.retain(|(_, problem)| problem.severity == Severity::Error);
    }
    let summary = Summary::of(&reports);
    (summary.errors > 0).then(|| report::text(&reports, &summary, false))
}

/// Checks texts (name and content) together.
fn check(texts: &[(String, String)]) -> Vec<FileReport> {
    let read: Vec<(&String, Result<Vec<Document>, Broken>)> =
        texts.iter().map(|(name, text)| (name, Document::read(text))).collect();
    let known = Known::new(read.iter().filter_map(|(_, documents)| documents.as_ref().ok()).flatten());
    let reports = read.iter().map(|(name, documents)| match documents {
        Ok(documents) => {
            let ours: Vec<&Document> = documents.iter().filter(|document| objects::kind(document).is_some()).collect();
            let problems = ours.iter().flat_map(|document| {
                let object = report::name(&document.value);
                objects::problems(document, &known).into_iter().map(move |problem| (object.clone(), problem))
            });
            FileReport { file: (*name).clone(), objects: ours.len(), problems: problems.collect() }
        }
        Err(Broken { place, message }) => {
            let problem = Problem {
                severity: Severity::Error,
                place: *place,
                path: String::new(),
                message: format!("this is no YAML: {message}"),
            };
            FileReport { file: (*name).clone(), objects: 0, problems: vec![(String::new(), problem)] }
        }
    });
    reports.collect()
}

/// Reads a file, everything below a directory, or standard input.
fn read(path: &Path, texts: &mut Vec<(String, String)>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("can't read {}: {error}", path.display());
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        texts.push(("<stdin>".to_owned(), decoded(path, bytes)?));
        return Ok(());
    }
    if !path.is_dir() {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        texts.push((path.display().to_string(), decoded(path, bytes)?));
        return Ok(());
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(failed)?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        let is_text = path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|e| extension == *e));
        if (path.is_dir() && !is_link) || (path.is_file() && is_text) {
            read(&path, texts)?;
        }
    }
    Ok(())
}

fn decoded(path: &Path, bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() as u64 > LARGEST {
        return Err(format!("{} is larger than {} MiB", path.display(), LARGEST >> 20));
    }
    String::from_utf8(bytes).map_err(|_| format!("{} is not text (UTF-8)", path.display()))
}

/// Far above the manifests of a whole platform, far below the memory of a build machine.
const LARGEST: u64 = 64 << 20;

/// Exit code where a file can't be read, as for wrong arguments.
const UNREADABLE: u8 = 2;

#[cfg(test)]
mod tests;
