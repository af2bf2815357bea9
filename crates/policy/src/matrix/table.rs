//! The matrix as text, and back. Columns are as wide as what is in them, so that a changed cell is a changed word.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use countersign_model::Action;

use super::{Matrix, MatrixError, Row, Section};

const LEGEND: &str = "+ allow   ? challenge   = deny, with needs that take longer   - deny";

fn each() -> String {
    let classes: Vec<&str> = Action::all().map(|action| action.class.name()).collect();
    format!("Each cell: {}", classes.join(" "))
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{LEGEND}\n{}", each())?;
        let names = self.sections.iter().flat_map(|section| {
            section.rows.iter().map(|row| row.subject.chars().count() + 2).chain([section.place.chars().count()])
        });
        let first = names.max().unwrap_or_default();
        let widths: Vec<usize> = self.columns.iter().map(|name| name.chars().count().max(4)).collect();
        let line = |head: &str, cells: &[String]| {
            let mut line = format!("{head:<first$}");
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(line, "  {cell:<width$}");
            }
            line.trim_end().to_owned()
        };
        for section in &self.sections {
            writeln!(f, "\n{}", line(&section.place, &self.columns))?;
            for row in &section.rows {
                writeln!(f, "{}", line(&format!("  {}", row.subject), &row.cells))?;
            }
        }
        Ok(())
    }
}

impl FromStr for Matrix {
    type Err = MatrixError;

    fn from_str(text: &str) -> Result<Self, MatrixError> {
        let mut matrix = Self { columns: Vec::new(), sections: Vec::new() };
        for (line, number) in text.lines().zip(1..) {
            let wrong = |reason| MatrixError { line: number, reason };
            match number {
                1 if line == LEGEND => continue,
                2 if line == each() => continue,
                1 | 2 => return Err(wrong("it begins with what its letters mean")),
                _ if line.is_empty() => continue,
                _ => {}
            }
            if let Some(row) = line.strip_prefix("  ") {
                let section = matrix.sections.last_mut().ok_or_else(|| wrong("a row comes after its heading"))?;
                let (subject, cells) = split(row).ok_or_else(|| wrong("a row is a subject and its cells"))?;
                if cells.len() != matrix.columns.len() {
                    return Err(wrong("there is a cell for each column"));
                }
                let known =
                    |cell: &String| cell.len() == Action::all().count() && cell.chars().all(|c| "+?=-".contains(c));
                if !cells.iter().all(known) {
                    return Err(wrong("a cell has a letter for each action"));
                }
                section.rows.push(Row { subject, cells });
            } else {
                let (place, columns) = split(line).ok_or_else(|| wrong("a heading is a place and the resources"))?;
                if !matrix.columns.is_empty() && matrix.columns != columns {
                    return Err(wrong("every heading has the same columns"));
                }
                matrix.columns = columns;
                matrix.sections.push(Section { place, rows: Vec::new() });
            }
        }
        Ok(matrix)
    }
}

/// The head, then the cells or columns: names have single spaces in them at most.
fn split(line: &str) -> Option<(String, Vec<String>)> {
    let mut parts = line.split("  ").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
    let head = parts.next()?;
    let rest: Vec<String> = parts.collect();
    (!rest.is_empty()).then_some((head, rest))
}
