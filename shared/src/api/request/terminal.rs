//! The members of a `TerminalRequest` (api.md §2) that card setups and payments have in common.

use super::body::Fields;
use crate::domain::text::{CountryCode, RedirectUrl, TerminalLanguage};
use crate::error::Violation;
use crate::netaxept::TerminalOptions;

impl Fields {
    /// `redirectUrl`, `terminalLanguage`, `countryCode`, `singlePage` and `transactionType`. Only `redirectUrl` is required.
    pub fn terminal_options(&mut self) -> Option<TerminalOptions> {
        let redirect_url = self.required_text("redirectUrl", |text| RedirectUrl::try_from(text));
        let language = self.text("terminalLanguage", |code| Ok(TerminalLanguage::from_tag(code)));
        let country = self.text("countryCode", |code| CountryCode::try_from(code));
        let single_page = self.flag("singlePage");
        let merchant_initiated = self.text("transactionType", |text| match text {
            "MIT_UCOF" => Ok(true),
            _ => Err(Violation::new("transaction-type", "must be MIT_UCOF or absent")),
        });
        Some(TerminalOptions {
            redirect_url: redirect_url?,
            language: language.unwrap_or(TerminalLanguage::DEFAULT),
            country: country.unwrap_or(CountryCode::DEFAULT),
            single_page: single_page.unwrap_or_default(),
            merchant_initiated: merchant_initiated.unwrap_or_default(),
        })
    }
}
