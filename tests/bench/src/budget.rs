//! The budgets: compares the counted figures with `budgets.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::figures::{Figures, float};

/// A figure may exceed its budget by this factor.
const TOLERANCE: f64 = 1.05;

/// The budget of one program, by the name of the figure.
type Budget = BTreeMap<String, u64>;

/// Budgets by link-time optimisation, then by program.
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

/// The counted figures of every program. They hardly depend on the machine.
fn counts(figures: &Figures) -> BTreeMap<String, Budget> {
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

/// Compares all counted figures with their budgets.
pub(crate) fn check(figures: &Figures) -> Result<(), Error> {
    let budgets = read()?.0.remove(&figures.lto).unwrap_or_default();
    let mut exceeded = Vec::new();
    for (name, counted) in counts(figures) {
        for (figure, value) in counted {
            match budgets.get(&name).and_then(|budget| budget.get(&figure)) {
                None => exceeded.push(format!("{name}: {figure}: {value}, no budget")),
                Some(budget) if float(value) > float(*budget) * TOLERANCE => {
                    exceeded.push(format!("{name}: {figure}: {value}, budget {budget}"));
                }
                Some(_) => {}
            }
        }
    }
    if exceeded.is_empty() { Ok(()) } else { Err(Error::Budget(exceeded.join("\n"))) }
}

/// Writes the counted figures as budgets. Programs that were not counted keep their budgets.
pub(crate) fn write(figures: &Figures) -> Result<(), Error> {
    let mut budgets = if path().exists() { read()? } else { Budgets::default() };
    budgets.0.entry(figures.lto.clone()).or_default().extend(counts(figures));
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
    fn missing_budget_is_an_error() {
        let exceeded = check(&figures("unknown", 1)).unwrap_err().to_string();
        assert_eq!(
            exceeded,
            "over budget:\nnothing: binary bytes: 1, no budget\nnothing: zip bytes: 1, no budget"
        );
    }

    /// Every function has a budget for every figure.
    #[test]
    fn every_function_has_its_budgets() {
        let budgets = read().unwrap().0;
        assert_eq!(budgets.keys().collect::<Vec<_>>(), ["off"]);
        for programs in budgets.values() {
            for case in crate::cases::ALL {
                assert_eq!(programs[case.function].len(), 10, "{}", case.function);
            }
        }
    }
}
