//! Every operation that is killed, what is there before it, and what it changes outside of itself.

use local::inbox::Answer as Receiver;
use local::netaxept::{Kind, Operation as AtNets};
use reqwest::StatusCode;

use super::stage::{DECLINED, GOOD, Stage};
use super::world::{Request, World};
use crate::Failure;
use crate::order::operation::{Caller, Operation};

/// An operation, and its changes in their order.
#[derive(Debug)]
pub struct Scene {
    /// What it is called.
    pub name: &'static str,
    /// What it changes, undisturbed. Two changes that may change places are none here.
    pub changes: &'static [&'static str],
    /// Whether asking again may do it again, or better: what has no idempotency key, and what went wrong.
    pub may_repeat: bool,
    pub(super) setting: Setting,
}

/// What is there, and what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    List,
    Get,
    Create,
    CreateWithKey,
    Rename,
    Choose,
    End,
    Open,
    OpenWithKey,
    OpenInVain,
    Authorize,
    AuthorizeDeclined,
    Callback,
    Erase,
    ExpireCard,
    ExpireAbandoned,
    Finish,
    FinishDeclined,
    FinishTelling,
    FinishGivingUp,
    Unidentified,
}

const PUT: &str = "PutItem Wallets";
const ALLOWANCE: &str = "UpdateItem Allowances";
const REGISTER: &str = "Netaxept Register";
const VERIFY: &str = "Netaxept Process";
const TELL: &str = "POST inbox";

/// A card comes in: Nets verifies, it is written down, told, and forgotten that it was to be told.
const CARD: &[&str] = &[VERIFY, PUT, TELL, PUT];

const fn scene(name: &'static str, setting: Setting, changes: &'static [&'static str]) -> Scene {
    Scene { name, changes, may_repeat: false, setting }
}

/// All of them.
pub const SCENES: [Scene; 21] = [
    scene("list", Setting::List, &[]),
    scene("get", Setting::Get, &[]),
    Scene { may_repeat: true, ..scene("create", Setting::Create, &[PUT]) },
    scene("create with a key", Setting::CreateWithKey, &[PUT]),
    scene("update the nickname", Setting::Rename, &[PUT]),
    scene("update the primary", Setting::Choose, &[PUT]),
    scene("end", Setting::End, &[PUT]),
    scene("terminal", Setting::Open, &[PUT, REGISTER]),
    scene("terminal with a key", Setting::OpenWithKey, &[PUT, REGISTER]),
    Scene {
        may_repeat: true,
        ..scene("terminal that Nets does not register", Setting::OpenInVain, &[PUT, REGISTER])
    },
    scene("authorize", Setting::Authorize, CARD),
    scene("authorize a declined card", Setting::AuthorizeDeclined, CARD),
    scene("Nets' callback", Setting::Callback, CARD),
    scene("erase-customer", Setting::Erase, &[PUT]),
    scene("expire a card", Setting::ExpireCard, &[PUT]),
    scene("expire what nobody finished", Setting::ExpireAbandoned, &[PUT, TELL, PUT]),
    scene("finish-terminals: a card", Setting::Finish, CARD),
    scene("finish-terminals: a declined card", Setting::FinishDeclined, CARD),
    scene("finish-terminals: tells again", Setting::FinishTelling, &[PUT, TELL, PUT]),
    scene("finish-terminals: gives up", Setting::FinishGivingUp, &[PUT]),
    Scene {
        may_repeat: true,
        ..scene("create, unidentified", Setting::Unidentified, &[ALLOWANCE, PUT])
    },
];

impl Setting {
    /// What is there before it.
    pub(super) async fn prepare(self, world: &World, stage: &mut Stage) -> Result<(), Failure> {
        match self {
            Self::Create | Self::CreateWithKey | Self::Unidentified => {}
            Self::List | Self::Get | Self::Erase | Self::Rename | Self::End => {
                stage.create(world).await?;
                stage.activate(world).await?;
            }
            Self::Choose => {
                stage.activate(world).await?;
                stage.create(world).await?;
            }
            Self::Open | Self::OpenWithKey => stage.create(world).await?,
            Self::OpenInVain => {
                stage.create(world).await?;
                world.local.netaxept().fail(AtNets::Register, Kind::Http500, 1);
            }
            Self::Authorize | Self::Callback => {
                stage.create(world).await?;
                stage.enter(world, GOOD).await?;
            }
            Self::AuthorizeDeclined => {
                stage.create(world).await?;
                stage.enter(world, DECLINED).await?;
            }
            Self::Finish | Self::FinishDeclined => {
                stage.create(world).await?;
                let card = if self == Self::Finish { GOOD } else { DECLINED };
                stage.enter(world, card).await?;
                world.pass("PT62S")?;
            }
            Self::ExpireCard => {
                stage.activate(world).await?;
                world.pass("P1Y1M")?;
            }
            Self::ExpireAbandoned => {
                stage.create(world).await?;
                stage.open_for_nobody(world).await?;
                world.pass("PT1H")?;
                world.do_what_is_due(&stage.customer).await?;
                world.pass("PT23H10M")?;
                stage.look(world).await?;
                world.pass("PT6M")?;
            }
            Self::FinishTelling | Self::FinishGivingUp => {
                let refusals = if self == Self::FinishTelling { 1 } else { 100 };
                let refused = Receiver::Status(StatusCode::INTERNAL_SERVER_ERROR);
                world.local.inbox().answer_with(refused, refusals);
                stage.unheard(world).await?;
                world.pass(if self == Self::FinishTelling { "PT62S" } else { "PT73H" })?;
            }
        }
        Ok(())
    }

    /// What is asked for.
    pub(super) fn request(self, world: &World, stage: &Stage) -> Request {
        let id = stage.id();
        match self {
            Self::List => Request::partner(Operation::List(stage.customer.clone(), true)),
            Self::Get => Request::partner(Operation::Get(id)),
            Self::Create => stage.creation(None),
            Self::CreateWithKey => stage.creation(Some("basket-17")),
            Self::Unidentified => Request { identified: false, ..stage.creation(None) },
            Self::Rename => Stage::update(id, Some("Felles"), None),
            Self::Choose => Stage::update(stage.ids[0], None, Some(true)),
            Self::End => Request::partner(Operation::End(id)),
            Self::Open | Self::OpenInVain => stage.opening(world, None),
            Self::OpenWithKey => stage.opening(world, Some("page-17")),
            Self::Authorize | Self::AuthorizeDeclined => Request::partner(Operation::Authorize(id)),
            Self::Callback => Request::scheduled(Operation::Callback(stage.transaction)),
            Self::Erase => Request {
                caller: Caller::Internal(1),
                ..Request::partner(Operation::Erase(stage.customer.clone()))
            },
            Self::ExpireCard | Self::ExpireAbandoned => Request::scheduled(Operation::Expire),
            Self::Finish | Self::FinishDeclined | Self::FinishTelling | Self::FinishGivingUp => {
                Request::scheduled(Operation::Finish)
            }
        }
    }
}
