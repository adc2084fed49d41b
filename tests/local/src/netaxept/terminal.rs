//! The page where the customer enters a card: without scripts, for a person, with the field ids of Nets' recorded page.

use axum::http::{Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Parameters;
use super::transaction::{Card, Phase, Transaction};

/// The name of the merchant that is built in.
const MERCHANT: &str = "Sandbox";

/// The cards of Nets' test environment, and what they do.
const TEST_CARDS: [(&str, &str); 5] = [
    ("4925000000000004", "Visa"),
    ("5413000000000000", "MasterCard"),
    ("378282246310005", "American Express"),
    ("4925000000000087", "Visa, declined"),
    ("4925000000000079", "Visa, capture fails"),
];

/// The words of a page.
struct Words {
    lang: &'static str,
    title: &'static str,
    intro: &'static str,
    merchant: &'static str,
    order: &'static str,
    number: &'static str,
    month: &'static str,
    year: &'static str,
    code: &'static str,
    pay: &'static str,
    cancel: &'static str,
    wrong_number: &'static str,
    wrong_expiry: &'static str,
    wrong_code: &'static str,
    over: &'static str,
    timed_out: &'static str,
    test_cards: &'static str,
}

const NORWEGIAN: Words = Words {
    lang: "nb",
    title: "Registrer betalingskort",
    intro: "Kortet lagres hos Nets. Ingenting blir trukket nå.",
    merchant: "Brukersted",
    order: "Ordrenummer",
    number: "Kortnummer",
    month: "Utløpsmåned",
    year: "Utløpsår",
    code: "Sikkerhetskode (CVC)",
    pay: "Registrer kort",
    cancel: "Avbryt",
    wrong_number: "Kortnummeret er ikke gyldig.",
    wrong_expiry: "Kortet er utløpt, eller datoen er ikke gyldig.",
    wrong_code: "Sikkerhetskoden har tre sifre, fire for American Express.",
    over: "Transaksjonen er allerede behandlet.",
    timed_out: "Tiden er ute. Gå tilbake til butikken og prøv igjen.",
    test_cards: "Testkort",
};

const ENGLISH: Words = Words {
    lang: "en",
    title: "Register a payment card",
    intro: "The card is stored at Nets. Nothing is charged now.",
    merchant: "Merchant",
    order: "Order number",
    number: "Card number",
    month: "Expiry month",
    year: "Expiry year",
    code: "Security code (CVC)",
    pay: "Register card",
    cancel: "Cancel",
    wrong_number: "The card number is not valid.",
    wrong_expiry: "The card has expired, or the date is not valid.",
    wrong_code: "The security code has three digits, four for American Express.",
    over: "The payment is already processed.",
    timed_out: "The time is up. Go back to the shop and try again.",
    test_cards: "Test cards",
};

fn words(transaction: &Transaction) -> &'static Words {
    match transaction.parameter("language") {
        "" | "no_NO" | "nb_NO" | "nn_NO" => &NORWEGIAN,
        _ => &ENGLISH,
    }
}

/// A visit: shows the page, or takes what the customer entered.
pub(super) fn visit(
    transaction: &mut Transaction,
    method: &Method,
    form: &Parameters,
    now: Timestamp,
) -> Response {
    let words = words(transaction);
    match transaction.phase(now) {
        Phase::Over => return notice(words, words.over),
        Phase::TimedOut => return notice(words, words.timed_out),
        Phase::Waiting => {}
    }
    if form.contains_key("cancelbutton") {
        transaction.cancel(now);
        return redirect(transaction, "Cancel");
    }
    // Nets lets shops lead customers here by POST too: only the page's own button pays.
    if method == Method::GET || !form.contains_key("okbutton") {
        return Html(page(transaction, words, form, &[], now).into_string()).into_response();
    }
    match card(form, words, now) {
        Ok(card) => {
            transaction.enter(card, now);
            redirect(transaction, "OK")
        }
        Err(faults) => {
            Html(page(transaction, words, form, &faults, now).into_string()).into_response()
        }
    }
}

/// A fault with the field that it is in.
type Fault = (&'static str, &'static str);

fn card(form: &Parameters, words: &Words, now: Timestamp) -> Result<Card, Vec<Fault>> {
    let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let number: String =
        given("cardno").chars().filter(|letter| !matches!(letter, ' ' | '-')).collect();
    let mut faults = Vec::new();
    if !is_card_number(&number) {
        faults.push(("cardNo", words.wrong_number));
    }
    let year_month = format!("{}{}", given("year"), given("month"));
    if !is_future(&year_month, now) {
        faults.push(("month", words.wrong_expiry));
    }
    let code = given("securitycode");
    let digits = if number.starts_with('3') { 4 } else { 3 };
    if code.len() != digits || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        faults.push(("securityCode", words.wrong_code));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let (method, issuer_id) = match number.as_bytes()[0] {
        b'5' => ("MasterCard", "4"),
        b'3' => ("AmericanExpress", "2"),
        _ => ("Visa", "3"),
    };
    let masked =
        format!("{}{}{}", &number[..6], "*".repeat(number.len() - 10), &number[number.len() - 4..]);
    let (declined, capture_fails) = (number == "4925000000000087", number == "4925000000000079");
    Ok(Card { masked, method, issuer_id, year_month, declined, capture_fails })
}

fn is_card_number(number: &str) -> bool {
    let digits: Option<Vec<u32>> = number.chars().map(|letter| letter.to_digit(10)).collect();
    let Some(digits) = digits.filter(|digits| (13..=19).contains(&digits.len())) else {
        return false;
    };
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 1 { doubled(*digit) } else { *digit })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether a card of this `YYMM` is good now.
fn is_future(year_month: &str, now: Timestamp) -> bool {
    let Some((year, month)) = year_month.split_at_checked(2) else { return false };
    let (Ok(year), Ok(month)) = (year.parse::<i16>(), month.parse::<i8>()) else { return false };
    let today = now.to_zoned(TimeZone::UTC).date();
    year_month.len() == 4
        && (1..=12).contains(&month)
        && (2000 + year, month) >= (today.year(), today.month())
}

