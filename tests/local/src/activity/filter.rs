//! Selects entries of the activity.

use super::{Entry, Kind};

/// A filter. An empty filter accepts every entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Words that must occur, in any case, such as a correlation id.
    pub(crate) text: String,
    /// The kinds that are accepted. Empty: all kinds.
    pub(crate) kinds: Vec<Kind>,
    /// The function or part that must be the source.
    pub(crate) source: String,
    /// The level of a log line: `ERROR`, `WARN` or `INFO`.
    pub(crate) level: String,
    /// The id of a recurring payment or of a payment that the entry must be about.
    pub(crate) item: Option<u64>,
}

impl Filter {
    /// Reads a filter from the query of a request: `text`, `kind` (repeated), `source`, `level`, `item`. Others are ignored.
    pub(crate) fn from_query(query: &str) -> Self {
        let mut filter = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "text" => value.trim().clone_into(&mut filter.text),
                "kind" => filter.kinds.extend(Kind::from_name(&value)),
                "source" => value.trim().clone_into(&mut filter.source),
                "level" => value.trim().clone_into(&mut filter.level),
                "item" => filter.item = value.parse().ok(),
                _ => {}
            }
        }
        filter
    }

    /// The query that [`Self::from_query`] reads.
    pub(crate) fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in
            [("text", &self.text), ("source", &self.source), ("level", &self.level)]
        {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        for kind in &self.kinds {
            query.append_pair("kind", kind.name());
        }
        if let Some(item) = self.item {
            query.append_pair("item", &item.to_string());
        }
        query.finish()
    }

    pub(crate) fn accepts(&self, entry: &Entry) -> bool {
        let event = &entry.event;
        // Lambda takes a line without a level as INFO.
        let is_line = matches!(event.kind, Kind::Audit | Kind::Log);
        let level = event.detail["level"].as_str().or(is_line.then_some("INFO"));
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.source.is_empty() || self.source == event.source)
            && (self.level.is_empty() || level == Some(&self.level))
            && self.item.is_none_or(|item| event.is_about(item))
            && self.has_text(entry)
    }

    fn has_text(&self, entry: &Entry) -> bool {
        if self.text.is_empty() {
            return true;
        }
        let text = entry.event.text().to_lowercase();
        self.text.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}
