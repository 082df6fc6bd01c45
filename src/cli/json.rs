//! JSON arrays that stream: an object a line, valid however many there are.

use std::io::{self, Write};

use serde::Serialize;

/// An array on its way.
#[derive(Debug)]
pub(super) struct Array<'out, W: Write> {
    out: &'out mut W,
    is_empty: bool,
}

impl<'out, W: Write> Array<'out, W> {
    /// Begins an array.
    pub(super) fn open(out: &'out mut W) -> io::Result<Self> {
        out.write_all(b"[")?;
        Ok(Self { out, is_empty: true })
    }

    /// Adds an object.
    pub(super) fn push(&mut self, row: &impl Serialize) -> io::Result<()> {
        self.separate()?;
        serde_json::to_writer(&mut *self.out, row).map_err(io::Error::from)
    }

    /// Adds an object that is JSON already.
    pub(super) fn push_raw(&mut self, row: &[u8]) -> io::Result<()> {
        self.separate()?;
        self.out.write_all(row)
    }

    /// Ends the array.
    pub(super) fn close(self) -> io::Result<()> {
        self.out.write_all(if self.is_empty { b"]\n" } else { b"\n]\n" })
    }

    fn separate(&mut self) -> io::Result<()> {
        self.out.write_all(if self.is_empty { b"\n" } else { b",\n" })?;
        self.is_empty = false;
        Ok(())
    }
}

/// Prints an array.
pub(super) fn array<W: Write, R: Serialize>(out: &mut W, rows: impl IntoIterator<Item = R>) -> io::Result<()> {
    let mut array = Array::open(out)?;
    for row in rows {
        array.push(&row)?;
    }
    array.close()
}

/// Prints one object.
pub(super) fn object(out: &mut impl Write, object: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(rows: &[u32]) -> io::Result<String> {
        let mut out = Vec::new();
        array(&mut out, rows)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn arrays_are_valid_whatever_their_length() -> io::Result<()> {
        assert_eq!(printed(&[])?, "[]\n");
        assert_eq!(printed(&[1])?, "[\n1\n]\n");
        assert_eq!(printed(&[1, 2])?, "[\n1,\n2\n]\n");
        Ok(())
    }
}