/// Back to the shop, the transaction id first and then the code, as it was recorded.
fn redirect(transaction: &Transaction, code: &str) -> Response {
    let to = transaction.parameter("redirecturl");
    let (address, fragment) =
        to.split_once('#').map_or((to, None), |(address, fragment)| (address, Some(fragment)));
    let joint = if address.contains('?') { '&' } else { '?' };
    let id: String = form_urlencoded::byte_serialize(transaction.id().as_bytes()).collect();
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    let location = format!("{address}{joint}transactionId={id}&responseCode={code}{fragment}");
    (StatusCode::FOUND, [("location", location)]).into_response()
}

fn page(
    transaction: &Transaction,
    words: &Words,
    form: &Parameters,
    faults: &[Fault],
    now: Timestamp,
) -> Markup {
    let fault = |field| faults.iter().find(|(at, _)| *at == field).map(|(_, text)| *text);
    let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let this_year = now.to_zoned(TimeZone::UTC).date().year() % 100;
    let action = format!(
        "default.aspx?MerchantID={}&TransactionID={}",
        super::MERCHANT_ID,
        transaction.id()
    );
    document(
        words,
        &html! {
            p { (words.intro) }
            p .order { (words.merchant) ": " (MERCHANT) }
            p .order { (words.order) ": " (transaction.parameter("ordernumber")) }
            form #form1 name="form1" method="post" action=(action) autocomplete="off" {
                (label("cardNo", words.number, fault("cardNo")))
                input #cardNo name="cardNo" maxlength="19" inputmode="numeric" required value=(given("cardno"))
                    aria-invalid=[fault("cardNo").map(|_| "true")] aria-describedby=[fault("cardNo").map(|_| "cardNo-fault")];
                div .row {
                    div {
                        (label("month", words.month, fault("month")))
                        select #month name="month" aria-invalid=[fault("month").map(|_| "true")] aria-describedby=[fault("month").map(|_| "month-fault")] {
                            @for month in 1..=12 {
                                @let month = format!("{month:02}");
                                option value=(month) selected[month == given("month")] { (month) }
                            }
                        }
                    }
                    div {
                        (label("year", words.year, None))
                        select #year name="year" aria-invalid=[fault("month").map(|_| "true")] aria-describedby=[fault("month").map(|_| "month-fault")] {
                            @for year in this_year..=this_year + 15 {
                                @let year = format!("{:02}", year % 100);
                                option value=(year) selected[year == given("year")] { (year) }
                            }
                        }
                    }
                }
                (label("securityCode", words.code, fault("securityCode")))
                input #securityCode name="securityCode" type="password" maxlength="4" inputmode="numeric" required
                    aria-invalid=[fault("securityCode").map(|_| "true")]
                    aria-describedby=[fault("securityCode").map(|_| "securityCode-fault")];
                div .row {
                    button #okButton name="okButton" value="Pay" type="submit" { (words.pay) }
                    button #cancelButton name="cancelButton" value="Cancel" type="submit" formnovalidate { (words.cancel) }
                }
            }
            h2 { (words.test_cards) }
            ul { @for (number, what) in TEST_CARDS { li { code { (number) } " " (what) } } }
        },
    )
}

fn label(field: &str, text: &str, fault: Option<&str>) -> Markup {
    html! {
        label for=(field) { (text) }
        @if let Some(fault) = fault { p .fault id=(format!("{field}-fault")) role="alert" { (fault) } }
    }
}

fn notice(words: &Words, text: &str) -> Response {
    Html(document(words, &html! { p role="status" { (text) } }).into_string()).into_response()
}

fn document(words: &Words, content: &Markup) -> Markup {
    const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:28rem;margin:0 auto;padding:1rem;color:#111;background:#fff}\
        h1{font-size:1.4rem}h2{font-size:1rem;margin-top:2rem}label{display:block;margin-top:1rem;font-weight:600}\
        input,select,button{font:inherit;width:100%;padding:.6rem;box-sizing:border-box;border:1px solid #555;border-radius:.3rem}\
        .row{display:flex;gap:1rem;margin-top:1rem}.row>*{flex:1}.row label{margin-top:0}\
        #okButton{background:#0a5d2c;color:#fff}#cancelButton{background:#fff;color:#111}\
        [aria-invalid]{border-color:#b00020;border-width:2px}.fault{color:#b00020;margin:.2rem 0}.order{color:#444}\
        :focus-visible{outline:3px solid #1a6fd6;outline-offset:2px}";
    html! {
        (DOCTYPE)
        html lang=(words.lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (words.title) " – Netaxept sandbox" }
                style { (PreEscaped(STYLE)) }
            }
            body { main { h1 { (words.title) } (content) } }
        }
    }
}

/// What Nets shows for a transaction that it does not know; status 200, as recorded.
pub(super) fn internal_error() -> String {
    "<html><head><link href=\"StyleSheet.css\" rel=\"stylesheet\"></head><body><div class=\"errorPanel\">Internal error</div></body></html>".to_owned()
}

/// What somebody sees who comes by.
pub(super) fn welcome() -> String {
    let content = html! { p { "Register, Process and Query are below " code { "/Netaxept/" } ", the terminal below " code { "/Terminal/" } "." } };
    document(&Words { title: "Netaxept sandbox", ..ENGLISH }, &content).into_string()
}
