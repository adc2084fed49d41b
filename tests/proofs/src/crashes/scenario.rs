//! The scenarios: each has a prepared state, an operation, and the expected side effects of the operation.

use local::inbox::Answer as InboxResponse;
use local::netaxept::{FaultKind, Operation as AtNets};
use reqwest::StatusCode;

use super::fixture::{DECLINED_CARD, Fixture, VALID_CARD};
use super::payments::PaymentCase;
use super::world::{Request, World};
use crate::Failure;
use crate::order::operation::{Caller, Change, Operation};

/// An operation and its side effects.
#[derive(Debug)]
pub struct Scenario {
    /// The name, as printed and as accepted by `--only`.
    pub name: &'static str,
    /// The side effects without a crash, in order. Side effects whose order can vary are not used here.
    pub side_effects: &'static [&'static str],
    /// Whether a retry may repeat the operation: it has no idempotency key, or the first attempt fails.
    pub may_repeat: bool,
    pub(super) case: Case,
}

/// Selects the prepared state and the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    List,
    Get,
    History,
    Create,
    CreateWithKey,
    Rename,
    MakePrimary,
    End,
    UpdateDryRun,
    EndDryRun,
    OpenTerminal,
    OpenTerminalWithKey,
    OpenUnregisteredTerminal,
    Authorize,
    AuthorizeDeclined,
    Callback,
    Erase,
    ExpireCard,
    ExpireAbandoned,
    Finish,
    FinishDeclined,
    FinishRedelivery,
    FinishExpiredNotification,
    EndWithEvent,
    ExpireWithEvents,
    ExpireWithFailingReceiver,
    FinishEvent,
    Unidentified,
    Payment(PaymentCase),
}

const PUT: &str = "PutItem Wallets";
const RATE_LIMIT: &str = "UpdateItem RateLimits";
const REGISTER: &str = "Netaxept Register";
const VERIFY: &str = "Netaxept Process";
const DELIVER: &str = "POST inbox";
const PAY: &str = "PutItem Payments";
/// AUTH, CAPTURE, ANNUL or CREDIT.
const PROCESS: &str = "Netaxept Process";

/// An authorized or declined card: verify, store, deliver the notification, remove the notification.
const CARD_SIDE_EFFECTS: &[&str] = &[VERIFY, PUT, DELIVER, PUT];

const fn scenario(
    name: &'static str,
    case: Case,
    side_effects: &'static [&'static str],
) -> Scenario {
    Scenario { name, side_effects, may_repeat: false, case }
}

const fn payment(
    name: &'static str,
    case: PaymentCase,
    side_effects: &'static [&'static str],
) -> Scenario {
    scenario(name, Case::Payment(case), side_effects)
}

