//! Attributes of one tag. In: what stands behind the element's name; out: names and raw values. Refused: everything that is not blank,
//! name, `=`, quoted value, in this order (the parser below is laxer).

use super::super::findings::{Rule, cut};
use super::chars::is_space;

/// Iterates over names and raw values.
struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Attributes<'a> {
    fn one(&mut self) -> Result<Option<(&'a str, &'a str)>, Rule> {
        let tail = skip_spaces(self.rest);
        if tail.is_empty() {
            return Ok(None);
        }
        if tail.len() == self.rest.len() {
            return Err(BAD);
        }
        let end = tail.bytes().position(|b| b == b'=' || is_space(b)).ok_or(BAD)?;
        let (name, tail) = tail.split_at_checked(end).ok_or(BAD)?;
        if name.is_empty() || name.bytes().any(|b| matches!(b, b'"' | b'\'' | b'<' | b'&' | b'/')) {
            return Err(BAD);
        }
        let tail = skip_spaces(skip_spaces(tail).strip_prefix('=').ok_or(BAD)?);
        let quote = *tail.as_bytes().first().filter(|b| matches!(b, b'"' | b'\'')).ok_or(BAD)?;
        let tail = tail.get(1..).ok_or(BAD)?;
        let end = tail.bytes().position(|b| b == quote).ok_or(BAD)?;
        let (value, tail) = tail.split_at_checked(end).ok_or(BAD)?;
        self.rest = tail.get(1..).ok_or(BAD)?;
        Ok(Some((name, value)))
    }
}

const BAD: Rule = Rule::NotWellFormed("an attribute is not ` name=\"value\"`");

fn skip_spaces(text: &str) -> &str {
    let spaces = text.bytes().take_while(|b| is_space(*b)).count();
    text.get(spaces..).unwrap_or_default()
}

/// The raw values of the attributes `names`, in this order; all other attributes go to `unknown`.
pub(super) fn collect<'a, const N: usize>(
    raw: &'a str,
    names: [&str; N],
    mut unknown: impl FnMut(&'a str),
) -> Result<[Option<&'a str>; N], Rule> {
    let mut values = [None; N];
    let mut attributes = Attributes { rest: raw };
    while let Some((name, value)) = attributes.one()? {
        let slot = names.iter().position(|known| *known == name).and_then(|at| values.get_mut(at));
        match slot {
            Some(slot) if slot.is_none() => *slot = Some(value),
            Some(_) => return Err(Rule::NotWellFormed("an attribute stands twice in a tag")),
            None => unknown(name),
        }
    }
    Ok(values)
}

/// The finding for an attribute that `of` does not have.
pub(super) fn unknown_rule(name: &str, of: &'static str) -> Rule {
    Rule::UnknownAttribute { name: cut(name), of }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(raw: &str) -> Result<[Option<&str>; 2], Rule> {
        collect(raw, ["A", "B"], |_| {})
    }

    #[test]
    fn values_are_found_in_any_order_and_either_quotes() {
        assert_eq!(two(""), Ok([None, None]));
        assert_eq!(two(" B='x\"y' \n A = \"1\" "), Ok([Some("1"), Some("x\"y")]));
        assert_eq!(two(" A='>'"), Ok([Some(">"), None]));
        let mut seen = Vec::new();
        collect(" a='1' A='2' xmlns='3'", ["A"], |name| seen.push(name)).unwrap();
        assert_eq!(seen, ["a", "xmlns"]);
    }

    #[test]
    fn laxness_is_refused() {
        for bad in [" A", " A=1", " A='1'B='2'", "A='1'", " ='1'", " A='1' A='2'", " A='1", " A B='1'", " =", " A=\"", " / A='1'"]
        {
            assert!(two(bad).is_err(), "{bad}");
        }
    }
}
