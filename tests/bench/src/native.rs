//! Measurements without a profiler: wall time, memory, page faults.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Error;
use crate::cases::Case;
use crate::instance::Instance;
use crate::world::{AwsProxies, Start, World};

/// Number of warm requests per start.
const WARM: usize = 10;
/// The processor share of a Lambda function with 128 MB: 1,769 MB have a whole processor.
const QUOTA_MICROSECONDS: u64 = 20_000 * 128 / 1769;
const PERIOD_MICROSECONDS: u64 = 20_000;

/// Medians in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Durations {
    /// From exec to the first request for an event.
    pub(crate) ready: u64,
    /// From exec to the first response, if the event is available without delay.
    pub(crate) cold: u64,
    /// From the first event to its response.
    pub(crate) first: u64,
    /// From a later event to its response.
    pub(crate) warm: u64,
}

/// Resident memory in kB, and page faults.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    /// Resident memory after the first response.
    pub(crate) first: u64,
    /// Resident memory after a tenth of the requests.
    pub(crate) tenth: u64,
    /// Resident memory after all requests.
    pub(crate) last: u64,
    /// Page faults up to the first response.
    pub(crate) faults: u64,
    /// Number of requests.
    pub(crate) requests: usize,
}

/// The times of one start.
#[derive(Debug, Clone, Copy)]
struct Sample {
    ready: Duration,
    cold: Duration,
    first: Duration,
    warm: Duration,
}

/// A program to be started repeatedly.
pub(crate) struct Subject<'a> {
    /// The name.
    pub(crate) name: &'a str,
    /// The function and its events.
    pub(crate) case: Case,
    /// The binary.
    pub(crate) program: &'a Path,
    /// The start mode.
    pub(crate) start: Start,
    /// The processor limit, if any.
    pub(crate) quota: Option<&'a Quota>,
}

/// A control group with the processor share of a small Lambda function. It is removed when dropped.
pub(crate) struct Quota {
    folder: PathBuf,
    tasks: PathBuf,
}

impl Quota {
    /// Creates the control group. Returns `None` if the machine does not allow it.
    pub(crate) fn new() -> Option<Self> {
        let name = format!("bench-cold-{}", std::process::id());
        let (version_1, version_2) = (Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup"));
        let is_version_1 =
            version_1.join("cpu.cfs_quota_us").exists() || version_1.join("tasks").exists();
        let folder = if is_version_1 { version_1.join(name) } else { version_2.join(name) };
        std::fs::create_dir(&folder).ok()?;
        let (settings, tasks) = if is_version_1 {
            let period = ("cpu.cfs_period_us", PERIOD_MICROSECONDS.to_string());
            (
                vec![period, ("cpu.cfs_quota_us", QUOTA_MICROSECONDS.to_string())],
                folder.join("tasks"),
            )
        } else {
            (
                vec![("cpu.max", format!("{QUOTA_MICROSECONDS} {PERIOD_MICROSECONDS}"))],
                folder.join("cgroup.procs"),
            )
        };
        let quota = Self { folder, tasks };
        for (file, text) in settings {
            std::fs::write(quota.folder.join(file), text).ok()?;
        }
        Some(quota)
    }

    /// The command that starts a program in the control group.
    fn wrapper(&self) -> Vec<String> {
        let tasks = self.tasks.to_string_lossy().into_owned();
        let script = "echo $$ >\"$1\" && exec \"$2\"".to_owned();
        vec!["sh".to_owned(), "-c".to_owned(), script, "sh".to_owned(), tasks]
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // The group is empty, because all its processes have ended.
        std::fs::remove_dir(&self.folder).unwrap_or_default();
    }
}

/// Times all programs. Their starts are interleaved, so that other load on the machine affects all of them. Returns the medians.
pub(crate) async fn time(
    world: &World,
    subjects: &[Subject<'_>],
    starts: usize,
) -> Result<Vec<Durations>, Error> {
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); subjects.len()];
    for _ in 0..starts {
        for (subject, samples) in subjects.iter().zip(&mut samples) {
            samples.push(sample(world, subject).await?);
        }
    }
    let median = |samples: &[Sample], of: fn(&Sample) -> Duration| {
        let mut all: Vec<Duration> = samples.iter().map(of).collect();
        all.sort_unstable();
        let middle = all.get(all.len() / 2).map_or(0, Duration::as_micros);
        u64::try_from(middle).unwrap_or(u64::MAX)
    };
    let timed = |samples: Vec<Sample>| Durations {
        ready: median(&samples, |sample| sample.ready),
        cold: median(&samples, |sample| sample.cold),
        first: median(&samples, |sample| sample.first),
        warm: median(&samples, |sample| sample.warm),
    };
    Ok(samples.into_iter().map(timed).collect())
}

