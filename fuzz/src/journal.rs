//! The target `journal`: the file that a warden finds at its start.
//!
//! An input that begins with a 0 is such a file from its second byte on. Of any other one, the two bytes after the first say
//! where the file is cut off, and the rest are the records of a valid one, each preceded by its length in one byte.

use crontabber::warden::journal::{entries_of, made_of};

/// Checks one input.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    match data {
        [0, file @ ..] => {
            _ = entries_of(file);
        }
        [_, high, low, rest @ ..] => {
            let records = records(rest);
            let file = made_of(7, &records);
            let all = entries_of(&file).expect("a valid journal is read");
            for (attempt, entry) in &all {
                assert!(entry.end.as_ref().is_none_or(|end| end.attempt == *attempt), "an end is its own attempt's");
            }
            let cut = usize::from(u16::from_be_bytes([*high, *low])).min(file.len());
            if let Some(cut) = entries_of(&file[..cut]) {
                let begun = |attempt: &String| all.contains_key(attempt) || is_in(attempt, &records);
                assert!(cut.keys().all(begun), "nothing is in a part that is not in the whole");
            }
            // A record that is damaged ends what is read, and adds nothing.
            let mut damaged = file;
            if let Some(byte) = damaged.get_mut(usize::from(u16::from_be_bytes([*high, *low]))) {
                *byte ^= 1;
            }
            if let Some(some) = entries_of(&damaged) {
                assert!(some.keys().all(|attempt| all.contains_key(attempt) || is_in(attempt, &records)));
            }
        }
        _ => {}
    }
}

fn records(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while let Some((length, after)) = rest.split_first() {
        let (record, after) = after.split_at(usize::from(*length).min(after.len()));
        if !record.is_empty() {
            records.push(record);
        }
        rest = after;
    }
    records
}

/// Whether a record names this attempt.
fn is_in(attempt: &str, records: &[&[u8]]) -> bool {
    attempt.is_empty()
        || records.iter().any(|record| record.windows(attempt.len()).any(|part| part == attempt.as_bytes()))
}
