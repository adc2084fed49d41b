//! Exceptions of Nets, which are the body of a reply with status 200.

use super::xml::Element;

/// An `Error` element. A refused payment also has its code and its `Result` element.
#[derive(Debug)]
pub(super) struct Exception {
    kind: &'static str,
    message: String,
    refused: Option<Box<(String, Element)>>,
}

impl Exception {
    pub(super) fn new(kind: &'static str, message: &str) -> Self {
        Self { kind, message: message.to_owned(), refused: None }
    }

    /// A parameter is missing or not valid.
    pub(super) fn validation(message: &str) -> Self {
        Self::new("ValidationException", message)
    }

    /// A required parameter is missing.
    pub(super) fn missing(name: &str) -> Self {
        Self::validation(&format!("Missing parameter: '{name}'"))
    }

    /// Any error without a type of its own.
    pub(super) fn generic(message: &str) -> Self {
        Self::new("GenericError", message)
    }

    /// A payment was refused with this code.
    pub(super) fn payment(message: &str, code: &str, result: Element) -> Self {
        Self {
            refused: Some(Box::new((code.to_owned(), result))),
            ..Self::new("BBSException", message)
        }
    }

    /// Returns the type, the code if there is one, and the message.
    pub(super) fn summary(&self) -> String {
        let code = self.refused.as_ref().map(|refused| format!(" {}", refused.0));
        format!("{}{}, {}", self.kind, code.unwrap_or_default(), self.message)
    }

    /// Returns the response code. Exceptions without one return 99 ("several errors").
    pub(super) fn code(&self) -> &str {
        self.refused.as_ref().map_or("99", |refused| &refused.0)
    }

    pub(super) fn element(self) -> Element {
        let error =
            Element::new("Error").attribute("xsi:type", self.kind).with("Message", &self.message);
        Element::root("Exception").and(error.and_all(self.refused.map(|refused| refused.1)))
    }
}
