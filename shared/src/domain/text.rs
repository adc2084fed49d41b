//! Text values that callers send. Each type has one validating conversion, with one error code per rule.

mod card_number;
mod locale;
mod nickname;
mod web_address;

pub use card_number::may_contain_card_number;
pub(crate) use card_number::passes_luhn;
pub use locale::{CountryCode, TerminalLanguage};
pub use nickname::Nickname;
pub use web_address::{CallbackUrl, RedirectUrl};
