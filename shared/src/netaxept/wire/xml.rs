//! Elements by name. One that counts must not be there twice.

use roxmltree::Node;

use super::Garbled;

pub(super) fn children<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// The element of this name. There twice, nobody can say which one counts.
pub(super) fn only<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> Result<Option<Node<'a, 'input>>, Garbled> {
    let mut all = children(node, name);
    let first = all.next();
    if all.next().is_some() { Err(Garbled::Twice(name)) } else { Ok(first) }
}

/// The text of the element at a path, unless there is none or it is empty.
pub(super) fn text_at(
    node: Node<'_, '_>,
    path: &[&'static str],
) -> Result<Option<String>, Garbled> {
    let (mut node, mut last) = (node, "");
    for name in path {
        let Some(child) = only(node, name)? else { return Ok(None) };
        (node, last) = (child, name);
    }
    if node.children().any(|child| child.is_element()) {
        return Err(Garbled::Wrong(last));
    }
    // Comments may cut a text into pieces.
    let pieces = node.children().filter_map(|child| child.text().filter(|_| child.is_text()));
    let text: String = pieces.collect();
    Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned))
}

pub(super) fn needed(node: Node<'_, '_>, path: &[&'static str]) -> Result<String, Garbled> {
    let last = path.last().copied().unwrap_or_default();
    text_at(node, path)?.ok_or(Garbled::Missing(last))
}
