//! The little XML that a drive log needs: elements with attributes and text, indented by two blanks, never a tree.
//!
//! Text is escaped so that a reader gets it back to the letter. What XML 1.0 cannot carry becomes U+FFFD.

use std::io::{self, BufWriter, Write};

/// An attribute: its name, and its value unescaped.
pub(super) type Attribute<'a> = (&'static str, &'a str);

/// Writes elements one after another; buffered.
#[derive(Debug)]
pub(super) struct Xml<W: Write> {
    out: BufWriter<W>,
    depth: usize,
}

impl<W: Write> Xml<W> {
    /// Begins with the XML declaration.
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(64 * 1024, out);
        out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
        Ok(Self { out, depth: 0 })
    }

    /// Begins an element that holds elements.
    pub(super) fn open(&mut self, name: &str, attributes: &[Attribute<'_>]) -> io::Result<()> {
        self.tag(name, attributes)?;
        self.depth += 1;
        self.out.write_all(b">\n")
    }

    /// Ends the element begun last.
    pub(super) fn close(&mut self, name: &str) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        self.indent()?;
        writeln!(self.out, "</{name}>")
    }

    /// An element without content.
    pub(super) fn empty(&mut self, name: &str, attributes: &[Attribute<'_>]) -> io::Result<()> {
        self.tag(name, attributes)?;
        self.out.write_all(b"/>\n")
    }

    /// An element that holds text alone.
    pub(super) fn text(&mut self, name: &str, attributes: &[Attribute<'_>], text: &str) -> io::Result<()> {
        self.tag(name, attributes)?;
        self.out.write_all(b">")?;
        self.escape(text)?;
        writeln!(self.out, "</{name}>")
    }

    /// The writer, everything flushed into it.
    pub(super) fn finish(self) -> io::Result<W> {
        let mut out = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        out.flush()?;
        Ok(out)
    }

    fn tag(&mut self, name: &str, attributes: &[Attribute<'_>]) -> io::Result<()> {
        self.indent()?;
        write!(self.out, "<{name}")?;
        for (key, value) in attributes {
            write!(self.out, " {key}=\"")?;
            self.escape(value)?;
            self.out.write_all(b"\"")?;
        }
        Ok(())
    }

    fn indent(&mut self) -> io::Result<()> {
        (0..self.depth).try_for_each(|_| self.out.write_all(b"  "))
    }

    /// Tab and line breaks become references: readers fold them otherwise.
    fn escape(&mut self, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(special) {
            let (plain, tail) = rest.split_at(at);
            self.out.write_all(plain.as_bytes())?;
            let mut tail = tail.chars();
            self.out.write_all(replacement(tail.next()))?;
            rest = tail.as_str();
        }
        self.out.write_all(rest.as_bytes())
    }
}

fn special(character: char) -> bool {
    matches!(character, '&' | '<' | '>' | '"' | '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}')
}

fn replacement(character: Option<char>) -> &'static [u8] {
    match character {
        Some('&') => b"&amp;",
        Some('<') => b"&lt;",
        Some('>') => b"&gt;",
        Some('"') => b"&quot;",
        Some('\t') => b"&#9;",
        Some('\n') => b"&#10;",
        Some('\r') => b"&#13;",
        _ => "\u{fffd}".as_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_indented_and_text_is_escaped() {
        let mut xml = Xml::new(Vec::new()).unwrap();
        xml.open("A", &[("B", "\"<&>\"")]).unwrap();
        xml.text("C", &[], "\\x\ty]]>\r\n\u{1}\u{ffff}\u{10000}ü'").unwrap();
        xml.empty("D", &[("E", "1"), ("F", "2")]).unwrap();
        xml.close("A").unwrap();
        let text = String::from_utf8(xml.finish().unwrap()).unwrap();
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A B=\"&quot;&lt;&amp;&gt;&quot;\">\n  \
            <C>\\x&#9;y]]&gt;&#13;&#10;\u{fffd}\u{fffd}\u{10000}ü'</C>\n  <D E=\"1\" F=\"2\"/>\n</A>\n";
        assert_eq!(text, expected);
    }
}
