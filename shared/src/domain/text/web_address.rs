//! Web addresses that callers send.

use url::Url;

use crate::domain::id::RecurringPaymentId;
use crate::error::Violation;

/// The address to which the Nets terminal page redirects the customer. Matches `^(https?://).{0,1024}` as a whole (Entur) and is a
/// valid URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUrl(Url);

impl RedirectUrl {
    /// The address.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The address with `recurringPaymentId` appended to its query (rule 11). Keeps the existing query and fragment.
    #[must_use]
    pub fn with_recurring_payment_id(&self, id: RecurringPaymentId) -> Url {
        let mut url = self.0.clone();
        url.query_pairs_mut().append_pair("recurringPaymentId", &id.to_string());
        url
    }
}

impl TryFrom<&str> for RedirectUrl {
    type Error = Violation;

    fn try_from(text: &str) -> Result<Self, Violation> {
        web_address(text).map(Self)
    }
}

/// The address that receives notifications. The rules of [`RedirectUrl`] apply, and it must not contain a user name or password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallbackUrl(Url);

impl CallbackUrl {
    /// Restores a stored address without the rules for new ones, because they may have changed since it was stored.
    ///
    /// # Errors
    /// Fails if the text is not a URL.
    pub fn from_stored(text: &str) -> Result<Self, url::ParseError> {
        Url::parse(text).map(Self)
    }

    /// The address.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl TryFrom<&str> for CallbackUrl {
    type Error = Violation;

    fn try_from(text: &str) -> Result<Self, Violation> {
        let url = web_address(text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Violation::new("user", "must not contain a user name or password"));
        }
        Ok(Self(url))
    }
}

fn web_address(text: &str) -> Result<Url, Violation> {
    const SCHEME: Violation = Violation::new("scheme", "must begin with https:// or http://");
    let rest =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(SCHEME)?;
    if rest.chars().count() > 1024 {
        return Err(Violation::new("too-long", "must have at most 1024 characters after https://"));
    }
    if rest.chars().any(char::is_control) {
        return Err(Violation::new("characters", "must not contain control characters"));
    }
    Url::parse(text).map_err(|_| Violation::new("address", "must be a web address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{Sequence, Slot};

    fn violation<'a, T: TryFrom<&'a str, Error = Violation>>(
        text: &'a str,
    ) -> Option<&'static str> {
        T::try_from(text).err().map(|violation| violation.code)
    }

    #[test]
    fn callback_urls_with_a_user_name_or_password_are_rejected() {
        for (text, expected) in [
            ("https://shop.example/callback?a=b@c", None),
            ("https://user@shop.example/", Some("user")),
            ("https://:password@shop.example/", Some("user")),
            ("https://user:password@shop.example/", Some("user")),
            ("ftp://shop.example/", Some("scheme")),
        ] {
            assert_eq!(violation::<CallbackUrl>(text), expected, "{text}");
        }
    }

    #[test]
    fn redirect_urls_keep_query_and_fragment() {
        let id = RecurringPaymentId::new(Slot::new(4), Sequence::NONE.next());
        let with_id = |text: &str| {
            RedirectUrl::try_from(text).unwrap().with_recurring_payment_id(id).to_string()
        };
        assert_eq!(
            with_id("https://shop.example/done"),
            "https://shop.example/done?recurringPaymentId=4097"
        );
        assert_eq!(
            with_id("https://shop.example/?a=b%20c"),
            "https://shop.example/?a=b%20c&recurringPaymentId=4097"
        );
        assert_eq!(
            with_id("http://localhost:1/?a#top"),
            "http://localhost:1/?a&recurringPaymentId=4097#top"
        );
    }

    #[test]
    fn redirect_urls_are_validated() {
        assert_eq!(violation::<RedirectUrl>(&format!("https://{}", "a".repeat(63))), None);
        assert_eq!(violation::<RedirectUrl>(&format!("https://a/{}", "b".repeat(1022))), None);
        assert_eq!(
            violation::<RedirectUrl>(&format!("https://a/{}", "b".repeat(1023))),
            Some("too-long")
        );
        for text in [
            "",
            "shop.example",
            "ftp://shop.example",
            "javascript:alert(1)",
            " https://a",
            "HTTPS://a",
            "https:/a",
        ] {
            assert_eq!(violation::<RedirectUrl>(text), Some("scheme"), "{text:?}");
        }
        for text in ["https://", "https://a b", "https://[::1", "http://:80"] {
            assert_eq!(violation::<RedirectUrl>(text), Some("address"), "{text:?}");
        }
        for text in ["https://a/\nb", "https://a/\rb", "https://a/\tb"] {
            assert_eq!(violation::<RedirectUrl>(text), Some("characters"), "{text:?}");
        }
    }
}
