//! The reply of Query. Element order, times and spellings are as recorded in 2018.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::visible::Visible;
use super::{
    AUTHORIZATION_ID, BATCH, Failure, HistoryLine, State, Transaction, amount, registration,
};
use crate::netaxept::MERCHANT_ID;
use crate::netaxept::xml::Element;

impl Transaction {
    /// Returns the reply of Query, without the operations after `shown_until`.
    pub(in crate::netaxept) fn payment_info(
        &self,
        now: Timestamp,
        shown_until: Timestamp,
    ) -> Element {
        let empty = |name| Element::new(name);
        let visible = self.visible(shown_until);
        let error = visible.errors.last().map(|failure| failure.element("Error"));
        let log = visible.errors.iter().map(|failure| failure.element("PaymentError"));
        let recurring = self.parameters.contains_key("recurringtype").then(|| {
            empty("Recurring")
                .with("PanHash", visible.pan_hash)
                .with("ExpiryDate", self.parameter("recurringexpirydate"))
                .with("Frequency", self.parameter("recurringfrequency"))
                .with("Type", registration::recurring_type_name(&self.parameters))
        });
        Element::root("PaymentInfo")
            .with("MerchantId", MERCHANT_ID)
            .with("QueryFinished", &time_with_offset(now))
            .with("TransactionId", &self.id)
            .and(empty("AuthenticationInformation"))
            .and(empty("AvtaleGiroInformation"))
            .and(self.card_information(visible.pan_hash))
            .and(self.customer_information())
            .and_all(error)
            .and(empty("ErrorLog").and_all(log))
            .and(empty("History").and_all(visible.history.iter().map(|line| line.element())))
            .and(self.order_information())
            .and_all(recurring)
            .and(self.security_information())
            .and(visible.summary())
            .and(self.terminal_information())
    }

    fn card_information(&self, pan_hash: &str) -> Element {
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
        let is_recurring = self.parameters.contains_key("recurringtype");
        if is_recurring { element.with("PanHash", pan_hash) } else { element }
    }

    fn customer_information(&self) -> Element {
        const UP_TO_IP: [(&str, &str); 8] = [
            ("Address1", "customeraddress1"),
            ("Address2", "customeraddress2"),
            ("CompanyName", "customercompanyname"),
            ("CompanyRegistrationNumber", "companyregistrationnumber"),
            ("CustomerNumber", "customernumber"),
            ("Country", "customercountry"),
            ("Email", "customeremail"),
            ("FirstName", "customerfirstname"),
        ];
        const AFTER_IP: [(&str, &str); 5] = [
            ("LastName", "customerlastname"),
            ("PhoneNumber", "customerphonenumber"),
            ("Postcode", "customerpostcode"),
            ("SocialSecurityNumber", "customersocialsecuritynumber"),
            ("Town", "customertown"),
        ];
        let with_parameter =
            |all: Element, (name, from): (&'static str, &str)| all.with(name, self.parameter(from));
        let element =
            UP_TO_IP.into_iter().fold(Element::new("CustomerInformation"), with_parameter);
        let element = element.with_some("IP", self.entered_at.map(|_| "127.0.0.1"));
        AFTER_IP.into_iter().fold(element, with_parameter)
    }

    fn security_information(&self) -> Element {
        Element::new("SecurityInformation")
            .with_some("CustomerIPCountry", self.entered_at.map(|_| "NO"))
            .with("IPCountryMatchesIssuingCountry", "true")
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
            .with("Timestamp", &local_time(self.registered_at))
            .with("Total", &amount)
            .with("RoundingAmount", "0")
    }

    fn terminal_information(&self) -> Element {
        Element::new("TerminalInformation")
            .with("Browser", &self.browser)
            .with_some(
                "CustomerEntered",
                self.entered_at.map(local_time_with_milliseconds).as_deref(),
            )
            .with_some(
                "CustomerRedirected",
                self.redirected_at.map(local_time_with_milliseconds).as_deref(),
            )
    }
}

impl Visible<'_> {
    fn summary(&self) -> Element {
        let flag = |flag: bool| if flag { "true" } else { "false" };
        let annulled = flag(self.state == State::Annulled);
        let authorized = self.state != State::Registered;
        Element::new("Summary")
            .with("AmountCaptured", &self.captured.to_string())
            .with("AmountCredited", &self.credited.to_string())
            .with("Annuled", annulled)
            .with("Annulled", annulled)
            .with("Authorized", flag(authorized))
            .with_some("AuthorizationId", authorized.then_some(AUTHORIZATION_ID))
    }
}

impl HistoryLine {
    fn element(&self) -> Element {
        let amount = self.amount.map(|amount| amount.to_string());
        let batch = (!matches!(self.operation, "Register" | "Verify")).then_some(BATCH);
        Element::new("TransactionLogLine")
            .with_some("Amount", amount.as_deref())
            .with("DateTime", &local_time(self.at))
            .with("Description", &self.note.description)
            .with("Operation", self.operation)
            .with_some("BatchNumber", batch)
            .with("TransactionReconRef", &self.note.reference)
    }
}

impl Failure {
    fn element(&self, name: &'static str) -> Element {
        Element::new(name)
            .with("DateTime", &local_time(self.at))
            .with("Operation", self.operation)
            .with("ResponseCode", &self.code)
            .with("ResponseSource", self.source)
            .with("ResponseText", &self.text)
    }
}

/// Formats Norwegian local time without an offset and without trailing zeros.
fn local_time(at: Timestamp) -> String {
    local_time_with_milliseconds(at).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Formats Norwegian local time without an offset, with three decimals of a second.
fn local_time_with_milliseconds(at: Timestamp) -> String {
    zoned(at).strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string()
}

/// Formats Norwegian local time with an offset and seven decimals of a second.
pub(super) fn time_with_offset(at: Timestamp) -> String {
    zoned(at).strftime("%Y-%m-%dT%H:%M:%S%.7f%:z").to_string()
}

fn zoned(at: Timestamp) -> jiff::Zoned {
    at.to_zoned(TimeZone::get("Europe/Oslo").unwrap_or(TimeZone::UTC))
}
