//! Nets' refusal: an exception in the body of an answer with status 200.

use super::xml::Element;

/// One `Error`, with the `Result` that a refused payment has.
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

    /// Bad or missing input.
    pub(super) fn validation(message: &str) -> Self {
        Self::new("ValidationException", message)
    }

    /// A parameter that has to be there.
    pub(super) fn missing(name: &str) -> Self {
        Self::validation(&format!("Missing parameter: '{name}'"))
    }

    /// Anything that has no type of its own.
    pub(super) fn generic(message: &str) -> Self {
        Self::new("GenericError", message)
    }

    /// A payment that failed, with its code.
    pub(super) fn payment(message: &str, code: &str, result: Element) -> Self {
        Self {
            refused: Some(Box::new((code.to_owned(), result))),
            ..Self::new("BBSException", message)
        }
    }

    /// The response code; 99, several errors, where there is none.
    pub(super) fn code(&self) -> &str {
        self.refused.as_ref().map_or("99", |refused| &refused.0)
    }

    pub(super) fn element(self) -> Element {
        let error =
            Element::new("Error").attribute("xsi:type", self.kind).with("Message", &self.message);
        Element::root("Exception").and(error.and_all(self.refused.map(|refused| refused.1)))
    }
}
