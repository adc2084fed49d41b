//! Web addresses that callers name.

use url::Url;

use crate::domain::id::RecurringPaymentId;
use crate::error::Flaw;

/// Where Nets' page sends the customer back to: `^(https?://).{0,1024}` on the whole text (Entur), and a real address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUrl(Url);

impl RedirectUrl {
    /// The address with the recurring payment in its query (rule 11); the query and fragment that it had stay.
    #[must_use]
    pub fn for_payment(&self, id: RecurringPaymentId) -> Url {
        let mut url = self.0.clone();
        url.query_pairs_mut().append_pair("recurringPaymentId", &id.to_string());
        url
    }
}

impl TryFrom<&str> for RedirectUrl {
    type Error = Flaw;

    fn try_from(text: &str) -> Result<Self, Flaw> {
        web_address(text).map(Self)
    }
}

/// Where the end of a setup is told to: as a redirect's address, with the same length, and without a user's name in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallbackUrl(Url);

impl CallbackUrl {
    /// One that was let in before, perhaps under other rules than today's.
    ///
    /// # Errors
    /// It is no address at all.
    pub fn kept(text: &str) -> Result<Self, url::ParseError> {
        Url::parse(text).map(Self)
    }

    /// The address.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl TryFrom<&str> for CallbackUrl {
    type Error = Flaw;

    fn try_from(text: &str) -> Result<Self, Flaw> {
        let url = web_address(text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Flaw::new("user", "may have no user name or password in it"));
        }
        Ok(Self(url))
    }
}

fn web_address(text: &str) -> Result<Url, Flaw> {
    const SCHEME: Flaw = Flaw::new("scheme", "must begin with https:// or http://");
    let rest =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(SCHEME)?;
    if rest.chars().count() > 1024 {
        return Err(Flaw::new("too-long", "may have at most 1024 characters after https://"));
    }
    if rest.chars().any(char::is_control) {
        return Err(Flaw::new("characters", "may have no control characters"));
    }
    Url::parse(text).map_err(|_| Flaw::new("address", "must be a web address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{Sequence, Slot};

    fn flaw<'a, T: TryFrom<&'a str, Error = Flaw>>(text: &'a str) -> Option<&'static str> {
        T::try_from(text).err().map(|flaw| flaw.code)
    }

    #[test]
    fn callback_addresses_have_no_user() {
        for (text, expected) in [
            ("https://shop.example/told?a=b@c", None),
            ("https://user@shop.example/", Some("user")),
            ("https://:password@shop.example/", Some("user")),
            ("https://user:password@shop.example/", Some("user")),
            ("ftp://shop.example/", Some("scheme")),
        ] {
            assert_eq!(flaw::<CallbackUrl>(text), expected, "{text}");
        }
    }

    #[test]
    fn redirect_addresses_keep_query_and_fragment() {
        let id = RecurringPaymentId::new(Slot::new(4), Sequence::NONE.next());
        let with_id = |text: &str| RedirectUrl::try_from(text).unwrap().for_payment(id).to_string();
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
    fn redirect_addresses_are_web_addresses() {
        assert_eq!(flaw::<RedirectUrl>(&format!("https://{}", "a".repeat(63))), None);
        assert_eq!(flaw::<RedirectUrl>(&format!("https://a/{}", "b".repeat(1022))), None);
        assert_eq!(
            flaw::<RedirectUrl>(&format!("https://a/{}", "b".repeat(1023))),
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
            assert_eq!(flaw::<RedirectUrl>(text), Some("scheme"), "{text:?}");
        }
        for text in ["https://", "https://a b", "https://[::1", "http://:80"] {
            assert_eq!(flaw::<RedirectUrl>(text), Some("address"), "{text:?}");
        }
        for text in ["https://a/\nb", "https://a/\rb", "https://a/\tb"] {
            assert_eq!(flaw::<RedirectUrl>(text), Some("characters"), "{text:?}");
        }
    }
}
