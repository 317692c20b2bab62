//! PostgreSQL's parse tree as JSON values, so that one walk sees every kind of node.

use serde_json::Value;

/// The kind and the body of a node, where the value is one.
pub(crate) fn node(value: &Value) -> Option<(&str, &Value)> {
    let inner = value.get("node")?.as_object()?;
    inner.iter().next().map(|(kind, body)| (kind.as_str(), body))
}

/// The body of a node of this kind.
pub(crate) fn body<'a>(value: &'a Value, kind: &str) -> Option<&'a Value> {
    node(value).filter(|(found, _)| *found == kind).map(|(_, body)| body)
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

pub(crate) fn number(value: &Value, key: &str) -> i32 {
    value.get(key).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok()).unwrap_or_default()
}

pub(crate) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A message that is there.
pub(crate) fn message<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|message| !message.is_null())
}

/// The words of a string node.
pub(crate) fn string(value: &Value) -> Option<&str> {
    body(value, "String").map(|string| text(string, "sval"))
}

/// The parts of a name, whatever node holds it.
pub(crate) fn parts(value: &Value) -> Vec<String> {
    match node(value) {
        Some(("String", string)) => vec![text(string, "sval").to_owned()],
        Some(("List", list)) => items(list, "items").iter().flat_map(parts).collect(),
        Some(("ObjectWithArgs", object)) => parts_in(object, "objname"),
        Some(("TypeName", name)) => parts_in(name, "names"),
        _ => Vec::new(),
    }
}

/// The parts of a name given as a list of strings.
pub(crate) fn parts_in(value: &Value, key: &str) -> Vec<String> {
    items(value, key).iter().flat_map(parts).collect()
}

/// A string constant's value.
pub(crate) fn constant(value: &Value) -> Option<&str> {
    let held = body(value, "AConst")?.get("val")?;
    held.get("Sval").map(|string| text(string, "sval"))
}

/// Calls for each node in the tree, from the top down; goes below those for which it returns `true`.
pub(crate) fn visit<'a>(value: &'a Value, see: &mut impl FnMut(&'a str, &'a Value) -> bool) {
    if let Some((kind, body)) = node(value) {
        if see(kind, body) {
            below(body, see);
        }
        return;
    }
    below(value, see);
}

fn below<'a>(value: &'a Value, see: &mut impl FnMut(&'a str, &'a Value) -> bool) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
        // A type's modifiers look like expressions and are not run.
        Value::Object(fields) => {
            fields.iter().filter(|(key, _)| *key != "typmods").for_each(|(_, field)| visit(field, see));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
