//! Counts what a write did, so that a configuration in which nothing happens is seen.

use super::Rules;
use crate::event::Event;
use crate::truth::{Fate, Truth};

/// Compares what was so with what is.
pub fn change(before: &Truth, after: &Truth, rules: &Rules<'_>) {
    primary(before, after, rules);
    for fact in &after.facts {
        let was = before.fact(fact.place).map(|fact| fact.fate);
        match (was, fact.fate) {
            (Some(Fate::Waiting), Fate::Active(_)) => rules.note(Event::Activated),
            (Some(Fate::Waiting), Fate::Cancelled { ended: false, .. }) => {
                rules.note(Event::Abandoned);
            }
            (Some(Fate::Active(_)), Fate::Expired(_)) => rules.note(Event::Expired),
            _ => {}
        }
    }
}

fn primary(before: &Truth, after: &Truth, rules: &Rules<'_>) {
    let (Some(was), Some(is)) = (before.primary(), after.primary()) else { return };
    if was == is {
        return;
    }
    let fate = after.fact(was).map_or(Fate::Gone, |fact| fact.fate);
    if fate.is_live() {
        if fate == Fate::Waiting && !after.choices().contains(&is) {
            rules.note(Event::Overtaken);
        }
        return;
    }
    rules.note(Event::Promoted);
    if before.choices().first() == Some(&was) && after.choices().first() == Some(&is) {
        rules.note(Event::HandedBack);
    }
}
