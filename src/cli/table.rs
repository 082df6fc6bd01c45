//! Tables for people: a line a row, no borders, never wider than they may be, and cut only on a terminal.

use std::collections::HashSet;
use std::io::{self, Write};

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use comfy_table::{CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Width, presets};

use super::output::{NARROW, Output, cut};
use crate::text::{in_zone, one_line};

/// How long the offset at the end of an instant is: `+01:00`.
const OFFSET: usize = 6;

/// Between two columns.
const GAP: usize = 2;

/// The least that is left of a column that gives way to others.
const LEAST: usize = 10;

/// The least that is left of the first column before those go that can be spared: a row is known by it.
const LEAST_FIRST: usize = 12;

/// A column: how it uses the width, and its header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column(pub(super) Fit, pub(super) &'static str);

/// How a column uses the width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Whole, as dates and states are.
    Whole,
    /// Whole, and to the right, as numbers are.
    Number,
    /// Cut where there is too little width.
    Cut,
    /// Cut, and left out where what is left of the others would be too little.
    Spare,
    /// Whole, to the right, and left out like that.
    SpareNumber,
}

impl Column {
    fn is_cut(self) -> bool {
        matches!(self.0, Fit::Cut | Fit::Spare)
    }

    fn is_spare(self) -> bool {
        matches!(self.0, Fit::Spare | Fit::SpareNumber)
    }

    fn is_number(self) -> bool {
        matches!(self.0, Fit::Number | Fit::SpareNumber)
    }

    /// The least width that the column may be given, of that which it would have: no header is ever cut.
    fn least(self, natural: usize) -> usize {
        if self.is_cut() { LEAST.max(self.1.len()).min(natural) } else { natural }
    }
}

/// A table on its way.
pub(super) struct Table {
    columns: &'static [Column],
    rows: Vec<(Vec<Cell>, Option<String>)>,
    width: usize,
    color: bool,
}

impl Table {
    /// Begins a table.
    pub(super) fn new(columns: &'static [Column], output: &Output) -> Self {
        Self { columns, rows: Vec::new(), width: output.width, color: output.color }
    }

    /// Adds a row, and the lines below it that belong to it.
    pub(super) fn row(&mut self, cells: Vec<Cell>, below: Option<&str>) {
        let line = |line: &str| cut(&format!("  {}", one_line(line)), self.width);
        let below = below.map(|below| below.lines().map(line).collect::<Vec<_>>().join("\n"));
        self.rows.push((cells, below));
    }

    /// Prints the table.
    pub(super) fn print(self, out: &mut impl Write) -> io::Result<()> {
        let with_offsets = self.width >= NARROW || self.offsets().len() > 1;
        let inner = self.laid_out(with_offsets);
        // Every row is one line, since that is the height it may have; so is the header.
        let below = std::iter::once(None).chain(self.rows.iter().map(|(_, below)| below.as_deref()));
        for (line, below) in inner.lines().zip(below) {
            writeln!(out, "{}", line.trim_end())?;
            if let Some(below) = below {
                writeln!(out, "{below}")?;
            }
        }
        Ok(())
    }

    /// How far from UTC the clocks were that the dates are shown by.
    fn offsets(&self) -> HashSet<i32> {
        let cells = self.rows.iter().flat_map(|(cells, _)| cells);
        cells.filter_map(|cell| cell.date).map(Date::offset).collect()
    }

    /// The table of the columns that there is room for.
    fn laid_out(&self, with_offsets: bool) -> comfy_table::Table {
        let mut all = one_line_table();
        all.set_header(self.columns.iter().map(|column| comfy_table::Cell::new(column.1)));
        all.add_rows(self.rows.iter().map(|(cells, _)| cells.iter().map(|cell| cell.text(with_offsets))));
        let natural: Vec<usize> = all.column_max_content_widths().into_iter().map(usize::from).collect();
        let shown = spared(&natural, self.columns, self.width);
        let columns: Vec<Column> = shown.iter().map(|place| self.columns[*place]).collect();
        let mut widths: Vec<usize> = shown.iter().map(|place| natural[*place]).collect();
        shrink(&mut widths, &columns, self.width);

        let mut inner = one_line_table();
        if self.color {
            inner.enforce_styling();
        } else {
            inner.force_no_tty();
        }
        let mut header = Row::from(columns.iter().map(|column| column.1).collect::<Vec<_>>());
        header.max_height(1);
        inner.set_header(header);
        for (cells, _) in &self.rows {
            let cells = shown.iter().filter_map(|place| cells.get(*place));
            let mut row = Row::from(cells.map(|cell| cell.styled(with_offsets, self.color)).collect::<Vec<_>>());
            row.max_height(1);
            inner.add_row(row);
        }
        let last = columns.len().saturating_sub(1);
        for (place, (column, width)) in columns.iter().zip(widths).enumerate() {
            let Some(of_table) = inner.column_mut(place) else { continue };
            let gap = if place == last { 0 } else { GAP };
            let padded = u16::try_from(width + gap).unwrap_or(u16::MAX);
            of_table
                .set_padding((0, u16::try_from(gap).unwrap_or_default()))
                .set_constraint(ColumnConstraint::Absolute(Width::Fixed(padded)));
            if column.is_number() {
                of_table.set_cell_alignment(CellAlignment::Right);
            }
        }
        inner
    }
}

