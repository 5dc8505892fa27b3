//! Numbers and tables as text.

use std::fmt::Write;

/// 1536 as "1.5 KiB".
pub fn binary(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return short(value, unit);
        }
        value /= 1024.0;
    }
    short(value, "TiB")
}

/// 1500 as "1.5 k".
pub fn decimal(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["", "k", "M", "G"] {
        if value < 1000.0 {
            return short(value, unit);
        }
        value /= 1000.0;
    }
    short(value, "T")
}

fn short(value: f64, unit: &str) -> String {
    if value >= 100.0 || value.fract() == 0.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// Titles and rows in aligned columns, those of `right` to the right; columns
/// that are empty below their title are left out.
pub fn columns<const N: usize>(rows: &[[String; N]], right: &[usize]) -> String {
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let empty: [bool; N] =
        std::array::from_fn(|column| rows.iter().skip(1).all(|row| row[column].is_empty()));
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate().filter(|(c, _)| !empty[*c]) {
            let space = " ".repeat(widths[column] - cell.chars().count());
            let _ = if right.contains(&column) {
                write!(line, "{space}{cell}  ")
            } else {
                write!(line, "{cell}{space}  ")
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
