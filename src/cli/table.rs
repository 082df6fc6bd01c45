//! Tables for people: a line a row, no borders, never wider than they may be.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, presets};

use super::output::{Output, cut, one_line};

/// Between two columns.
const GAP: u16 = 2;

/// The least that is left of a column that gives way to others.
const LEAST: usize = 10;

/// How a column uses the width there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Whole, as dates and states are.
    Whole(&'static str),
    /// Whole, and to the right, as numbers are.
    Number(&'static str),
    /// Cut where there is too little width.
    Cut(&'static str),
}

impl Column {
    fn header(self) -> &'static str {
        match self {
            Self::Whole(header) | Self::Number(header) | Self::Cut(header) => header,
        }
    }
}

/// A table on its way.
pub(super) struct Table {
    columns: &'static [Column],
    inner: comfy_table::Table,
    below: Vec<Option<String>>,
    width: usize,
    color: bool,
}

impl Table {
    /// Begins a table.
    pub(super) fn new(columns: &'static [Column], output: &Output) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        inner.set_header(columns.iter().map(|column| comfy_table::Cell::new(column.header())));
        if output.color {
            inner.enforce_styling();
        } else {
            inner.force_no_tty();
        }
        Self { columns, inner, below: Vec::new(), width: output.width, color: output.color }
    }

    /// Adds a row, and the lines below it that belong to it.
    pub(super) fn row(&mut self, cells: Vec<Cell>, below: Option<&str>) {
        let mut row = Row::from(cells.into_iter().map(|cell| cell.styled(self.color)).collect::<Vec<_>>());
        row.max_height(1);
        self.inner.add_row(row);
        let line = |line: &str| cut(&format!("  {}", one_line(line)), self.width);
        self.below.push(below.map(|below| below.lines().map(line).collect::<Vec<_>>().join("\n")));
    }

    /// Prints the table.
    pub(super) fn print(mut self, out: &mut impl Write) -> io::Result<()> {
        self.arrange();
        // Every row is one line, since that is the height it may have; so is the header.
        let below = std::iter::once(None).chain(self.below);
        for (line, below) in self.inner.lines().zip(below) {
            writeln!(out, "{}", line.trim_end())?;
            if let Some(below) = below {
                writeln!(out, "{below}")?;
            }
        }
        Ok(())
    }

    /// Gives each column its width.
    fn arrange(&mut self) {
        let gaps = usize::from(GAP) * (self.columns.len() - 1);
        let natural: Vec<usize> = self.inner.column_max_content_widths().into_iter().map(usize::from).collect();
        let is_cut = |column: &Column| matches!(column, Column::Cut(_));
        let whole: usize = natural.iter().zip(self.columns).filter(|(_, c)| !is_cut(c)).map(|(width, _)| width).sum();
        let cut_columns = self.columns.iter().filter(|column| is_cut(column)).count();
        let left = self.width.saturating_sub(whole + gaps).max(LEAST * cut_columns);
        let mut widths = natural;
        shrink(&mut widths, self.columns, left);
        let last = self.columns.len() - 1;
        for (place, (column, width)) in self.columns.iter().zip(widths).enumerate() {
            let Some(of_table) = self.inner.column_mut(place) else { continue };
            let gap = if place == last { 0 } else { GAP };
            let width = u16::try_from(width).unwrap_or(u16::MAX);
            of_table
                .set_padding((0, gap))
                .set_constraint(ColumnConstraint::Absolute(comfy_table::Width::Fixed(width + gap)));
            if matches!(column, Column::Number(_)) {
                of_table.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
}

/// Takes width from the widest of the columns that may be cut until they fit into `left`.
fn shrink(widths: &mut [usize], columns: &[Column], left: usize) {
    loop {
        let cuttable = columns.iter().enumerate().filter(|(_, column)| matches!(column, Column::Cut(_)));
        let places: Vec<usize> = cuttable.map(|(place, _)| place).collect();
        let total: usize = places.iter().map(|place| widths[*place]).sum();
        // The first column is what a row is known by: it gives way last.
        let weight = |place: &usize| if *place == 0 { widths[0] / 2 } else { widths[*place] };
        let Some(widest) = places.into_iter().max_by_key(weight) else { return };
        if total <= left || widths[widest] <= 1 {
            return;
        }
        widths[widest] -= 1;
    }
}

/// What a cell holds.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    color: Option<Color>,
}

impl Cell {
    /// A text as it is, in one line.
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        Self { text: one_line(text.as_ref()), color: None }
    }

    /// A text, or `-` where there is nothing.
    pub(super) fn or_dash(text: Option<impl AsRef<str>>) -> Self {
        text.map_or_else(|| Self::new("-"), Self::new)
    }

    /// A number.
    pub(super) fn number(number: u64) -> Self {
        Self::new(number.to_string())
    }

    /// The word of a state or an outcome, in the colour of how bad it is.
    pub(super) fn word(word: &str) -> Self {
        let color = match word.split('(').next().unwrap_or(word) {
            "held" | "failed" | "killed" | "timed-out" | "lost" => Some(Color::Red),
            "blocked" | "interrupted" | "cancelled" => Some(Color::Yellow),
            "running" => Some(Color::Cyan),
            "ok" | "succeeded" => Some(Color::Green),
            _ => None,
        };
        Self { text: word.to_owned(), color }
    }

    /// The number of an attempt and the word of its outcome, in the colour of that.
    pub(super) fn numbered(number: u32, word: &str) -> Self {
        Self { text: format!("{number} {word}"), ..Self::word(word) }
    }

    fn styled(self, color: bool) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(self.text);
        match self.color.filter(|_| color) {
            Some(color) => cell.fg(color),
            None => cell,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_column_gives_way() {
        let columns = [Column::Cut("A"), Column::Whole("B"), Column::Cut("C")];
        let mut widths = [100, 23, 12];
        shrink(&mut widths, &columns, 40);
        assert_eq!(widths, [28, 23, 12]);
        shrink(&mut widths, &columns, 30);
        assert_eq!(widths, [21, 23, 9]);
    }
}
