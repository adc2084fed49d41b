//! The run: builds and measures the programs, and writes the report.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::callgrind::{InstructionCounts, Run, slow_clock};
use crate::cases::{ALL, Case, Kind};
use crate::figures::{Figures, Program, float, measurements};
use crate::native::{Quota, Subject, memory, time};
use crate::tls::Identity;
use crate::world::{Start, World};
use crate::{Error, Options, binaries, budget};

/// Number of processes that are counted in parallel. The counts do not depend on it.
const PARALLEL_PROCESSES: usize = 2;
/// The function whose events the peers process.
const LIST: Case = ALL[0];

/// The prepared programs and folders.
struct Bench {
    functions: PathBuf,
    peers: Vec<(String, PathBuf)>,
    cases: Vec<Case>,
    identity: Identity,
    folder: PathBuf,
    clock: PathBuf,
}

/// Runs the measurements that the options select.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let bench = prepare(&options).await?;
    let lto = std::env::var("CARGO_PROFILE_RELEASE_LTO").unwrap_or_else(|_| "off".to_owned());
    let mut figures = Figures { lto, ..Figures::default() };
    count(&bench, &mut figures).await?;
    if options.write_budgets {
        budget::write(&figures)?;
    }
    if !options.check && !options.write_budgets {
        measure_natively(&bench, &options, &mut figures).await?;
    }
    let folder = options.out.unwrap_or(bench.folder);
    write(&figures, &bench.cases, &folder)?;
    if options.check { budget::check(&figures) } else { Ok(()) }
}

async fn prepare(options: &Options) -> Result<Bench, Error> {
    let is_selected = |case: &Case| {
        options.functions.is_empty() || options.functions.iter().any(|name| name == case.function)
    };
    let cases: Vec<Case> = ALL.into_iter().filter(is_selected).collect();
    let names: Vec<&str> = cases.iter().map(|case| case.function).collect();
    if let Some(unknown) = options.functions.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(Error::failed(unknown, "there is no such function"));
    }
    let folder = binaries::target()?.join("bench-cold");
    std::fs::create_dir_all(&folder).map_err(|error| Error::failed("bench-cold", error))?;
    let mut peers = Vec::new();
    if !options.check || options.functions.is_empty() {
        peers.push(("bare".to_owned(), binaries::peer("bare").await?));
    }
    if !options.check && !options.write_budgets {
        if !options.no_peers {
            peers.push(("defaults".to_owned(), binaries::peer("defaults").await?));
        }
        for peer in &options.peers {
            let (name, path) =
                peer.split_once('=').ok_or_else(|| Error::failed(peer, "expected NAME=PATH"))?;
            peers.push((name.to_owned(), path.into()));
        }
    }
    let functions = match &options.binaries {
        Some(folder) => folder.clone(),
        None => binaries::functions(&names).await?,
    };
    let clock = slow_clock(&folder).await?;
    Ok(Bench { functions, peers, cases, identity: Identity::new()?, folder, clock })
}

/// Counts instructions, connections and sizes.
async fn count(bench: &Bench, figures: &mut Figures) -> Result<(), Error> {
    let world = World::start(bench.identity.clone(), &bench.folder).await?;
    for (name, program) in &bench.peers {
        let folder = &bench.folder.join(name);
        std::fs::create_dir_all(folder).map_err(|error| Error::failed(name, error))?;
        let run = Run {
            world: &world,
            case: LIST,
            program,
            start: Start::Cold,
            folder,
            clock: &bench.clock,
        };
        let cold = run.count(false).await?;
        let size = binaries::size(program)?;
        let counted = Program { size: Some(size), cold: Some(cold), ..Program::default() };
        figures.programs.insert(name.clone(), counted);
    }
    let counted = stream::iter(&bench.cases).map(|case| count_function(bench, *case));
    let counted: Vec<_> = counted.buffered(PARALLEL_PROCESSES).try_collect().await?;
    figures.programs.extend(counted);
    Ok(())
}

/// Counts one function. Each count has its own service, because schedules would find due wallets of other runs.
async fn count_function(bench: &Bench, case: Case) -> Result<(String, Program), Error> {
    let program = bench.functions.join(case.function);
    let mut counted = Program { size: Some(binaries::size(&program)?), ..Program::default() };
    for (start, into) in [(Start::Cold, &mut counted.cold), (Start::Warmed, &mut counted.warmed)] {
        let world = World::start(bench.identity.clone(), &bench.folder).await?;
        let (folder, clock) = (&*bench.folder, &*bench.clock);
        let run = Run { world: &world, case, program: &program, start, folder, clock };
        *into = Some(run.count(true).await?);
    }
    Ok((case.function.to_owned(), counted))
}

