//! What can only be seen without a profiler: time, memory, page faults.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Error;
use crate::cases::Case;
use crate::instance::Instance;
use crate::world::{Doors, Start, World};

/// How many warm requests are timed at each start.
const WARM: usize = 10;
/// A Lambda of 128 MB has this part of a processor: a whole one comes with 1,769 MB.
const QUOTA: u64 = 20_000 * 128 / 1769;
const PERIOD: u64 = 20_000;

/// Medians, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timed {
    /// From exec until it asks for its first event.
    pub(crate) ready: u64,
    /// From exec to its first answer, when the event is there as soon as it is asked for.
    pub(crate) cold: u64,
    /// From the first event to its answer.
    pub(crate) first: u64,
    /// The same for those after it.
    pub(crate) warm: u64,
}

/// What a process held, in kB, and how often it had to be given a page.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    /// After the first answer.
    pub(crate) first: u64,
    /// After a tenth of the requests.
    pub(crate) tenth: u64,
    /// After all of them.
    pub(crate) last: u64,
    /// Page faults until the first answer.
    pub(crate) faults: u64,
    /// How many requests.
    pub(crate) requests: usize,
}

/// A start, timed.
#[derive(Debug, Clone, Copy)]
struct Sample {
    ready: Duration,
    cold: Duration,
    first: Duration,
    warm: Duration,
}

/// Something that is started over and over.
pub(crate) struct Subject<'a> {
    /// What it is called.
    pub(crate) name: &'a str,
    /// What it is asked.
    pub(crate) case: Case,
    /// Its binary.
    pub(crate) program: &'a Path,
    /// How.
    pub(crate) start: Start,
    /// Whether it has but the part of a processor that a small Lambda has.
    pub(crate) quota: Option<&'a Quota>,
}

/// A control group with a small part of a processor. It goes with the value.
pub(crate) struct Quota {
    folder: PathBuf,
    tasks: PathBuf,
}

impl Quota {
    /// Where this machine lets us make one.
    pub(crate) fn new() -> Option<Self> {
        let name = format!("bench-cold-{}", std::process::id());
        let (one, two) = (Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup"));
        let first = one.join("cpu.cfs_quota_us").exists() || one.join("tasks").exists();
        let folder = if first { one.join(name) } else { two.join(name) };
        std::fs::create_dir(&folder).ok()?;
        let (settings, tasks) = if first {
            let period = ("cpu.cfs_period_us", PERIOD.to_string());
            (vec![period, ("cpu.cfs_quota_us", QUOTA.to_string())], folder.join("tasks"))
        } else {
            (vec![("cpu.max", format!("{QUOTA} {PERIOD}"))], folder.join("cgroup.procs"))
        };
        let quota = Self { folder, tasks };
        for (file, text) in settings {
            std::fs::write(quota.folder.join(file), text).ok()?;
        }
        Some(quota)
    }

    /// What a program is started below.
    fn under(&self) -> Vec<String> {
        let tasks = self.tasks.to_string_lossy().into_owned();
        let enter = "echo $$ >\"$1\" && exec \"$2\"".to_owned();
        vec!["sh".to_owned(), "-c".to_owned(), enter, "sh".to_owned(), tasks]
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // Empty by now: whoever was in it has ended.
        std::fs::remove_dir(&self.folder).unwrap_or_default();
    }
}

/// Starts them in turn, so that whatever else the machine does meets all alike: the medians.
pub(crate) async fn time(
    world: &World,
    subjects: &[Subject<'_>],
    starts: usize,
) -> Result<Vec<Timed>, Error> {
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
    let timed = |samples: Vec<Sample>| Timed {
        ready: median(&samples, |sample| sample.ready),
        cold: median(&samples, |sample| sample.cold),
        first: median(&samples, |sample| sample.first),
        warm: median(&samples, |sample| sample.warm),
    };
    Ok(samples.into_iter().map(timed).collect())
}

async fn sample(world: &World, subject: &Subject<'_>) -> Result<Sample, Error> {
    let events = subject.case.events(world, 1 + WARM).await?;
    let doors = Doors::open(world).await?;
    let environment = world.environment(&doors, subject.case.function, subject.start);
    let under = subject.quota.map(Quota::under).unwrap_or_default();
    let mut instance = Instance::start(subject.name, subject.program, &under, &environment).await?;
    let ready = instance.ready().await?;
    let mut took = Vec::new();
    let mut cold = Duration::ZERO;
    for event in &events {
        let asked = Instant::now();
        let answer = instance.ask(event).await?;
        if took.is_empty() {
            cold = answer.at - instance.started();
        }
        took.push(answer.at - asked);
    }
    let first = took.remove(0);
    took.sort_unstable();
    Ok(Sample { ready, cold, first, warm: took.get(WARM / 2).copied().unwrap_or_default() })
}

/// Asks one process over and over: what it holds.
pub(crate) async fn memory(
    world: &World,
    case: Case,
    program: &Path,
    requests: usize,
) -> Result<Memory, Error> {
    let doors = Doors::open(world).await?;
    let environment = world.environment(&doors, case.function, Start::Warmed);
    let mut instance = Instance::start(case.function, program, &[], &environment).await?;
    instance.ready().await?;
    let mut memory = Memory { first: 0, tenth: 0, last: 0, faults: 0, requests };
    let lasting = case.lasting(world).await?;
    for number in 0..requests {
        instance.ask(&lasting(number)?).await?;
        if number == 0 {
            memory.first = resident(&instance)?;
            memory.faults = faults(&instance)?;
        }
        if number == requests / 10 {
            memory.tenth = resident(&instance)?;
        }
    }
    memory.last = resident(&instance)?;
    Ok(memory)
}

fn proc(instance: &Instance, file: &str) -> Result<String, Error> {
    let path = format!("/proc/{}/{file}", instance.process().unwrap_or_default());
    std::fs::read_to_string(&path).map_err(|error| Error::failed(path, error))
}

/// In kB.
fn resident(instance: &Instance) -> Result<u64, Error> {
    let status = proc(instance, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
    kilobytes.ok_or_else(|| Error::failed("VmRSS", status))
}

/// Minor and major ones.
fn faults(instance: &Instance) -> Result<u64, Error> {
    let stat = proc(instance, "stat")?;
    // After the name, which is in parentheses and can be anything, comes the third field.
    let fields = stat.rsplit_once(')').map(|(_, after)| after.split_ascii_whitespace());
    let fields: Vec<&str> = fields.into_iter().flatten().collect();
    let number = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u64>().ok());
    number(10)
        .zip(number(12))
        .map(|(minor, major)| minor + major)
        .ok_or_else(|| Error::failed("page faults", stat))
}
