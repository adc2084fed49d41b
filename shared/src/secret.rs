//! What must not leak cannot be printed.

use std::fmt;

use sha2::{Digest, Sha256};

/// A text that no log, error or answer may ever show: no `Display`, no `Serialize`, and `Debug` says `[secret]`.
///
/// The `secrecy` crate's string can be neither cloned nor compared, which a wallet's pan hash must be.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Takes a text in custody.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that has to send or store it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a text is this one. How long that takes says nothing of how much of it is right: hashes are compared.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        Sha256::digest(&self.0) == Sha256::digest(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hash".to_owned());
        assert!(secret.is("hash") && !secret.is("hasH") && !secret.is(""));
        assert_eq!(format!("{:?}", Some(Secret::new("hash".to_owned()))), "Some([secret])");
    }
}