fn one_line_table() -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// The places of the columns that there is room for.
fn spared(natural: &[usize], columns: &[Column], width: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let needed = |shown: &[usize]| {
        let least = |place: &usize| match *place {
            0 if columns[0].is_cut() => LEAST_FIRST.min(natural[0]),
            place => columns[place].least(natural[place]),
        };
        shown.iter().map(least).sum::<usize>() + GAP * shown.len().saturating_sub(1)
    };
    while needed(&shown) > width {
        let Some(spare) = shown.iter().rposition(|place| columns[*place].is_spare()) else { break };
        shown.remove(spare);
    }
    shown
}

/// Takes width from the widest of the columns that may be cut until all of them fit into `width`.
fn shrink(widths: &mut [usize], columns: &[Column], width: usize) {
    let least: Vec<usize> = columns.iter().zip(widths.iter()).map(|(column, width)| column.least(*width)).collect();
    let gaps = GAP * columns.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        // The first column is what a row is known by: it gives way last.
        let weight = |place: &usize| if *place == 0 { widths[0] / 2 } else { widths[*place] };
        let Some(widest) = (0..widths.len()).filter(|place| widths[*place] > least[*place]).max_by_key(weight) else {
            return;
        };
        widths[widest] -= 1;
    }
}

/// An instant as a cell shows it, and as it does where no other offset is near.
#[derive(Debug, Clone, Copy)]
struct Date {
    at: DateTime<Utc>,
    zone: Tz,
    form: Option<&'static str>,
}

impl Date {
    fn offset(self) -> i32 {
        self.zone.offset_from_utc_datetime(&self.at.naive_utc()).fix().local_minus_utc()
    }

    fn text(self, with_offset: bool) -> String {
        let text = match self.form {
            Some(form) => self.at.with_timezone(&self.zone).format(&format!("{form}%:z")).to_string(),
            None => in_zone(self.at, self.zone),
        };
        if with_offset { text } else { text[..text.len() - OFFSET].to_owned() }
    }
}

/// What a cell holds.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    date: Option<Date>,
    color: Option<Color>,
}

