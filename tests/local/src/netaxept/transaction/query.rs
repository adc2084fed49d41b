//! How Query tells of a transaction: element order, times and spellings as recorded in 2018.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Failure, Line, Transaction, amount};
use crate::netaxept::MERCHANT_ID;
use crate::netaxept::xml::Element;

impl Transaction {
    /// What Query tells, in the order of 2018's replies.
    pub(in crate::netaxept) fn payment_info(&self, now: Timestamp) -> Element {
        let empty = |name| Element::new(name);
        let error = self.errors.last().map(|failure| failure.element("Error"));
        let log = self.errors.iter().map(|failure| failure.element("PaymentError"));
        let recurring = self.parameters.contains_key("recurringtype").then(|| {
            empty("Recurring")
                .with("PanHash", self.pan_hash.as_deref().unwrap_or_default())
                .with("ExpiryDate", self.parameter("recurringexpirydate"))
                .with("Frequency", self.parameter("recurringfrequency"))
                .with("Type", "Store (Init)")
        });
        Element::root("PaymentInfo")
            .with("MerchantId", MERCHANT_ID)
            .with("QueryFinished", &precise(now))
            .with("TransactionId", &self.id)
            .and(empty("AuthenticationInformation"))
            .and(empty("AvtaleGiroInformation"))
            .and(self.card_information())
            .and(self.customer_information())
            .and_all(error)
            .and(empty("ErrorLog").and_all(log))
            .and(empty("History").and_all(self.history.iter().map(Line::element)))
            .and(self.order_information())
            .and_all(recurring)
            .and(empty("SecurityInformation").with("IPCountryMatchesIssuingCountry", "true"))
            .and(self.summary())
            .and(self.terminal_information())
    }

    fn card_information(&self) -> Element {
        let element = Element::new("CardInformation");
        let element = match &self.card {
            None => element.with("MaskedPAN", ""),
            Some(card) => element
                .with("ExpiryDate", &card.year_month)
                .with("Issuer", card.method)
                .with("IssuerCountry", "NO")
                .with("MaskedPAN", &card.masked)
                .with("PaymentMethod", card.method)
                .with("IssuerId", card.issuer_id),
        };
        let recurs = self.parameters.contains_key("recurringtype");
        if recurs {
            element.with("PanHash", self.pan_hash.as_deref().unwrap_or_default())
        } else {
            element
        }
    }

    fn customer_information(&self) -> Element {
        let names = [
            ("Address1", "customeraddress1"),
            ("Address2", "customeraddress2"),
            ("CompanyName", "customercompanyname"),
            ("CompanyRegistrationNumber", "companyregistrationnumber"),
            ("CustomerNumber", "customernumber"),
            ("Country", "customercountry"),
            ("Email", "customeremail"),
            ("FirstName", "customerfirstname"),
            ("LastName", "customerlastname"),
            ("PhoneNumber", "customerphonenumber"),
            ("Postcode", "customerpostcode"),
            ("SocialSecurityNumber", "customersocialsecuritynumber"),
            ("Town", "customertown"),
        ];
        names.iter().fold(Element::new("CustomerInformation"), |all, (name, from)| {
            all.with(name, self.parameter(from))
        })
    }

    fn order_information(&self) -> Element {
        let amount = amount(&self.parameters, "amount").to_string();
        let description =
            Some(self.parameter("orderdescription")).filter(|text| !text.is_empty()).unwrap_or(" ");
        Element::new("OrderInformation")
            .with("Amount", &amount)
            .with("Currency", self.parameter("currencycode"))
            .with("Fee", "0")
            .with("OrderDescription", description)
            .with("OrderNumber", self.parameter("ordernumber"))
            .with("Timestamp", &local(self.registered_at))
            .with("Total", &amount)
            .with("RoundingAmount", "0")
    }

    fn summary(&self) -> Element {
        let flag = |flag: bool| if flag { "true" } else { "false" };
        let summary = Element::new("Summary")
            .with("AmountCaptured", &self.captured.to_string())
            .with("AmountCredited", &self.credited.to_string())
            .with("Annuled", flag(self.annulled))
            .with("Annulled", flag(self.annulled))
            .with("Authorized", flag(self.authorized));
        if self.authorized { summary.with("AuthorizationId", "098068") } else { summary }
    }

    fn terminal_information(&self) -> Element {
        let element = Element::new("TerminalInformation");
        match self.entered_at {
            None => element.with("Browser", ""),
            Some(at) => element
                .with("Browser", "Unknown")
                .with("CustomerEntered", &local(at))
                .with("CustomerRedirected", &local(at)),
        }
    }
}

impl Line {
    fn element(&self) -> Element {
        let line = Element::new("TransactionLogLine");
        let line = match self.amount {
            Some(amount) => line.with("Amount", &amount.to_string()),
            None => line,
        };
        line.with("DateTime", &local(self.at))
            .with("Description", "")
            .with("Operation", self.operation)
            .with("TransactionReconRef", "")
    }
}

impl Failure {
    fn element(&self, name: &'static str) -> Element {
        Element::new(name)
            .with("DateTime", &local(self.at))
            .with("Operation", self.operation)
            .with("ResponseCode", self.code)
            .with("ResponseSource", self.source)
            .with("ResponseText", self.text)
    }
}

/// Norwegian local time without offset, trailing zeros trimmed.
fn local(at: Timestamp) -> String {
    let text = zoned(at).strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Seven digits of a second and the offset.
pub(super) fn precise(at: Timestamp) -> String {
    zoned(at).strftime("%Y-%m-%dT%H:%M:%S%.7f%:z").to_string()
}

fn zoned(at: Timestamp) -> jiff::Zoned {
    at.to_zoned(TimeZone::get("Europe/Oslo").unwrap_or(TimeZone::UTC))
}
