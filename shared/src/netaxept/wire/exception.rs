//! Exceptions: Nets' error replies.

use std::fmt;

use roxmltree::Node;

use super::ParseError;
use super::codes::{ResponseClass, classify_and_log, truncate};
use super::xml::{single, text_at};
use crate::secret::Secret;

/// An error reply of Nets. Its HTTP status is 200.
#[derive(Debug)]
pub(in super::super) struct Exception {
    pub(in super::super) kind: ExceptionKind,
    message: String,
    result: Option<ResponseResult>,
}

#[derive(Debug)]
struct ResponseResult {
    source: String,
    code: String,
    text: String,
    /// Present in every result that was seen so far.
    transaction_id: Option<String>,
}

/// The messages of Nets that refuse CAPTURE or ANNUL because of the state of the transaction (netaxept.md §4.3). For the last two,
/// Nets' texts are not known: they are those of our sandbox. With other texts the reply is unclear, and the transaction is queried
/// all the same.
const WRONG_STATE: [&str; 4] = [
    "You cannot run capture on a transaction that never is authorized",
    "Unable to annul, wrong state",
    "Unable to capture more than authorized amount",
    "The authorization has expired",
];

/// The messages of Nets that refuse CREDIT because of the state of the transaction (netaxept.md §4.3: the first was recorded, a
/// public client depends on the second). Nets' texts for other refusals are not known, such as the one of a credit after 365 days.
/// With another text the reply is unclear.
const NOT_CREDITED: [&str; 2] = [
    "You cannot run credit on a transaction that has not been captured",
    "Unable to credit more than captured amount",
];

/// The shortest number in a text that is treated as a card number.
const MIN_CARD_NUMBER_LENGTH: usize = 12;

/// The nine exception types of Nets' contract. `Other` is any other type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum ExceptionKind {
    Authentication,
    Bbs,
    Generic,
    MerchantTranslation,
    NotSupported,
    Query,
    Security,
    UniqueTransactionId,
    Validation,
    Other,
}

impl Exception {
    pub(super) fn read(root: Node<'_, '_>) -> Result<Self, ParseError> {
        let error = single(root, "Error")?.ok_or(ParseError::Missing("Error"))?;
        let kind = error.attributes().find(|attribute| attribute.name() == "type");
        let result = match single(error, "Result")? {
            None => None,
            Some(result) => {
                let text =
                    |name| Ok::<_, ParseError>(text_at(result, &[name])?.unwrap_or_default());
                Some(ResponseResult {
                    source: text("ResponseSource")?,
                    code: text("ResponseCode")?,
                    text: without_card_numbers(&text("ResponseText")?),
                    transaction_id: text_at(result, &["TransactionId"])?,
                })
            }
        };
        let name = kind.map(|attribute| attribute.value()).unwrap_or_default();
        let kind = ExceptionKind::from_name(name);
        if kind == ExceptionKind::Other {
            let kind = truncate(name);
            tracing::warn!(kind, "Nets returned an exception type that is not in its contract");
        }
        let message = text_at(error, &["Message"])?.unwrap_or_default();
        Ok(Self { kind, message: without_card_numbers(&message), result })
    }

    /// Replaces a secret of the request that Nets repeats in its reply. Long numbers in the secret are replaced already.
    pub(super) fn redact(self, secret: &Secret) -> Self {
        let without_numbers = without_card_numbers(secret.expose());
        let redacted = |text: String| {
            text.replace(secret.expose(), "[secret]").replace(&without_numbers, "[secret]")
        };
        Self {
            kind: self.kind,
            message: redacted(self.message),
            result: self.result.map(|result| ResponseResult {
                source: redacted(result.source),
                code: redacted(result.code),
                text: redacted(result.text),
                transaction_id: result.transaction_id,
            }),
        }
    }

    /// The class of the exception or of its response code, if there is one. An exception is never accepted.
    pub(super) fn class(&self) -> Option<ResponseClass> {
        if self.is_missing_card() {
            return Some(ResponseClass::NoCard);
        }
        let result = self.result.as_ref()?;
        let class = classify_and_log(&result.source, &result.code);
        Some(if class == ResponseClass::Accepted { ResponseClass::Unclear } else { class })
    }

    /// The id of the transaction that the exception is about, if there is one.
    pub(super) fn transaction_id(&self) -> Option<&str> {
        self.result.as_ref()?.transaction_id.as_deref()
    }

    /// Whether the message is "Unable to find transaction". Nets sends it as `QueryException` or as `GenericError`.
    pub(in super::super) fn is_unknown_transaction(&self) -> bool {
        matches!(self.kind, ExceptionKind::Query | ExceptionKind::Generic)
            && self.message.contains("Unable to find transaction")
    }

    /// Whether the message is "Issuer is undetermined": the customer has not entered a card.
    fn is_missing_card(&self) -> bool {
        self.kind == ExceptionKind::Validation && self.message.contains("Issuer is undetermined")
    }

    /// Whether Nets refused CAPTURE or ANNUL because of the state of the transaction.
    pub(in super::super) fn is_wrong_state(&self) -> bool {
        self.is_generic(&WRONG_STATE)
    }

    /// Whether Nets refused CREDIT because of the state of the transaction.
    pub(in super::super) fn is_not_credited(&self) -> bool {
        self.is_generic(&NOT_CREDITED)
    }

    fn is_generic(&self, messages: &[&str]) -> bool {
        self.kind == ExceptionKind::Generic
            && messages.iter().any(|message| self.message.contains(message))
    }

    /// Whether Nets certainly did not carry out the call. With these types it refuses a call before that.
    pub(in super::super) fn had_no_effect(&self) -> bool {
        match self.kind {
            ExceptionKind::Authentication
            | ExceptionKind::MerchantTranslation
            | ExceptionKind::NotSupported
            | ExceptionKind::Security
            | ExceptionKind::UniqueTransactionId
            | ExceptionKind::Validation => true,
            ExceptionKind::Bbs
            | ExceptionKind::Generic
            | ExceptionKind::Query
            | ExceptionKind::Other => false,
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        match &self.result {
            Some(result) => write!(f, " ({} {}: {})", result.source, result.code, result.text),
            None => Ok(()),
        }
    }
}

impl ExceptionKind {
    /// The exception type of an `xsi:type`, with or without a namespace prefix.
    fn from_name(name: &str) -> Self {
        match name.rsplit(':').next().unwrap_or_default() {
            "AuthenticationException" => Self::Authentication,
            "BBSException" => Self::Bbs,
            "GenericError" => Self::Generic,
            "MerchantTranslationException" => Self::MerchantTranslation,
            "NotSupportedException" => Self::NotSupported,
            "QueryException" => Self::Query,
            "SecurityException" => Self::Security,
            "UniqueTransactionIdException" => Self::UniqueTransactionId,
            "ValidationException" => Self::Validation,
            _ => Self::Other,
        }
    }
}

/// Replaces card numbers: in 2013, Nets' texts contained the number of a declined card.
fn without_card_numbers(text: &str) -> String {
    let (mut replaced, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        let length = number.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = number.split_at(length);
        replaced.push_str(before);
        replaced.push_str(if length < MIN_CARD_NUMBER_LENGTH { digits } else { "[number]" });
        rest = after;
    }
    replaced + rest
}
