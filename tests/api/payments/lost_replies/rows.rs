//! What is lost at each step, and whether the step is completed in the end.

use std::collections::BTreeSet;

use local::netaxept::{FaultKind, Operation};
use local::side_effects::HoldPoint;

/// The step at which something is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Create,
    Terminal,
    Page,
    Capture,
    Credit,
    /// The schedule captures what the customer paid at a terminal with `autoSale`.
    Sale,
    /// Nets' callback captures it.
    Callback,
    /// The schedule charges for the merchant.
    MerchantSale,
}
use Step::{Callback, Capture, Create, Credit, MerchantSale, Page, Sale, Terminal};

impl Step {
    /// The function that does the step.
    pub(super) fn function(self) -> &'static str {
        match self {
            Create => "create-payment",
            Terminal => "create-payment-terminal",
            Page | Capture => "capture-transaction",
            Credit => "credit-transaction",
            Sale | MerchantSale => "settle-payments",
            Callback => "receive-netaxept-callback",
        }
    }
}

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

/// What is lost, and whether the order is paid, or the credit made, in the end if only the schedule runs. If the client repeats its
/// requests, it always is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) step: Step,
    pub(super) loss: Loss,
    pub(super) is_completed: bool,
}

const fn row(step: Step, loss: Loss, is_completed: bool) -> Row {
    Row { step, loss, is_completed }
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
    row(Capture, Loss::Tables { before: 1 }, PAID),
    row(Capture, Loss::Tables { before: 0 }, UNPAID),
];

/// The side effects of a credit: the intent, CREDIT, and its result.
pub(super) const CREDITS: [Row; 36] = {
    use Operation::{Credit as Crdt, Query};
    [
        row(Credit, Loss::Client, CREDITED),
        row(Credit, Loss::Function(0, "PutItem Payments", BEFORE), UNCREDITED),
        row(Credit, Loss::Function(0, "PutItem Payments", AFTER), CREDITED),
        row(Credit, Loss::Function(1, "Netaxept Process", BEFORE), CREDITED),
        row(Credit, Loss::Function(1, "Netaxept Process", AFTER), CREDITED),
        row(Credit, Loss::Function(2, "PutItem Payments", BEFORE), CREDITED),
        row(Credit, Loss::Function(2, "PutItem Payments", AFTER), CREDITED),
        // The first Query: nothing is stored.
        row(Credit, Loss::Nets(&[(Query, DROP, None)]), UNCREDITED),
        row(Credit, Loss::Nets(&[(Query, FAIL, None)]), UNCREDITED),
        row(Credit, Loss::Nets(&[(Query, HTML, None)]), UNCREDITED),
        row(Credit, Loss::Nets(&[(Query, GARBAGE, None)]), UNCREDITED),
        row(Credit, Loss::Nets(&[(Query, STALE, HOURS)]), UNCREDITED),
        // The reply to CREDIT.
        row(Credit, Loss::Nets(&[(Crdt, DROP, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, DROP, None), PASSED, (Query, DROP, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, DROP, None), PASSED, (Query, STALE, None)]), CREDITED),
        // CREDIT is not executed: the request is lost, or Nets fails.
        row(Credit, Loss::Nets(&[(Crdt, LOST, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, LOST, None), PASSED, (Query, LOST, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, LOST, None), PASSED, (Query, STALE, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, FAIL, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, FAIL, None), PASSED, (Query, FAIL, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, HTML, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, GARBAGE, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, GARBAGE, None), PASSED, (Query, GARBAGE, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, REPEAT, None)]), CREDITED),
        // CREDIT is executed 30 s later, and at the latest time of the assumption (payments.md §4.4).
        row(Credit, Loss::Nets(&[(Crdt, LATE, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, LATE, None), PASSED, (Query, DROP, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, LATE, None), PASSED, (Query, STALE, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, LATE, Some(240))]), CREDITED),
        row(Credit, Loss::Writes { before: 0, lost: 3 }, CREDITED),
        row(Credit, Loss::Writes { before: 1, lost: 3 }, CREDITED),
        row(Credit, Loss::Writes { before: 0, lost: 1 }, CREDITED),
        row(Credit, Loss::Writes { before: 1, lost: 1 }, CREDITED),
        row(Credit, Loss::Tables { before: 1 }, CREDITED),
        row(Credit, Loss::Tables { before: 0 }, UNCREDITED),
        row(Credit, Loss::Nets(&[(Crdt, LATE, None), PASSED, (Query, FAIL, None)]), CREDITED),
        row(Credit, Loss::Nets(&[(Crdt, FAIL, None), PASSED, (Query, STALE, None)]), CREDITED),
    ]
};
const UNCREDITED: bool = false;
const CREDITED: bool = true;
const LOST: FaultKind = FaultKind::DropRequest;
const HTML: FaultKind = FaultKind::Html;
const REPEAT: FaultKind = FaultKind::Repeat;
/// The Query before CREDIT is not disturbed.
const PASSED: Fault = (Operation::Query, Pass, None);

