//! What `inspect` found, for a person: the JSON document as indented lines.

use std::io::{self, Write};

use serde_json::Value;

/// Writes the document; nesting becomes indentation. Foreign text in it is escaped already.
pub(super) fn write(out: &mut dyn Write, document: &Value) -> io::Result<()> {
    let Value::Object(sections) = document else { return Ok(()) };
    for (name, section) in sections.iter().filter(|(name, _)| *name != "schema") {
        match section {
            Value::Object(fields) => {
                writeln!(out, "{}", words(name))?;
                for (field, value) in fields {
                    row(out, 2, &words(field), value)?;
                }
            }
            Value::Array(items) => {
                writeln!(out, "{}", words(name))?;
                for item in items {
                    writeln!(out, "  {}", inline(item))?;
                }
            }
            other => row(out, 0, &words(name), other)?,
        }
    }
    Ok(())
}

fn row(out: &mut dyn Write, indent: usize, name: &str, value: &Value) -> io::Result<()> {
    match value {
        Value::Null => Ok(()),
        Value::Array(items) => {
            writeln!(out, "{:indent$}{name}:", "")?;
            items.iter().try_for_each(|item| writeln!(out, "{:deeper$}{}", "", inline(item), deeper = indent + 2))
        }
        other => writeln!(out, "{:indent$}{:<22} {}", "", format!("{name}:"), inline(other)),
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::Object(fields) => {
            let known = fields.iter().filter(|(_, value)| !value.is_null());
            known.map(|(name, value)| format!("{} {}", words(name), inline(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// `sectorSize` as `sector size`.
fn words(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            text.push(' ');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_becomes_indented_lines() {
        let document = json!({"schema": 1, "source": {"name": "a.img", "sectorSize": 512, "model": null}, "partitions": [{"number": 1, "data": true}]});
        let mut out = Vec::new();
        write(&mut out, &document).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "source\n  name:                  a.img\n  sector size:           512\npartitions\n  number 1, data yes\n"
        );
    }
}
