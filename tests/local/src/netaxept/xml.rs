//! Writes XML as Nets does: a declaration, CRLF, an indentation of two spaces, and `<Empty />`.

use quick_xml::Writer;
use quick_xml::escape::partial_escape;
use quick_xml::events::{BytesDecl, BytesText, Event};

/// An element with a text or with children.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new(), text: String::new(), children: Vec::new() }
    }

    /// Returns a root element with the two namespaces that Nets declares.
    pub(super) fn root(name: &'static str) -> Self {
        Self::new(name)
            .attribute("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
            .attribute("xmlns:xsd", "http://www.w3.org/2001/XMLSchema")
    }

    pub(super) fn attribute(mut self, name: &'static str, value: &str) -> Self {
        self.attributes.push((name, value.to_owned()));
        self
    }

    /// Adds a child with a text. An empty text is written as `<Name />`.
    pub(super) fn with(self, name: &'static str, text: &str) -> Self {
        self.and(Self { text: text.to_owned(), ..Self::new(name) })
    }

    /// Adds a child with a text, unless the text is `None`.
    pub(super) fn with_some(self, name: &'static str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.with(name, text),
            None => self,
        }
    }

    /// Adds a child.
    pub(super) fn and(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    pub(super) fn and_all(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// Returns the document as bytes.
    pub(super) fn document(&self) -> Vec<u8> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        let declared = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)));
        let written = declared.and_then(|()| self.write(&mut writer));
        // Writing to memory cannot fail.
        let text = written
            .map(|()| String::from_utf8_lossy(&writer.into_inner()).into_owned())
            .unwrap_or_default();
        text.replace("/>", " />").replace('\n', "\r\n").into_bytes()
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let attributes = self.attributes.iter().map(|(name, value)| (*name, value.as_str()));
        let element = writer.create_element(self.name).with_attributes(attributes);
        if !self.text.is_empty() {
            element.write_text_content(BytesText::from_escaped(partial_escape(&self.text)))?;
        } else if self.children.is_empty() {
            element.write_empty()?;
        } else {
            element.write_inner_content(|writer| {
                self.children.iter().try_for_each(|child| child.write(writer))
            })?;
        }
        Ok(())
    }
}
