//! Numbers and tables as a person reads them: binary units, grouped digits, rounded times, aligned columns.

use std::fmt::{self, Write as _};
use std::time::Duration;

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Bytes in binary units with one decimal: `512 B`, `1.5 KiB`, `3.6 TiB`.
pub fn bytes(count: u64) -> String {
    if count < 1024 {
        return format!("{count} B");
    }
    let mut tenths = u128::from(count) * 10;
    let mut unit = "";
    for next in UNITS {
        // half a tenth is rounded up; below 1,024.0 of a unit it fits
        tenths = (tenths + 512) / 1024;
        unit = next;
        if tenths < 10_240 {
            break;
        }
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// Bytes in a second, in binary units with one decimal; `0 B/s` for what is no number.
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second < 1.0 {
        return "0 B/s".to_owned();
    }
    let mut value = per_second;
    let mut unit = "B";
    for next in UNITS {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{value:.0} B/s") } else { format!("{value:.1} {unit}/s") }
}

/// A number with its digits in groups of three: `1,204`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number with its noun in singular or plural: `1 entry`, `2,000 entries`.
pub fn nouns(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A time in the two units that matter: `0.3 s`, `42 s`, `3 min 20 s`, `1 h 05 min`, `2 d 03 h`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Which side of its column a cell keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// Rows in aligned columns, two blanks between them. Cells are shown as they are: escape foreign text before.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(Align, usize)>,
    rows: Vec<Vec<String>>,
    indent: usize,
}

impl Table {
    /// A table without rows, indented by some blanks.
    pub fn new(columns: &[Align], indent: usize) -> Self {
        Self { columns: columns.iter().map(|align| (*align, 0)).collect(), rows: Vec::new(), indent }
    }

    /// Adds a row; cells beyond the last column are dropped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        for ((_, width), cell) in self.columns.iter_mut().zip(&cells) {
            *width = (*width).max(cell.chars().count());
        }
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            let mut line = " ".repeat(self.indent);
            for (index, (cell, (align, width))) in row.iter().zip(&self.columns).enumerate() {
                if index > 0 {
                    line.push_str("  ");
                }
                // writing to a String cannot fail
                let _ = match align {
                    Align::Left => write!(line, "{cell:<width$}"),
                    Align::Right => write!(line, "{cell:>width$}"),
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_change_their_unit_when_they_reach_it() {
        let cases: &[(u64, &str)] = &[
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (5_242_880, "5.0 MiB"),
            (4_398_046_511_104, "4.0 TiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (number, shown) in cases {
            assert_eq!(bytes(*number), *shown);
        }
    }

    #[test]
    fn rates_survive_what_is_no_number() {
        for (value, shown) in [(f64::NAN, "0 B/s"), (f64::INFINITY, "0 B/s"), (-3.0, "0 B/s"), (12.4, "12 B/s")] {
            assert_eq!(rate(value), shown);
        }
        assert_eq!(rate(200.0 * 1024.0 * 1024.0), "200.0 MiB/s");
        assert_eq!(rate(1_048_575.0), "1.0 MiB/s");
    }

    #[test]
    fn digits_are_grouped() {
        for (number, shown) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), shown);
        }
        assert_eq!([nouns(1, "entry", "entries"), nouns(2_000, "entry", "entries")], ["1 entry", "2,000 entries"]);
    }

    #[test]
    fn times_have_two_units() {
        let cases = [(0.31, "0.3 s"), (42.7, "42 s"), (200.0, "3 min 20 s"), (3_900.0, "1 h 05 min"), (183_600.0, "2 d 03 h")];
        for (seconds, shown) in cases {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), shown);
        }
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&[Align::Left, Align::Right], 1);
        table.row(["created", "1,200"]);
        table.row(["ü", "3"]);
        table.row(["no more", ""]);
        assert_eq!(table.to_string(), " created  1,200\n ü            3\n no more\n");
    }
}
