//! The amounts in the reply to `Query`, in minor units.

use roxmltree::Node;

use super::ParseError;
use super::xml::{children, flag_at, required_text, single, text_at};
use crate::domain::money::{Currency, Money};

/// What the reply says about the money of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Amounts {
    /// The amount of the registration, which AUTH reserves.
    pub(in super::super) registered: Money,
    /// The captured sum. Credits do not reduce it.
    pub(in super::super) captured: Money,
    /// The credited sum.
    pub(in super::super) credited_minor: u64,
    /// The largest target of this service's credits in the history, in minor units. `None` if there is none.
    pub(in super::super) credited_target: Option<u64>,
    /// Whether the authorization is annulled.
    pub(in super::super) is_annulled: bool,
}

impl Amounts {
    /// Reads the amounts. All are required, and a sum that is not possible is invalid: a wrong conclusion can cost money.
    pub(super) fn read(root: Node<'_, '_>) -> Result<Self, ParseError> {
        let currency = required_text(root, &["OrderInformation", "Currency"])?;
        let currency = Currency::from_code(&currency).ok_or(ParseError::Invalid("Currency"))?;
        let registered = minor_units(root, &["OrderInformation", "Amount"])?;
        let captured_minor = minor_units(root, &["Summary", "AmountCaptured"])?;
        let credited_minor = minor_units(root, &["Summary", "AmountCredited"])?;
        if credited_minor > captured_minor {
            return Err(ParseError::Invalid("AmountCredited"));
        }
        Ok(Self {
            registered: Money::new(registered, currency),
            captured: Money::new(captured_minor, currency),
            credited_minor,
            credited_target: credited_target(root, captured_minor)?,
            is_annulled: is_annulled(root)?,
        })
    }
}

/// The `transactionReconRef` of a credit: Nets' history has it, so that a credit with an unclear reply can be found there.
pub(in super::super) fn credit_reference(target_minor: u64) -> String {
    format!("CREDIT-{target_minor}")
}

/// The target in a reference of [`credit_reference`]. `None` for any other text, such as that of a credit in Netaxept Admin.
fn credit_target(reference: &str) -> Option<u64> {
    let target = reference.strip_prefix("CREDIT-")?.parse().ok()?;
    Some(target).filter(|target| credit_reference(*target) == reference)
}

/// Reads the history, which contains only operations that succeeded (netaxept.md §5). A target above the captured sum is not from
/// this service.
fn credited_target(root: Node<'_, '_>, captured_minor: u64) -> Result<Option<u64>, ParseError> {
    let mut largest = None;
    let history = single(root, "History")?;
    for line in history.iter().flat_map(|history| children(*history, "TransactionLogLine")) {
        let operation = text_at(line, &["Operation"])?.unwrap_or_default();
        if operation.eq_ignore_ascii_case("credit") {
            let reference = text_at(line, &["TransactionReconRef"])?.unwrap_or_default();
            let target = credit_target(&reference).filter(|target| *target <= captured_minor);
            largest = largest.max(target);
        }
    }
    Ok(largest)
}

/// Nets writes the name with one l and with two (netaxept.md §5). One of them is enough.
fn is_annulled(root: Node<'_, '_>) -> Result<bool, ParseError> {
    let two_l = flag_at(root, &["Summary", "Annulled"])?;
    let one_l = flag_at(root, &["Summary", "Annuled"])?;
    match (two_l, one_l) {
        (None, None) => Err(ParseError::Missing("Annulled")),
        (two_l, one_l) => Ok(two_l == Some(true) || one_l == Some(true)),
    }
}

/// A whole number of minor units: digits alone, no sign, blank or decimal point.
fn minor_units(root: Node<'_, '_>, path: &[&'static str; 2]) -> Result<u64, ParseError> {
    let text = required_text(root, path)?;
    let is_whole_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_whole_number);
    number.ok_or(ParseError::Invalid(path[1]))
}