/// All scenarios.
pub const SCENARIOS: [Scenario; 47] = [
    scenario("list", Case::List, &[]),
    scenario("get", Case::Get, &[]),
    scenario("history", Case::History, &[]),
    Scenario { may_repeat: true, ..scenario("create", Case::Create, &[PUT]) },
    scenario("create with a key", Case::CreateWithKey, &[PUT]),
    scenario("update the nickname", Case::Rename, &[PUT]),
    scenario("update the primary", Case::MakePrimary, &[PUT]),
    scenario("end", Case::End, &[PUT]),
    scenario("update, dry run", Case::UpdateDryRun, &[]),
    scenario("end, dry run", Case::EndDryRun, &[]),
    scenario("terminal", Case::OpenTerminal, &[PUT, REGISTER]),
    scenario("terminal with a key", Case::OpenTerminalWithKey, &[PUT, REGISTER]),
    Scenario {
        may_repeat: true,
        ..scenario(
            "terminal that Nets does not register",
            Case::OpenUnregisteredTerminal,
            &[PUT, REGISTER],
        )
    },
    scenario("authorize", Case::Authorize, CARD_SIDE_EFFECTS),
    scenario("authorize a declined card", Case::AuthorizeDeclined, CARD_SIDE_EFFECTS),
    scenario("Nets' callback", Case::Callback, CARD_SIDE_EFFECTS),
    scenario("erase-customer", Case::Erase, &[PUT]),
    scenario("expire a card", Case::ExpireCard, &[PUT]),
    scenario("expire an abandoned setup", Case::ExpireAbandoned, &[PUT, DELIVER, PUT]),
    scenario("finish-terminals: a card", Case::Finish, CARD_SIDE_EFFECTS),
    scenario("finish-terminals: a declined card", Case::FinishDeclined, CARD_SIDE_EFFECTS),
    scenario("finish-terminals: delivers again", Case::FinishRedelivery, &[PUT, DELIVER, PUT]),
    scenario("finish-terminals: a notification expires", Case::FinishExpiredNotification, &[PUT]),
    Scenario {
        may_repeat: true,
        ..scenario("create, unidentified", Case::Unidentified, &[RATE_LIMIT, PUT])
    },
    payment("get-payment", PaymentCase::GetPayment, &[]),
    payment("get-transaction", PaymentCase::GetTransaction, &[]),
    payment("create-payment", PaymentCase::Create, &[PAY]),
    payment("create-payment-terminal", PaymentCase::Terminal, &[PAY, REGISTER]),
    payment("create-payment-terminal: merchant", PaymentCase::TerminalOfMerchant, &[PAY, REGISTER]),
    payment(
        "create-payment-terminal: autoSale",
        PaymentCase::TerminalWithAutoSale,
        &[PAY, REGISTER],
    ),
    payment(
        "create-payment-terminal: autoSale of the merchant",
        PaymentCase::TerminalOfMerchantWithAutoSale,
        &[PAY, REGISTER],
    ),
    payment("capture-transaction", PaymentCase::Capture, &[PAY, PROCESS, PROCESS, PAY]),
    payment("capture-transaction: declined", PaymentCase::CaptureDeclined, &[PAY, PROCESS, PAY]),
    payment("cancel-transaction: CREATED", PaymentCase::CancelCreated, &[PAY]),
    payment("cancel-transaction: authorized", PaymentCase::CancelAuthorized, &[PAY, PROCESS, PAY]),
    payment("credit-transaction: a part", PaymentCase::CreditPart, &[PAY, PROCESS, PAY]),
    payment("credit-transaction: the rest", PaymentCase::CreditRest, &[PAY, PROCESS, PAY]),
    payment(
        "settle-payments: the hold ended",
        PaymentCase::SettleHoldEnded,
        &[PROCESS, PAY, DELIVER, PAY],
    ),
    payment(
        "settle-payments: autoSale",
        PaymentCase::SettleAutoSale,
        &[PROCESS, PAY, PAY, DELIVER, PAY],
    ),
    payment(
        "settle-payments: autoSale of the merchant",
        PaymentCase::SettleAutoSaleOfMerchant,
        &[PAY, PROCESS, PROCESS, PAY, PAY, DELIVER, PAY],
    ),
    payment(
        "settle-payments: sends a credit again",
        PaymentCase::SettleCreditAgain,
        &[PAY, PROCESS, PAY, PAY, DELIVER, PAY],
    ),
    payment(
        "settle-payments: delivers a notification",
        PaymentCase::SettleNotification,
        &[PAY, DELIVER, PAY],
    ),
    payment("Nets' callback: autoSale", PaymentCase::Callback, &[PROCESS, PAY, PAY, DELIVER, PAY]),
    scenario("end: another one becomes primary, with an event", Case::EndWithEvent, &[PUT]),
    // Two cards that are announced and expire: four events, one after the other.
    scenario(
        "expire two cards, with events",
        Case::ExpireWithEvents,
        &[PUT, DELIVER, DELIVER, DELIVER, DELIVER, PUT],
    ),
    // The first event is not delivered, and holds back the others.
    scenario(
        "expire two cards, the receiver fails",
        Case::ExpireWithFailingReceiver,
        &[PUT, DELIVER],
    ),
    scenario("finish-terminals: an event", Case::FinishEvent, &[PUT, DELIVER, PUT]),
];

impl Scenario {
    /// Whether the organisation has an address for lifecycle events.
    pub(super) fn has_events(&self) -> bool {
        matches!(
            self.case,
            Case::EndWithEvent
                | Case::ExpireWithEvents
                | Case::ExpireWithFailingReceiver
                | Case::FinishEvent
        )
    }
}