/// Measures time and memory, without parallel runs.
async fn measure_natively(
    bench: &Bench,
    options: &Options,
    figures: &mut Figures,
) -> Result<(), Error> {
    let quota = Quota::new();
    for case in &bench.cases {
        let world = World::start(bench.identity.clone(), &bench.folder).await?;
        let program = bench.functions.join(case.function);
        let mut subjects = Vec::new();
        // Without a control group there is only the unlimited measurement.
        let parts = [Some(None), quota.as_ref().map(Some)];
        for quota in parts.into_iter().flatten() {
            for start in [Start::Cold, Start::Warmed] {
                subjects.push(Subject {
                    name: case.function,
                    case: *case,
                    program: &program,
                    start,
                    quota,
                });
            }
            if case.function == LIST.function {
                for (name, program) in &bench.peers {
                    subjects.push(Subject {
                        name,
                        case: *case,
                        program,
                        start: Start::Cold,
                        quota,
                    });
                }
            }
        }
        let timed = time(&world, &subjects, options.starts).await?;
        for (subject, timed) in subjects.iter().zip(timed) {
            let suffix = if subject.quota.is_some() { ", 7.2 % of a processor" } else { "" };
            let start = if subject.start == Start::Warmed { "warmed up" } else { "cold" };
            let program = figures.programs.entry(subject.name.to_owned()).or_default();
            program.timed.insert(format!("{start}{suffix}"), timed);
        }
        // A scheduled run sends about eight times as many requests to the table.
        let requests =
            if case.kind == Kind::Schedule { options.requests / 10 } else { options.requests };
        let memory = memory(&world, *case, &program, requests).await?;
        figures.programs.entry(case.function.to_owned()).or_default().memory = Some(memory);
    }
    Ok(())
}

fn write(figures: &Figures, cases: &[Case], folder: &Path) -> Result<(), Error> {
    let failed = |error: &dyn std::fmt::Display| Error::failed("the report", error);
    let text = report(figures, cases);
    let json = serde_json::to_string_pretty(figures).map_err(|error| failed(&error))?;
    std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    for (name, text) in [("bench-cold.md", &text), ("bench-cold.json", &json)] {
        std::fs::write(folder.join(name), text).map_err(|error| failed(&error))?;
    }
    print(&text);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "output of a command-line program")]
fn print(text: &str) {
    println!("{text}");
}

/// The report in Markdown.
fn report(figures: &Figures, cases: &[Case]) -> String {
    let mut text = format!("Built in release, link-time optimisation: {}.\n", figures.lto);
    text += &counts(figures);
    text += &targets(figures, cases);
    text += &times(figures);
    text + &memories(figures)
}

fn counts(figures: &Figures) -> String {
    let mut text = "\n| program | instructions to ready | to first response | first request | warm request | warmed up: to ready | to first response | first | warm | connections before, for the first | binary bytes | zip bytes |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n".to_owned();
    for (name, program) in &figures.programs {
        let row = |counted: Option<InstructionCounts>| match counted {
            Some(it) => [it.ready, it.cold, it.first, it.warm].map(millions).join(" | "),
            None => ["–"; 4].join(" | "),
        };
        let opened =
            |it: InstructionCounts| format!("{}, {}", it.opened_before, it.opened_for_first);
        let opened = program.warmed.map_or("–".to_owned(), opened);
        let size = program.size.map(|size| (size.binary, size.zip)).unwrap_or_default();
        let (cold, warmed) = (row(program.cold), row(program.warmed));
        add_line(
            &mut text,
            format_args!("| {name} | {cold} | {warmed} | {opened} | {} | {} |", size.0, size.1),
        );
    }
    text
}

fn targets(figures: &Figures, cases: &[Case]) -> String {
    let mut text =
        "\n| function | figure | measured | limit | |\n|---|---|---|---|---|\n".to_owned();
    for case in cases {
        for (name, measurement) in measurements(figures, *case) {
            let limit = measurement.limit.map_or("–".to_owned(), short);
            let note = if measurement.is_within_limit() { "" } else { "**over**" };
            let figure = short(measurement.value);
            add_line(
                &mut text,
                format_args!("| {} | {name} | {figure} | {limit} | {note} |", case.function),
            );
        }
    }
    text
}

fn times(figures: &Figures) -> String {
    let mut text = "\n| program | start | ready ms | exec to first response ms | first request ms | warm request ms |\n|---|---|---|---|---|---|\n".to_owned();
    for (name, program) in &figures.programs {
        for (how, timed) in &program.timed {
            let [ready, cold, first, warm] = [timed.ready, timed.cold, timed.first, timed.warm]
                .map(|micros| float(micros) / 1000.0);
            add_line(
                &mut text,
                format_args!(
                    "| {name} | {how} | {ready:.2} | {cold:.2} | {first:.2} | {warm:.2} |"
                ),
            );
        }
    }
    text
}

fn memories(figures: &Figures) -> String {
    let mut text = "\n| program | resident kB after the first response | after a tenth | at the end | requests | page faults until the first response |\n|---|---|---|---|---|---|\n".to_owned();
    for (name, program) in &figures.programs {
        if let Some(it) = program.memory {
            let (first, tenth, last) = (it.first, it.tenth, it.last);
            add_line(
                &mut text,
                format_args!(
                    "| {name} | {first} | {tenth} | {last} | {} | {} |",
                    it.requests, it.faults
                ),
            );
        }
    }
    text
}

/// Appends a line. Writing to a string does not fail.
fn add_line(text: &mut String, row: std::fmt::Arguments<'_>) {
    writeln!(text, "{row}").unwrap_or_default();
}

fn millions(count: u64) -> String {
    format!("{:.3} M", float(count) / 1e6)
}

fn short(figure: f64) -> String {
    if figure >= 1000.0 { format!("{figure:.0}") } else { format!("{figure:.4}") }
}