impl Cell {
    /// A text as it is, in one line.
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        Self { text: one_line(text.as_ref()), date: None, color: None }
    }

    /// An instant: without its offset where there is little room, and where all that are shown have the same.
    pub(super) fn date(at: DateTime<Utc>, zone: Tz) -> Self {
        Self { text: String::new(), date: Some(Date { at, zone, form: None }), color: None }
    }

    /// The time of an event: as [`Self::date`], without the fraction of a second.
    pub(super) fn time(at: DateTime<Utc>, zone: Tz) -> Self {
        Self::date_as(at, zone, "%Y-%m-%dT%H:%M:%S")
    }

    /// An instant in a form of its own, which the offset follows.
    pub(super) fn date_as(at: DateTime<Utc>, zone: Tz, form: &'static str) -> Self {
        Self { text: String::new(), date: Some(Date { at, zone, form: Some(form) }), color: None }
    }

    /// An instant, or `-` where there is none.
    pub(super) fn date_or_dash(at: Option<DateTime<Utc>>, zone: Tz) -> Self {
        at.map_or_else(|| Self::new("-"), |at| Self::date(at, zone))
    }

    /// A text, or `-` where there is nothing.
    pub(super) fn or_dash(text: Option<impl AsRef<str>>) -> Self {
        text.map_or_else(|| Self::new("-"), Self::new)
    }

    /// A number.
    pub(super) fn number(number: u64) -> Self {
        Self::new(number.to_string())
    }

    /// The word of a state or an outcome, in the color of how bad it is.
    pub(super) fn word(word: &str) -> Self {
        let color = match word.split('(').next().unwrap_or(word) {
            "held" | "failed" | "killed" | "timed-out" | "lost" => Some(Color::Red),
            "blocked" | "interrupted" | "cancelled" => Some(Color::Yellow),
            "running" => Some(Color::Cyan),
            "ok" | "succeeded" => Some(Color::Green),
            _ => None,
        };
        Self { color, ..Self::new(word) }
    }

    /// The number of an attempt and the word of its outcome, in the color of that.
    pub(super) fn numbered(number: u32, word: &str) -> Self {
        Self { text: format!("{number} {word}"), ..Self::word(word) }
    }

    fn text(&self, with_offset: bool) -> String {
        self.date.map_or_else(|| self.text.clone(), |date| date.text(with_offset))
    }

    fn styled(&self, with_offset: bool, color: bool) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(self.text(with_offset));
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
        let columns = [Column(Fit::Cut, "A"), Column(Fit::Whole, "B"), Column(Fit::Cut, "C")];
        let mut widths = [100, 23, 12];
        shrink(&mut widths, &columns, 67);
        assert_eq!(widths, [28, 23, 12]);
        shrink(&mut widths, &columns, 59);
        assert_eq!(widths, [22, 23, 10]);
        shrink(&mut widths, &columns, 2);
        assert_eq!(widths, [10, 23, 10], "of nothing less is left than can be read");
    }

    #[test]
    fn a_column_that_can_be_spared_goes_before_the_first_is_lost() {
        let columns =
            [Column(Fit::Cut, "A"), Column(Fit::Spare, "B"), Column(Fit::Whole, "C"), Column(Fit::SpareNumber, "D")];
        assert_eq!(spared(&[30, 20, 23, 6], &columns, 57), [0, 1, 2, 3]);
        assert_eq!(spared(&[30, 20, 23, 6], &columns, 56), [0, 1, 2]);
        assert_eq!(spared(&[30, 20, 23, 6], &columns, 40), [0, 2]);
        assert_eq!(spared(&[30, 20, 23, 6], &columns, 4), [0, 2]);
    }

    fn printed(table: Table) -> String {
        let mut out = Vec::new();
        table.print(&mut out).expect("memory takes every write");
        String::from_utf8(out).expect("a table is text")
    }

    #[test]
    fn nothing_is_too_long_for_a_pipe() {
        static COLUMNS: [Column; 3] = [Column(Fit::Cut, "A"), Column(Fit::Cut, "MORE"), Column(Fit::Whole, "LAST")];
        let mut table = Table { columns: &COLUMNS, rows: Vec::new(), width: usize::MAX, color: false };
        let [long, below] = ["x", "y"].map(|letter| letter.repeat(100_000));
        table.row(vec![Cell::new("a"), Cell::new(&long), Cell::new("end")], Some(&below));
        table.row(vec![Cell::new("b"), Cell::new("short"), Cell::new("end")], None);
        let text = printed(table);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[1].ends_with("  end") && lines[1].len() > 60_000, "{}", lines[1].len());
        assert_eq!(lines[2].trim(), below);
    }

    #[test]
    fn a_line_below_stays_with_its_row_in_any_width() {
        static COLUMNS: [Column; 4] = [
            Column(Fit::Cut, "JOB"),
            Column(Fit::Spare, "SCHEDULE"),
            Column(Fit::Whole, "STATE"),
            Column(Fit::SpareNumber, "BEHIND"),
        ];
        for width in 1..70 {
            let mut table = Table { columns: &COLUMNS, rows: Vec::new(), width, color: width % 2 == 0 };
            for name in ["a", "warehouse-load-customer-orders", "\u{5831}\u{544a}\u{5831}\u{544a}\u{5831}\u{544a}"] {
                let cells = vec![Cell::new(name), Cell::new("*/30 * * * MON"), Cell::word("held"), Cell::number(3)];
                table.row(cells, Some("one\ntwo"));
            }
            let text = printed(table);
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 10, "{width}: {text}");
            assert!(lines[0].starts_with("JOB") && lines[0].contains("STATE"), "{width}: {text}");
            for row in lines[1..].chunks(3) {
                assert!(row[0].contains("held") && !row[1].contains("held"), "{width}: {text}");
            }
        }
    }
}
