//! `POST /v1/recurring-payments/{recurringPaymentId}/terminal`: opens a page at Nets where the customer enters a card.

use shared::api::{self, Reply, Request, reply};
use shared::app::{NewTerminal, Terminals};
use shared::domain::caller::Permission;
use shared::domain::terminal::Asked;
use shared::domain::text::{CountryCode, RedirectUrl, TerminalLanguage};
use shared::error::{Error, Flaw};
use shared::netaxept::TerminalWish;
use shared::storage::Key;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), api::Fatal> {
    api::serve(env!("CARGO_BIN_NAME"), Terminals::start, create_terminal).await
}

async fn create_terminal(terminals: &Terminals, request: Request) -> Result<Reply, Error> {
    let (caller, now) = (request.caller(Permission::Create)?, request.received_at()?);
    terminals.store.admit(request.is_identified(), now).await?;
    let id = request.recurring_payment_id()?;
    let mut body = request.body()?;
    let redirect_url = body.required_text("redirectUrl", |text| RedirectUrl::try_from(text));
    let language = body.text("terminalLanguage", |code| Ok(TerminalLanguage::of(code)));
    let country = body.text("countryCode", |code| CountryCode::try_from(code));
    let single_page = body.flag("singlePage");
    let merchant_initiated = body.text("transactionType", |text| match text {
        "MIT_UCOF" => Ok(true),
        _ => Err(Flaw::new("transaction-type", "must be MIT_UCOF or absent")),
    });
    let tell = body.text("callbackUrl", |text| terminals.callback_url(text));
    // Checked, and nothing more: a terminal of ours always stores the card, and is finished without the caller (rule 13).
    body.flag("autoSale");
    body.flag("storePayment");
    let owner = terminals.store.named_owner(&caller, body.customer_number());
    body.finish()?;
    let key = request.idempotency_key(&caller)?;
    let wish = TerminalWish {
        redirect_url: redirect_url.ok_or(Flaw::new("required", "is required").of("redirectUrl"))?,
        language: language.unwrap_or(TerminalLanguage::DEFAULT),
        country: country.unwrap_or(CountryCode::DEFAULT),
        single_page: single_page.unwrap_or_default(),
        merchant_initiated: merchant_initiated.unwrap_or_default(),
    };
    let told = tell.as_ref().map_or("", |tell| tell.as_url().as_str());
    let asked = key.map(|key| Asked { key, request: wish.hash(id, told) });
    let new = NewTerminal { owner, wish, tell, asked };
    let (visit, uri) = terminals.open(Key::Payment(&caller, id), id, &new, now).await?;
    reply::terminal(&visit, &uri)
}
