//! What is lost at each step, and whether the order is paid in the end.

use local::netaxept::{FaultKind, Operation};
use local::side_effects::HoldPoint;

/// The step at which something is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Create,
    Terminal,
    Page,
    Capture,
}
use Step::{Capture, Create, Page, Terminal};

/// What is lost.
#[derive(Debug, Clone, Copy)]
pub(super) enum Loss {
    /// The answer of the step: the client stops.
    Client,
    /// The function is killed before or after a side effect. The number is that of the side effects before it.
    Function(usize, &'static str, HoldPoint),
    /// Calls to Nets, or its replies.
    Nets(&'static [Fault]),
    /// The replies to this many writes, after the number of writes before them.
    Writes { before: usize, lost: u32 },
    /// Every request to the tables fails, after this number of writes.
    Tables { before: usize },
}

/// A fault at Nets: operation, kind, and the delay of a call that arrives late or of what a stale reply does not show.
pub(super) type Fault = (Operation, FaultKind, Option<u32>);

/// What is lost, and whether the order is paid in the end if only the schedule runs. If the client repeats its requests, it is
/// always paid.
pub(super) struct Row {
    pub(super) step: Step,
    pub(super) loss: Loss,
    pub(super) is_paid: bool,
}

const fn row(step: Step, loss: Loss, is_paid: bool) -> Row {
    Row { step, loss, is_paid }
}

const UNPAID: bool = false;
const PAID: bool = true;
const BEFORE: HoldPoint = HoldPoint::Before;
const AFTER: HoldPoint = HoldPoint::After;

pub(super) const CLIENTS_AND_FUNCTIONS: [Row; 18] = [
    row(Create, Loss::Client, UNPAID),
    row(Terminal, Loss::Client, UNPAID),
    row(Page, Loss::Client, UNPAID),
    row(Capture, Loss::Client, PAID),
    row(Create, Loss::Function(0, "PutItem Payments", BEFORE), UNPAID),
    row(Create, Loss::Function(0, "PutItem Payments", AFTER), UNPAID),
    row(Terminal, Loss::Function(0, "PutItem Payments", BEFORE), UNPAID),
    row(Terminal, Loss::Function(0, "PutItem Payments", AFTER), UNPAID),
    row(Terminal, Loss::Function(1, "Netaxept Register", BEFORE), UNPAID),
    row(Terminal, Loss::Function(1, "Netaxept Register", AFTER), UNPAID),
    row(Capture, Loss::Function(0, "PutItem Payments", BEFORE), UNPAID),
    row(Capture, Loss::Function(0, "PutItem Payments", AFTER), UNPAID),
    row(Capture, Loss::Function(1, "Netaxept Process", BEFORE), UNPAID),
    row(Capture, Loss::Function(1, "Netaxept Process", AFTER), UNPAID),
    row(Capture, Loss::Function(2, "Netaxept Process", BEFORE), UNPAID),
    row(Capture, Loss::Function(2, "Netaxept Process", AFTER), PAID),
    row(Capture, Loss::Function(3, "PutItem Payments", BEFORE), PAID),
    row(Capture, Loss::Function(3, "PutItem Payments", AFTER), PAID),
];

const DROP: FaultKind = FaultKind::DropReply;
const FAIL: FaultKind = FaultKind::Http500;
const GARBAGE: FaultKind = FaultKind::Garbage;
const LATE: FaultKind = FaultKind::ArriveLate;
const STALE: FaultKind = FaultKind::Stale;
/// Two hours, in seconds.
const HOURS: Option<u32> = Some(7200);

/// Each request tries AUTH and CAPTURE a second time, if a Query shows that the first one was not done.
pub(super) const NETS: [Row; 30] = {
    use Operation::{Auth, Capture as Capt, Query, Register, Terminal as Button};
    [
        row(Terminal, Loss::Nets(&[(Register, DROP, None)]), UNPAID),
        row(Terminal, Loss::Nets(&[(Register, DROP, None), (Query, DROP, None)]), UNPAID),
        row(Terminal, Loss::Nets(&[(Register, FAIL, None)]), UNPAID),
        row(Terminal, Loss::Nets(&[(Register, GARBAGE, None)]), UNPAID),
        row(Terminal, Loss::Nets(&[(Register, LATE, None)]), UNPAID),
        row(Terminal, Loss::Nets(&[(Register, LATE, HOURS)]), UNPAID),
        row(Page, Loss::Nets(&[(Button, DROP, None)]), UNPAID),
        row(Capture, Loss::Nets(&[(Auth, DROP, None)]), PAID),
        row(Capture, Loss::Nets(&[(Auth, DROP, None), (Query, DROP, None)]), UNPAID),
        row(Capture, Loss::Nets(&[(Auth, DROP, None), (Query, STALE, None)]), PAID),
        row(
            Capture,
            Loss::Nets(&[(Auth, DROP, None), (Query, STALE, None), (Query, STALE, None)]),
            UNPAID,
        ),
        row(Capture, Loss::Nets(&[(Auth, FAIL, None)]), PAID),
        row(Capture, Loss::Nets(&[(Auth, FAIL, None), (Auth, FAIL, None)]), UNPAID),
        row(Capture, Loss::Nets(&[(Auth, GARBAGE, None)]), PAID),
        row(Capture, Loss::Nets(&[(Auth, GARBAGE, None), (Query, GARBAGE, None)]), UNPAID),
        row(Capture, Loss::Nets(&[(Auth, LATE, None)]), PAID),
        row(Capture, Loss::Nets(&[(Auth, LATE, None), (Query, FAIL, None)]), UNPAID),
        row(Capture, Loss::Nets(&[(Auth, LATE, None), (Auth, LATE, None)]), UNPAID),
        row(Capture, Loss::Nets(&[(Auth, LATE, HOURS), (Auth, LATE, HOURS)]), UNPAID),
        row(Capture, Loss::Nets(&[(Capt, DROP, None)]), PAID),
        row(Capture, Loss::Nets(&[(Capt, DROP, None), (Query, DROP, None)]), PAID),
        row(Capture, Loss::Nets(&[(Capt, DROP, None), (Query, STALE, None)]), PAID),
        row(Capture, Loss::Nets(&[(Capt, FAIL, None)]), PAID),
        row(Capture, Loss::Nets(&[(Capt, FAIL, None), (Capt, FAIL, None)]), UNPAID),
        row(Capture, Loss::Nets(&[(Capt, GARBAGE, None), (Query, GARBAGE, None)]), UNPAID),
        row(Capture, Loss::Nets(&[(Capt, LATE, None)]), PAID),
        row(Capture, Loss::Nets(&[(Capt, LATE, None), (Query, FAIL, None)]), PAID),
        row(Capture, Loss::Nets(&[(Capt, LATE, None), (Capt, LATE, None)]), PAID),
        row(Capture, Loss::Nets(&[(Capt, LATE, HOURS), (Capt, LATE, HOURS)]), PAID),
        row(
            Capture,
            Loss::Nets(&[
                (Auth, DROP, None),
                (Capt, DROP, None),
                (Query, Pass, None),
                (Query, DROP, None),
            ]),
            PAID,
        ),
    ]
};
use FaultKind::Pass;

/// One lost reply is repeated by the SDK, three are not.
pub(super) const TABLES: [Row; 12] = [
    row(Create, Loss::Writes { before: 0, lost: 1 }, UNPAID),
    row(Create, Loss::Writes { before: 0, lost: 3 }, UNPAID),
    row(Terminal, Loss::Writes { before: 0, lost: 1 }, UNPAID),
    row(Terminal, Loss::Writes { before: 0, lost: 3 }, UNPAID),
    row(Capture, Loss::Writes { before: 0, lost: 1 }, PAID),
    row(Capture, Loss::Writes { before: 0, lost: 3 }, PAID),
    row(Capture, Loss::Writes { before: 1, lost: 1 }, PAID),
    row(Capture, Loss::Writes { before: 1, lost: 3 }, PAID),
    row(Create, Loss::Tables { before: 0 }, UNPAID),
    row(Terminal, Loss::Tables { before: 0 }, UNPAID),
    row(Capture, Loss::Tables { before: 0 }, UNPAID),
    row(Capture, Loss::Tables { before: 1 }, PAID),
];

impl Row {
    /// Describes the row in the printed table.
    pub(super) fn describe(&self) -> (String, String) {
        let loss = match self.loss {
            Loss::Client => "the client stops".to_owned(),
            Loss::Function(before, effect, point) => {
                let effect = match (self.step, before) {
                    (Capture, 1) => "AUTH",
                    (Capture, 2) => "CAPTURE",
                    (Capture, 3) => "the second PutItem Payments",
                    (Create | Terminal | Page | Capture, _) => effect,
                };
                format!("killed {} {effect}", if point == BEFORE { "before" } else { "after" })
            }
            Loss::Nets(faults) => {
                let names = faults.iter().map(|(operation, kind, delay)| {
                    let hours = delay.map_or("", |_| " by 2 h");
                    format!("{operation:?} {kind:?}{hours}")
                });
                names.collect::<Vec<_>>().join(", ")
            }
            Loss::Writes { before, lost } => {
                format!("replies to {lost} writes after {before} others")
            }
            Loss::Tables { before } => format!("all tables after {before} writes"),
        };
        (format!("{:?}", self.step).to_lowercase(), loss)
    }
}