async fn sample(world: &World, subject: &Subject<'_>) -> Result<Sample, Error> {
    let events = subject.case.events(world, 1 + WARM).await?;
    let proxies = AwsProxies::start(world).await?;
    let environment = world.environment(&proxies, subject.case.function, subject.start);
    let wrapper = subject.quota.map(Quota::wrapper).unwrap_or_default();
    let mut instance =
        Instance::start(subject.name, subject.program, &wrapper, &environment).await?;
    let ready = instance.ready().await?;
    let mut durations = Vec::new();
    let mut cold = Duration::ZERO;
    for event in &events {
        let sent = Instant::now();
        let response = instance.send(event).await?;
        if durations.is_empty() {
            cold = response.at - instance.started();
        }
        durations.push(response.at - sent);
    }
    let first = durations.remove(0);
    durations.sort_unstable();
    Ok(Sample { ready, cold, first, warm: durations.get(WARM / 2).copied().unwrap_or_default() })
}

/// Sends many requests to one process. Returns its memory use.
pub(crate) async fn memory(
    world: &World,
    case: Case,
    program: &Path,
    requests: usize,
) -> Result<Memory, Error> {
    let proxies = AwsProxies::start(world).await?;
    let environment = world.environment(&proxies, case.function, Start::Warmed);
    let mut instance = Instance::start(case.function, program, &[], &environment).await?;
    instance.ready().await?;
    let mut memory = Memory { first: 0, tenth: 0, last: 0, faults: 0, requests };
    let unlimited_events = case.unlimited_events(world).await?;
    for number in 0..requests {
        instance.send(&unlimited_events(number)?).await?;
        if number == 0 {
            memory.first = resident_kilobytes(&instance)?;
            memory.faults = page_faults(&instance)?;
        }
        if number == requests / 10 {
            memory.tenth = resident_kilobytes(&instance)?;
        }
    }
    memory.last = resident_kilobytes(&instance)?;
    Ok(memory)
}

fn read_proc(instance: &Instance, file: &str) -> Result<String, Error> {
    let path = format!("/proc/{}/{file}", instance.process().unwrap_or_default());
    std::fs::read_to_string(&path).map_err(|error| Error::failed(path, error))
}

/// The resident memory in kB.
fn resident_kilobytes(instance: &Instance) -> Result<u64, Error> {
    let status = read_proc(instance, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
    kilobytes.ok_or_else(|| Error::failed("VmRSS", status))
}

/// The number of minor and major page faults.
fn page_faults(instance: &Instance) -> Result<u64, Error> {
    let stat = read_proc(instance, "stat")?;
    // The name is in parentheses and can contain any character. The third field comes after it.
    let fields = stat.rsplit_once(')').map(|(_, after)| after.split_ascii_whitespace());
    let fields: Vec<&str> = fields.into_iter().flatten().collect();
    let number = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u64>().ok());
    number(10)
        .zip(number(12))
        .map(|(minor, major)| minor + major)
        .ok_or_else(|| Error::failed("page faults", stat))
}
