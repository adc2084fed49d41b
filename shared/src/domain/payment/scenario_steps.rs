//! The steps of random scenarios.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::super::Initiator;
use crate::error::Decline;

/// How an operation reaches Nets, and whether the reply comes back.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Delivery {
    Replied,
    ReplyLost,
    Late,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    CreateAgain {
        amount: u64,
        card: u64,
    },
    Open {
        by: Initiator,
        auto_sale: bool,
        has_callback: bool,
        delivery: Delivery,
    },
    EnterCard {
        which: usize,
        decline: Option<Decline>,
    },
    CancelAtPage(usize),
    StartCapture(usize),
    /// The schedule, or Nets' callback for an auto sale that is not due.
    StartAutoSales {
        is_callback: bool,
    },
    ContinueCapture {
        which: usize,
        decline: Option<Decline>,
        delivery: Delivery,
    },
    Cancel,
    CardEnds,
    StartCredit {
        total: Option<u64>,
    },
    ContinueCredit {
        which: usize,
        is_refused: bool,
        delivery: Delivery,
    },
    Refund {
        which: usize,
        minor: u64,
    },
    Reconcile {
        delivery: Delivery,
    },
    DeliverNotifications,
    DeliverLate(usize),
    Wait(TimeDelta),
}

fn decline() -> impl Strategy<Value = Option<Decline>> {
    prop_oneof![
        4 => Just(None),
        1 => Just(Some(Decline::Soft)),
        1 => Just(Some(Decline::Hard)),
        1 => Just(Some(Decline::AuthenticationRequired)),
    ]
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![
        4 => Just(Delivery::Replied),
        1 => Just(Delivery::ReplyLost),
        1 => Just(Delivery::Late),
    ]
}

fn time() -> impl Strategy<Value = TimeDelta> {
    prop_oneof![
        4 => (0..40_i64).prop_map(TimeDelta::seconds),
        2 => (0..90_i64).prop_map(TimeDelta::minutes),
        1 => (0..40_i64).prop_map(TimeDelta::hours),
    ]
}

fn open(
    by: impl Strategy<Value = Initiator>,
    delivery: impl Strategy<Value = Delivery>,
) -> impl Strategy<Value = Step> {
    (by, any::<bool>(), any::<bool>(), delivery).prop_map(
        |(by, auto_sale, has_callback, delivery)| Step::Open {
            by,
            auto_sale,
            has_callback,
            delivery,
        },
    )
}

fn enter_card() -> impl Strategy<Value = Step> {
    (any::<usize>(), decline()).prop_map(|(which, decline)| Step::EnterCard { which, decline })
}

fn auto_sales() -> impl Strategy<Value = Step> {
    any::<bool>().prop_map(|is_callback| Step::StartAutoSales { is_callback })
}

/// Credits, refunds in Netaxept Admin, the schedule and time.
pub(crate) fn credit_step() -> impl Strategy<Value = Step> {
    let total =
        prop_oneof![1 => Just(None), 4 => (1..11_u64).prop_map(|kroner| Some(kroner * 1_000))];
    let is_refused = prop_oneof![5 => Just(false), 1 => Just(true)];
    let time = prop_oneof![
        3 => (0..30_i64).prop_map(TimeDelta::seconds),
        3 => (0..20_i64).prop_map(TimeDelta::minutes),
        1 => (0..30_i64).prop_map(TimeDelta::hours),
    ];
    prop_oneof![
        4 => total.prop_map(|total| Step::StartCredit { total }),
        8 => (any::<usize>(), is_refused, delivery()).prop_map(|(which, is_refused, delivery)| {
            Step::ContinueCredit { which, is_refused, delivery }
        }),
        1 => (any::<usize>(), 1..3_000_u64).prop_map(|(which, minor)| Step::Refund { which, minor }),
        3 => delivery().prop_map(|delivery| Step::Reconcile { delivery }),
        1 => any::<usize>().prop_map(Step::DeliverLate),
        1 => Just(Step::DeliverNotifications),
        4 => time.prop_map(Step::Wait),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let by = prop_oneof![Just(Initiator::Customer), Just(Initiator::Merchant)];
    prop_oneof![
        4 => (prop_oneof![Just(10_000_u64), Just(5_000)], 1..4_u64)
            .prop_map(|(amount, card)| Step::CreateAgain { amount, card }),
        6 => open(by, delivery()),
        8 => enter_card(),
        2 => any::<usize>().prop_map(Step::CancelAtPage),
        8 => any::<usize>().prop_map(Step::StartCapture),
        4 => auto_sales(),
        16 => (any::<usize>(), decline(), delivery())
            .prop_map(|(which, decline, delivery)| Step::ContinueCapture { which, decline, delivery }),
        2 => Just(Step::Cancel),
        2 => Just(Step::CardEnds),
        6 => credit_step(),
        4 => delivery().prop_map(|delivery| Step::Reconcile { delivery }),
        1 => Just(Step::DeliverNotifications),
        4 => any::<usize>().prop_map(Step::DeliverLate),
        8 => time().prop_map(Step::Wait),
    ]
}

/// Steps of requests at the same time: captures, a cancel, and a new create. There the money could be taken twice.
pub(super) fn racing_step() -> impl Strategy<Value = Step> {
    let by = prop_oneof![4 => Just(Initiator::Customer), 1 => Just(Initiator::Merchant)];
    let decline = prop_oneof![8 => Just(None), 1 => decline()];
    // The page of an auto sale ends after 16 minutes.
    let time = prop_oneof![4 => 0..3_i64, 1 => 900..1_020_i64].prop_map(TimeDelta::seconds);
    prop_oneof![
        2 => Just(Step::CreateAgain { amount: 10_000, card: 1 }),
        3 => open(by, Just(Delivery::Replied)),
        3 => enter_card(),
        4 => any::<usize>().prop_map(Step::StartCapture),
        2 => auto_sales(),
        6 => (any::<usize>(), decline).prop_map(|(which, decline)| {
            Step::ContinueCapture { which, decline, delivery: Delivery::Replied }
        }),
        1 => Just(Step::Cancel),
        1 => Just(Step::Reconcile { delivery: Delivery::Replied }),
        1 => time.prop_map(Step::Wait),
    ]
}
