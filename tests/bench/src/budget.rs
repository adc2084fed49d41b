//! The gate: what is counted against what was settled.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::figures::{Figures, float};

/// How much more than its budget a figure may be.
const ROOM: f64 = 1.05;

/// What is settled for one program, by what is counted.
type Budget = BTreeMap<String, u64>;

/// For each way in which the functions are built, for each program.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Budgets(BTreeMap<String, BTreeMap<String, Budget>>);

fn path() -> PathBuf {
    local::binaries::root().join("tests/bench/budgets.json")
}

fn read() -> Result<Budgets, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::failed("budgets.json", error);
    let text = std::fs::read_to_string(path()).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}

/// What is counted of every program: the same on every machine, or nearly.
fn counted(figures: &Figures) -> BTreeMap<String, Budget> {
    let mut programs = BTreeMap::new();
    for (name, program) in &figures.programs {
        let mut budget = Budget::new();
        if let Some(size) = program.size {
            budget.insert("binary bytes".to_owned(), size.binary);
            budget.insert("zip bytes".to_owned(), size.zip);
        }
        for (how, counted) in [("cold", program.cold), ("warmed up", program.warmed)] {
            let Some(counted) = counted else { continue };
            budget.insert(format!("{how}: instructions to ready"), counted.ready);
            budget.insert(format!("{how}: instructions of the first request"), counted.first);
            budget.insert(format!("{how}: instructions of a warm request"), counted.warm);
            let opened = counted.opened_for_first as u64;
            budget.insert(format!("{how}: connections for the first request"), opened);
        }
        programs.insert(name.clone(), budget);
    }
    programs
}

/// Holds everything that was counted against its budget.
pub(crate) fn check(figures: &Figures) -> Result<(), Error> {
    let settled = read()?.0.remove(&figures.lto).unwrap_or_default();
    let mut beyond = Vec::new();
    for (name, counted) in counted(figures) {
        for (what, figure) in counted {
            match settled.get(&name).and_then(|budget| budget.get(&what)) {
                None => beyond.push(format!("{name}: {what}: {figure}, and no budget")),
                Some(budget) if float(figure) > float(*budget) * ROOM => {
                    beyond.push(format!("{name}: {what}: {figure}, and the budget is {budget}"));
                }
                Some(_) => {}
            }
        }
    }
    if beyond.is_empty() { Ok(()) } else { Err(Error::Budget(beyond.join("\n"))) }
}

/// Writes down what was counted; programs that were not counted keep what they had.
pub(crate) fn settle(figures: &Figures) -> Result<(), Error> {
    let mut budgets = if path().exists() { read()? } else { Budgets::default() };
    budgets.0.entry(figures.lto.clone()).or_default().extend(counted(figures));
    let text = serde_json::to_string_pretty(&budgets);
    let text = text.map_err(|error| Error::failed("budgets.json", error))? + "\n";
    std::fs::write(path(), text).map_err(|error| Error::failed("budgets.json", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binaries::Size;
    use crate::figures::Program;

    fn figures(lto: &str, zip: u64) -> Figures {
        let program = Program { size: Some(Size { binary: 1, zip }), ..Program::default() };
        let programs = [("nothing".to_owned(), program)].into();
        Figures { lto: lto.to_owned(), programs }
    }

    #[test]
    fn what_has_no_budget_is_beyond_it() {
        let beyond = check(&figures("in no way", 1)).unwrap_err().to_string();
        assert_eq!(
            beyond,
            "beyond the budget:\nnothing: binary bytes: 1, and no budget\nnothing: zip bytes: 1, and no budget"
        );
    }

    /// Every function has a budget for everything, however it is built.
    #[test]
    fn every_function_has_its_budgets() {
        let budgets = read().unwrap().0;
        assert_eq!(budgets.keys().collect::<Vec<_>>(), ["fat"]);
        for programs in budgets.values() {
            for case in crate::cases::ALL {
                assert_eq!(programs[case.function].len(), 10, "{}", case.function);
            }
        }
    }
}
