//! A string type that cannot be printed.

use std::fmt;

use sha2::{Digest, Sha256};

/// A string that no log, error or response may show: no `Display`, no `Serialize`, and `Debug` prints `[secret]`.
///
/// The `secrecy` crate's `SecretString` does not support equality, which a wallet's pan hash needs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Wraps a string.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the string, for the code that sends or stores it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether `text` equals the secret. Compares hashes, so the duration does not reveal how much of `text` is correct.
    #[must_use]
    pub fn equals(&self, text: &str) -> bool {
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
        assert!(secret.equals("hash") && !secret.equals("hasH") && !secret.equals(""));
        assert_eq!(format!("{:?}", Some(Secret::new("hash".to_owned()))), "Some([secret])");
    }
}
