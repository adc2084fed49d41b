//! Clients at once on one wallet: who is primary, and that nothing is lost or done twice.

use super::words::{CREATE, CREATE_CHOSEN, after, create_with, done, open, with_card};
use super::{Before, Bounds, Configuration, Size, each_of};
use crate::event::Event;
use crate::nets::Page;
use crate::operation::Operation::{self, Choose, End, Erase, List, Rename, Unchoose};

/// One ACTIVE, and one CREATED that was chosen.
fn chosen() -> Vec<Before> {
    [with_card(1, Page::Card), vec![done(CREATE), done(Choose(2))]].concat()
}

/// Two ACTIVE, chosen one after the other: the first choice is behind the second.
fn chosen_twice() -> Vec<Before> {
    let cards = [with_card(1, Page::Card), with_card(2, Page::Card)].concat();
    [cards, vec![done(Choose(2)), done(Choose(1))]].concat()
}

/// Every operation on a wallet that leaves Nets alone.
fn alphabet() -> Vec<Vec<Operation>> {
    let all = [
        List,
        CREATE,
        CREATE_CHOSEN,
        Choose(1),
        Choose(2),
        Unchoose(2),
        Rename(1, 1),
        Rename(1, 2),
        End(1),
        End(2),
        Erase,
    ];
    all.map(|operation| vec![operation]).to_vec()
}

/// Three clients, one operation each, of every kind.
pub(super) fn primary(size: Size) -> Configuration {
    let (clients, losses, kills) = match size {
        Size::Small => (2, 1, 0),
        Size::Medium => (3, 1, 0),
        Size::Large => (3, 2, 1),
    };
    Configuration {
        name: "primary",
        about: "clients at once on one wallet, every operation against every other",
        bounds: Bounds { tries: 3, losses, kills, ..Bounds::default() },
        scenarios: after(&[chosen(), chosen_twice()], &each_of(clients, &alphabet())),
        expects: vec![
            Event::Beaten,
            Event::Recognised,
            Event::RecognisedByReading,
            Event::LateWrite,
            Event::Refused,
            Event::NothingToWrite,
            Event::Promoted,
            Event::HandedBack,
            Event::Erased,
        ],
    }
}

/// Two clients with a chain of operations each: what one does second meets what the other did first.
pub(super) fn chains(size: Size) -> Configuration {
    let all = [CREATE_CHOSEN, Choose(1), Choose(2), Rename(2, 1), End(1), End(2)];
    let length = if size == Size::Large { 3 } else { 2 };
    let mut chains = vec![Vec::new()];
    for _ in 0..length {
        let longer = |chain: &Vec<Operation>| {
            let chain = chain.clone();
            all.into_iter().map(move |next| [chain.clone(), vec![next]].concat())
        };
        chains = chains.iter().flat_map(longer).collect();
    }
    let losses = u8::from(size > Size::Small);
    Configuration {
        name: "chains",
        about: "two clients, several operations each",
        bounds: Bounds { tries: 3, losses, ..Bounds::default() },
        scenarios: after(&[chosen()], &each_of(2, &chains)),
        expects: vec![Event::Beaten, Event::Promoted, Event::HandedBack],
    }
}

/// Few tries and much trouble: the last try, and what is said after it.
fn doubt(size: Size) -> Configuration {
    let few = [CREATE_CHOSEN, Choose(1), End(2), Rename(1, 1)];
    let scripts = few.map(|operation| vec![operation]);
    let (clients, tries, losses) = match size {
        Size::Small => (2, 2, 2),
        Size::Medium => (3, 2, 2),
        Size::Large => (3, 3, 3),
    };
    Configuration {
        name: "doubt",
        about: "few tries and many losses: Busy, and the last doubtful write",
        bounds: Bounds { tries, losses, ..Bounds::default() },
        scenarios: after(&[chosen()], &each_of(clients, &scripts)),
        expects: vec![
            Event::Beaten,
            Event::Recognised,
            Event::RecognisedByReading,
            Event::RecognisedAtLast,
            Event::LeftInDoubt,
            Event::Busy,
        ],
    }
}

/// The same on an engine that says what beat a write, as Amazon's does, and on one that does not.
pub(super) fn telling(size: Size) -> Configuration {
    doubt(size)
}

/// See [`telling`].
pub(super) fn silent(size: Size) -> Configuration {
    let doubt = doubt(size);
    // Who is not told by whom it was beaten needs two to lose two races.
    let busy = (size > Size::Small).then_some(Event::Busy);
    let mut expects =
        vec![Event::BeatenSilently, Event::RecognisedByReading, Event::RecognisedAtLast];
    expects.extend(busy);
    Configuration {
        name: "silent",
        about: "the same on an engine that does not say what beat a write, as dynalite",
        bounds: Bounds { telling: false, ..doubt.bounds },
        expects,
        ..doubt
    }
}

/// Requests that are repeated with their key, whatever became of them.
pub(super) fn keys(size: Size) -> Configuration {
    let again = vec![create_with(1), create_with(1)];
    let sets = vec![
        vec![again.clone(), vec![create_with(1)]],
        vec![again.clone(), vec![create_with(1), End(1)]],
        vec![again.clone(), vec![create_with(2), Erase]],
        vec![again, vec![create_with(1)], vec![create_with(1)]],
    ];
    let (losses, kills) = match size {
        Size::Small => (1, 1),
        Size::Medium => (2, 1),
        Size::Large => (3, 2),
    };
    Configuration {
        name: "keys",
        about: "creations that are repeated with their idempotency key, by one client and by two",
        bounds: Bounds { tries: 3, losses, kills, ..Bounds::default() },
        scenarios: after(&[vec![], vec![done(CREATE)]], &sets),
        expects: vec![Event::SamePayment, Event::KilledWithWrite, Event::LateWrite],
    }
}

/// Five wait for a card, and a sixth comes: the oldest is abandoned, perhaps with its card at Nets.
pub(super) fn many(size: Size) -> Configuration {
    let five = vec![done(CREATE); 5];
    let first = vec![done(open(1)), Before::Entered(1, Page::Card), done(Choose(1))];
    let sets = vec![
        vec![vec![CREATE], vec![CREATE_CHOSEN], vec![Operation::Authorize(1)]],
        vec![vec![CREATE_CHOSEN], vec![End(1)], vec![Choose(2)]],
        vec![vec![CREATE, CREATE], vec![Operation::Authorize(1), End(1)]],
    ];
    let losses = match size {
        Size::Small => 0,
        Size::Medium => 1,
        Size::Large => 2,
    };
    Configuration {
        name: "many",
        about: "a sixth that waits for a card abandons the oldest",
        bounds: Bounds { tries: 3, losses, ..Bounds::default() },
        scenarios: after(&[[five, first].concat()], &sets),
        expects: vec![Event::Abandoned, Event::CardTooLate, Event::Promoted],
    }
}
