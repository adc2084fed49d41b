//! Every configuration, small enough for a build without optimisation: every property holds in every state, and everything
//! that has to happen does. And the model is no rubber stamp: each rule of the protocol, broken, is found.

#![expect(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use model::breach::Breach::{
    self, AskedAgain, CardLost, DeniedAndDone, DoneTwice, FalseAnswer, NoPage, NotAsDone,
    NotWrittenDown, Overdue, Overwritten, SameTry, StaleAnswer, Unfinished, Untold,
};
use model::check::{Search, explore, shortest};
use model::configuration::{Size, configuration};
use model::flaw::Flaw;
use model::report;

const SEARCH: Search = Search { threads: 1, depth: None, flaw: None };

/// Explores these configurations, every state of them.
fn holds(names: &[&str]) {
    for name in names {
        let configuration = configuration(name, Size::Small).unwrap();
        let outcome = explore(&configuration, SEARCH);
        assert!(outcome.is_good(), "{name}\n{}", report::details(&outcome, true));
    }
}

#[test]
fn clients_race() {
    holds(&["primary", "chains", "many"]);
}

#[test]
fn answers_are_lost() {
    holds(&["doubt", "silent", "keys"]);
}

#[test]
fn a_card_comes() {
    holds(&["card", "visits"]);
}

#[test]
fn everybody_looks() {
    holds(&["found"]);
}

#[test]
fn requests_are_repeated() {
    holds(&["repeats"]);
}

#[test]
fn callers_are_told() {
    holds(&["told"]);
}

#[test]
fn time_passes() {
    holds(&["time", "late", "absence"]);
}

/// Each flaw, where it is found, and which property finds it.
const FLAWS: &[(Flaw, &str, Breach)] = &[
    (Flaw::NoCondition, "primary", Overwritten),
    (Flaw::StaleRead, "primary", StaleAnswer),
    (Flaw::ForgetsOwnWrite, "doubt", DeniedAndDone),
    (Flaw::RetriesBlindly, "doubt", DoneTwice),
    (Flaw::AnotherIdEachTry, "doubt", DoneTwice),
    (Flaw::DecidesOnce, "primary", NotAsDone),
    (Flaw::NoLookAfterDoubt, "doubt", DeniedAndDone),
    (Flaw::AnswersFirst, "primary", FalseAnswer),
    (Flaw::BeatenWithoutALook, "silent", DeniedAndDone),
    (Flaw::VerifiesWithoutQuery, "card", AskedAgain),
    (Flaw::WritesAfterNets, "card", NotWrittenDown),
    (Flaw::DoubtIsNo, "card", CardLost),
    (Flaw::TakenIsRegistered, "repeats", NoPage),
    (Flaw::WritesOffTheYoung, "card", CardLost),
    (Flaw::WritesOffUnregistered, "repeats", CardLost),
    (Flaw::TakesOverSilently, "repeats", CardLost),
    (Flaw::ExpiryNotIndexed, "absence", Overdue),
    (Flaw::NotIndexed, "card", Unfinished),
    (Flaw::TriesNotWrittenDown, "told", SameTry),
    (Flaw::ForgetsUnheard, "told", Untold),
];

#[test]
fn each_flaw_is_found() {
    for flaw in <Flaw as clap::ValueEnum>::value_variants() {
        let Some((_, name, breach)) = FLAWS.iter().find(|(known, ..)| known == flaw) else {
            panic!("{flaw:?} is in no row of the table");
        };
        let configuration = configuration(name, Size::Small).unwrap();
        let outcome = shortest(&configuration, Search { flaw: Some(*flaw), ..SEARCH });
        let found: Vec<_> = outcome.broken.iter().map(|(breach, _)| *breach).collect();
        assert!(found.contains(breach), "{flaw:?} in {name}: {found:?}");
    }
}