impl Case {
    /// Creates the state before the operation.
    pub(super) async fn prepare(self, world: &World, fixture: &mut Fixture) -> Result<(), Failure> {
        match self {
            Self::Payment(case) => case.prepare(world, fixture).await?,
            Self::Create | Self::CreateWithKey | Self::Unidentified => {}
            Self::List
            | Self::Get
            | Self::History
            | Self::Erase
            | Self::Rename
            | Self::End
            | Self::EndDryRun => {
                fixture.create(world).await?;
                fixture.activate(world).await?;
            }
            Self::MakePrimary | Self::UpdateDryRun => {
                fixture.activate(world).await?;
                fixture.create(world).await?;
            }
            Self::OpenTerminal | Self::OpenTerminalWithKey => fixture.create(world).await?,
            Self::OpenUnregisteredTerminal => {
                fixture.create(world).await?;
                world.local.netaxept().inject_fault(AtNets::Register, FaultKind::Http500, 1);
            }
            Self::Authorize | Self::Callback => {
                fixture.create(world).await?;
                fixture.enter_card(world, VALID_CARD).await?;
            }
            Self::AuthorizeDeclined => {
                fixture.create(world).await?;
                fixture.enter_card(world, DECLINED_CARD).await?;
            }
            Self::Finish | Self::FinishDeclined => {
                fixture.create(world).await?;
                let card = if self == Self::Finish { VALID_CARD } else { DECLINED_CARD };
                fixture.enter_card(world, card).await?;
                world.advance_clock("PT62S")?;
            }
            Self::ExpireCard => {
                fixture.activate(world).await?;
                world.advance_clock("P1Y1M")?;
            }
            Self::EndWithEvent | Self::FinishEvent => {
                fixture.activate(world).await?;
                fixture.activate(world).await?;
                if self == Self::FinishEvent {
                    let end = Request::partner(Operation::End(fixture.id()));
                    Fixture::send(world, &end).await?;
                    world.advance_clock("PT2S")?;
                }
            }
            Self::ExpireWithEvents | Self::ExpireWithFailingReceiver => {
                fixture.activate(world).await?;
                fixture.activate(world).await?;
                world.advance_clock("P1Y1M")?;
                if self == Self::ExpireWithFailingReceiver {
                    let failure = InboxResponse::Status(StatusCode::INTERNAL_SERVER_ERROR);
                    world.local.inbox().answer_with(failure, 1);
                }
            }
            Self::ExpireAbandoned => {
                fixture.create(world).await?;
                fixture.open_terminal(world).await?;
                world.advance_clock("PT1H")?;
                world.run_due_schedules(&fixture.customer).await?;
                world.advance_clock("PT23H10M")?;
                fixture.run_schedules(world).await?;
                world.advance_clock("PT6M")?;
            }
            Self::FinishRedelivery | Self::FinishExpiredNotification => {
                let failures = if self == Self::FinishRedelivery { 1 } else { 100 };
                let failure = InboxResponse::Status(StatusCode::INTERNAL_SERVER_ERROR);
                world.local.inbox().answer_with(failure, failures);
                fixture.activate_undelivered(world).await?;
                world.advance_clock(if self == Self::FinishRedelivery {
                    "PT62S"
                } else {
                    "PT73H"
                })?;
            }
        }
        Ok(())
    }

    /// Returns the request of the operation.
    pub(super) fn request(self, world: &World, fixture: &Fixture) -> Request {
        let id = fixture.id();
        match self {
            Self::Payment(case) => case.request(world, fixture),
            Self::List => Request::partner(Operation::List(fixture.customer.clone(), true)),
            Self::Get => Request::partner(Operation::Get(id)),
            Self::History => Request::partner(Operation::History(id)),
            Self::Create => fixture.create_request(None),
            Self::CreateWithKey => fixture.create_request(Some("basket-17")),
            Self::Unidentified => Request { identified: false, ..fixture.create_request(None) },
            Self::Rename => Fixture::update_request(id, Some("Felles"), None),
            Self::MakePrimary => Fixture::update_request(fixture.ids[0], None, Some(true)),
            Self::End | Self::EndWithEvent => Request::partner(Operation::End(id)),
            Self::UpdateDryRun => {
                let change = Change { nickname: None, primary: Some(true) };
                Request::partner(Operation::DryRun(fixture.ids[0], Some(change)))
            }
            Self::EndDryRun => Request::partner(Operation::DryRun(id, None)),
            Self::OpenTerminal | Self::OpenUnregisteredTerminal => {
                fixture.terminal_request(world, None)
            }
            Self::OpenTerminalWithKey => fixture.terminal_request(world, Some("page-17")),
            Self::Authorize | Self::AuthorizeDeclined => Request::partner(Operation::Authorize(id)),
            Self::Callback => Request::scheduled(Operation::Callback(fixture.transaction)),
            Self::Erase => Request {
                caller: Caller::Internal(1),
                ..Request::partner(Operation::Erase(fixture.customer.clone()))
            },
            Self::ExpireCard
            | Self::ExpireAbandoned
            | Self::ExpireWithEvents
            | Self::ExpireWithFailingReceiver => Request::scheduled(Operation::Expire),
            Self::Finish
            | Self::FinishEvent
            | Self::FinishDeclined
            | Self::FinishRedelivery
            | Self::FinishExpiredNotification => Request::scheduled(Operation::Finish),
        }
    }
}
