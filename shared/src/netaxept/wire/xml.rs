//! Finds XML elements by name. A duplicate of a needed element is an error.

use roxmltree::Node;

use super::ParseError;

pub(super) fn children<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// The child element of this name, if there is one. Fails if there are two, because it is unclear which one to use.
pub(super) fn single<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> Result<Option<Node<'a, 'input>>, ParseError> {
    let mut elements = children(node, name);
    let first = elements.next();
    if elements.next().is_some() { Err(ParseError::Duplicate(name)) } else { Ok(first) }
}

/// The trimmed text of the element at a path. `None` if there is no such element or its text is empty.
pub(super) fn text_at(
    node: Node<'_, '_>,
    path: &[&'static str],
) -> Result<Option<String>, ParseError> {
    let (mut node, mut last) = (node, "");
    for name in path {
        let Some(child) = single(node, name)? else { return Ok(None) };
        (node, last) = (child, name);
    }
    if node.children().any(|child| child.is_element()) {
        return Err(ParseError::Invalid(last));
    }
    // Comments can split a text into several nodes.
    let pieces = node.children().filter_map(|child| child.text().filter(|_| child.is_text()));
    let text: String = pieces.collect();
    Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned))
}

pub(super) fn required_text(
    node: Node<'_, '_>,
    path: &[&'static str],
) -> Result<String, ParseError> {
    let last = path.last().copied().unwrap_or_default();
    text_at(node, path)?.ok_or(ParseError::Missing(last))
}

/// A boolean, in upper or lower case. `None` if there is no such element or its text is empty.
pub(super) fn flag_at(
    node: Node<'_, '_>,
    path: &[&'static str],
) -> Result<Option<bool>, ParseError> {
    let Some(text) = text_at(node, path)? else { return Ok(None) };
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        _ => Err(ParseError::Invalid(path.last().copied().unwrap_or_default())),
    }
}
