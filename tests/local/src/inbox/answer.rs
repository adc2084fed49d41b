//! What notifications are answered.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

/// What a notification is answered; in JSON `"500"`, `"redirect"`, `"nothing"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Answer {
    /// A status, and an empty body.
    Status(StatusCode),
    /// 302 with the path `/inbox/redirected`.
    Redirect,
    /// Nothing at all; the connection is held open for a minute, and then broken.
    Nothing,
}

/// A text is none of the answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("answer is a status from 200 to 599 as text, redirect or nothing")]
pub struct NotAnAnswer;

impl TryFrom<String> for Answer {
    type Error = NotAnAnswer;

    fn try_from(text: String) -> Result<Self, NotAnAnswer> {
        match text.as_str() {
            "redirect" => Ok(Self::Redirect),
            "nothing" => Ok(Self::Nothing),
            number => {
                let number = number.parse().ok().filter(|number| (200..600).contains(number));
                let status = number.and_then(|number| StatusCode::from_u16(number).ok());
                status.map(Self::Status).ok_or(NotAnAnswer)
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