/// The run or the callback that captures an auto sale. With the customer Nets has authorized, so the side effects are CAPTURE and its
/// result; for the merchant the choice and AUTH come before.
pub(super) const SALES: [Row; 35] = {
    use Operation::{Auth, Capture as Capt, Query};
    [
        // The function waits between its attempts. So these rows come first, and are in no sample.
        row(Sale, Loss::Tables { before: 0 }, PAID),
        row(Sale, Loss::Writes { before: 0, lost: 3 }, PAID),
        row(MerchantSale, Loss::Writes { before: 0, lost: 3 }, PAID),
        row(Sale, Loss::Writes { before: 0, lost: 1 }, PAID),
        row(Sale, Loss::Client, PAID),
        row(Sale, Loss::Function(0, "Netaxept Process", BEFORE), PAID),
        row(Sale, Loss::Function(0, "Netaxept Process", AFTER), PAID),
        row(Sale, Loss::Function(1, "PutItem Payments", BEFORE), PAID),
        row(Sale, Loss::Function(1, "PutItem Payments", AFTER), PAID),
        row(Sale, Loss::Nets(&[(Query, DROP, None)]), PAID),
        row(Sale, Loss::Nets(&[(Query, STALE, HOURS)]), PAID),
        row(Sale, Loss::Nets(&[(Capt, DROP, None)]), PAID),
        row(Sale, Loss::Nets(&[(Capt, DROP, None), PASSED, (Query, DROP, None)]), PAID),
        row(Sale, Loss::Nets(&[(Capt, LOST, None), (Capt, LOST, None)]), PAID),
        row(Sale, Loss::Nets(&[(Capt, FAIL, None), (Capt, FAIL, None)]), PAID),
        row(Sale, Loss::Nets(&[(Capt, GARBAGE, None), PASSED, (Query, GARBAGE, None)]), PAID),
        row(Sale, Loss::Nets(&[(Capt, LATE, None), (Capt, LATE, None)]), PAID),
        row(Callback, Loss::Client, PAID),
        row(Callback, Loss::Function(0, "Netaxept Process", BEFORE), PAID),
        row(Callback, Loss::Function(0, "Netaxept Process", AFTER), PAID),
        row(Callback, Loss::Function(1, "PutItem Payments", BEFORE), PAID),
        row(Callback, Loss::Function(1, "PutItem Payments", AFTER), PAID),
        row(Callback, Loss::Nets(&[(Query, FAIL, None)]), PAID),
        row(Callback, Loss::Nets(&[(Capt, DROP, None), PASSED, (Query, FAIL, None)]), PAID),
        row(Callback, Loss::Tables { before: 0 }, PAID),
        row(MerchantSale, Loss::Function(0, "PutItem Payments", BEFORE), PAID),
        row(MerchantSale, Loss::Function(0, "PutItem Payments", AFTER), PAID),
        row(MerchantSale, Loss::Function(1, "Netaxept Process", BEFORE), PAID),
        row(MerchantSale, Loss::Function(1, "Netaxept Process", AFTER), PAID),
        row(MerchantSale, Loss::Function(2, "Netaxept Process", AFTER), PAID),
        row(MerchantSale, Loss::Function(3, "PutItem Payments", BEFORE), PAID),
        row(MerchantSale, Loss::Nets(&[(Auth, DROP, None), (Query, DROP, None)]), PAID),
        row(MerchantSale, Loss::Nets(&[(Auth, FAIL, None), (Auth, FAIL, None)]), PAID),
        row(MerchantSale, Loss::Nets(&[(Auth, LATE, HOURS), (Auth, LATE, HOURS)]), PAID),
        row(MerchantSale, Loss::Nets(&[(Capt, DROP, None), (Query, STALE, None)]), PAID),
    ]
};

impl Loss {
    /// What the rows of a sample have to cover.
    fn kinds(self) -> Vec<String> {
        match self {
            Self::Client => vec!["client".to_owned()],
            Self::Function(.., point) => vec![format!("function {point:?}")],
            Self::Nets(faults) => {
                let of_fault = |(operation, kind, _): &Fault| {
                    [format!("call {operation:?}"), format!("fault {kind:?}")]
                };
                faults.iter().flat_map(of_fault).collect()
            }
            Self::Writes { .. } => vec!["writes".to_owned()],
            Self::Tables { .. } => vec!["tables".to_owned()],
        }
    }
}

/// All rows in tests of full size. Otherwise a sample in which each step, each kind of loss and each faulty call to Nets occurs. The
/// later losses of a step are preferred.
pub(super) fn selected(rows: &[Row]) -> Vec<Row> {
    let mut seen = BTreeSet::new();
    let mut selected = Vec::new();
    for row in rows.iter().rev() {
        let labels = row.loss.kinds().into_iter().chain([format!("{:?}", row.step)]);
        let new = labels.filter(|label| seen.insert(label.clone())).count();
        if new > 0 || crate::is_full_size() {
            selected.push(*row);
        }
    }
    selected.reverse();
    selected
}

impl Row {
    /// Describes the row in the printed table.
    pub(super) fn describe(&self) -> (String, String) {
        let loss = match self.loss {
            Loss::Client => "the client stops".to_owned(),
            Loss::Function(before, effect, point) => {
                let effect = match (self.step, before) {
                    (Capture | MerchantSale, 1) => "AUTH",
                    (Capture | MerchantSale, 2) | (Sale | Callback, 0) => "CAPTURE",
                    (Credit, 1) => "CREDIT",
                    (Capture | MerchantSale, 3) | (Credit, 2) => "the second PutItem Payments",
                    _ => effect,
                };
                format!("killed {} {effect}", if point == BEFORE { "before" } else { "after" })
            }
            Loss::Nets(faults) => {
                let names = faults.iter().map(|(operation, kind, delay)| {
                    let delay = match delay {
                        Some(seconds) => format!(" by {} min", seconds / 60),
                        None => String::new(),
                    };
                    format!("{operation:?} {kind:?}{delay}")
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
