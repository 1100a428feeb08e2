//! Keeps a log record on its line and harmless to whoever looks at it: what is not printable (line breaks of every
//! script, terminal escapes, marks that turn the direction of writing) is written as an escape, whichever way it came
//! into the record. The formats escape less: JSON only what JSON must (CWE-117, CWE-150).

use std::fmt::Write as _;
use std::io::{self, Write};

/// How records are written.
#[derive(Clone, Copy)]
pub(super) enum Format {
    /// Escapes are Rust's: `\u{202e}`.
    Text,
    /// Escapes are JSON's: `\u202e`. Only strings hold characters that need one, so that readers get them back.
    Json,
}

/// Passes records on, one in each call of `write`.
pub(super) struct Lines<W> {
    inner: W,
    format: Format,
}

impl<W> Lines<W> {
    pub(super) fn new(inner: W, format: Format) -> Self {
        Self { inner, format }
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(record);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        if text.chars().all(is_printable) {
            self.inner.write_all(record)?;
        } else {
            let mut line =
                text.chars().fold(String::with_capacity(text.len() + 32), |line, character| escape(line, character, self.format));
            line.push('\n');
            self.inner.write_all(line.as_bytes())?;
        }
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn escape(mut line: String, character: char, format: Format) -> String {
    match format {
        _ if is_printable(character) => line.push(character),
        Format::Text => line.extend(character.escape_debug()),
        Format::Json => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        }
    }
    line
}

fn is_printable(character: char) -> bool {
    if character.is_ascii() { matches!(character, ' '..='~') } else { character.escape_debug().len() == 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(record: &str, format: Format) -> String {
        let mut out = Vec::new();
        Lines::new(&mut out, format).write_all(record.as_bytes()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_can_be_printed_stays_as_it_is() {
        for record in ["user=\"Zoë 日本 \u{1f98a} it's \\\"\"\n", "{\"a\":\"\\n\"}\n", "no end"] {
            assert_eq!(written(record, Format::Text), record);
            assert_eq!(written(record, Format::Json), record);
        }
    }

    /// threats.md I08
    #[test]
    fn what_breaks_lines_commands_a_terminal_or_turns_the_writing_is_escaped() {
        let hostile = "a\nb\r\u{1b}[31m\u{85}\u{9b}\u{2028}\u{202e}\u{2066}\u{200b}\u{e0041}\u{7f}\n";
        let text = written(hostile, Format::Text);
        assert_eq!(text, "a\\nb\\r\\u{1b}[31m\\u{85}\\u{9b}\\u{2028}\\u{202e}\\u{2066}\\u{200b}\\u{e0041}\\u{7f}\n");
        let json = written(&format!("\"{}\"\n", hostile.trim_end()), Format::Json);
        assert!(json.trim_end().chars().all(is_printable) && json.matches('\n').count() == 1, "{json:?}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile.trim_end());
    }
}
