//! The amounts in the reply to `Query`, in minor units.

use roxmltree::Node;

use super::ParseError;
use super::xml::{flag_at, required_text};
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
            is_annulled: is_annulled(root)?,
        })
    }
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
