//! The answers to notifications.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

/// The answer to a notification; in JSON `"500"`, `"redirect"` or `"nothing"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Answer {
    /// A status with an empty body.
    Status(StatusCode),
    /// 302 to `/inbox/redirected`.
    Redirect,
    /// No answer: the connection stays open for a minute and is then closed.
    Nothing,
}

/// The text is not a valid answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("answer must be a status from 200 to 599 as a string, or \"redirect\", or \"nothing\"")]
pub struct InvalidAnswer;

impl TryFrom<String> for Answer {
    type Error = InvalidAnswer;

    fn try_from(text: String) -> Result<Self, InvalidAnswer> {
        match text.as_str() {
            "redirect" => Ok(Self::Redirect),
            "nothing" => Ok(Self::Nothing),
            number => {
                let number = number.parse().ok().filter(|number| (200..600).contains(number));
                let status = number.and_then(|number| StatusCode::from_u16(number).ok());
                status.map(Self::Status).ok_or(InvalidAnswer)
            }
        }
    }
}

impl From<Answer> for String {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Status(status) => status.as_str().to_owned(),
            Answer::Redirect => "redirect".to_owned(),
            Answer::Nothing => "nothing".to_owned(),
        }
    }
}
