//! Log lines as entries of systemd's journal, with their fields.

use std::os::unix::net::UnixDatagram;

use serde_json::{Map, Value};

/// Where systemd-journald listens (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL>).
const SOCKET: &str = "/run/systemd/journal/socket";

/// The longest value: an entry must fit into a datagram.
const MOST_BYTES: usize = 32 * 1024;

/// A socket for the journal, if systemd says that our standard error goes there.
pub(super) fn socket() -> Option<UnixDatagram> {
    std::env::var_os("JOURNAL_STREAM")?;
    UnixDatagram::unbound().ok()?.connect(SOCKET).ok()?;
    UnixDatagram::unbound().ok()
}

/// Sends lines, each an event in JSON. One that the journal does not take is lost: there is nobody to report it to.
pub(super) fn write(socket: &UnixDatagram, lines: &[Vec<u8>]) {
    for line in lines {
        if let Ok(Value::Object(event)) = serde_json::from_slice(line) {
            _ = socket.send_to(&entry(&event), SOCKET);
        }
    }
}

/// Encodes an event: the name of a field, the length of its value, its value.
fn entry(event: &Map<String, Value>) -> Vec<u8> {
    let mut entry = Vec::new();
    let mut add = |name: &str, value: &str| {
        let value = value.get(..value.floor_char_boundary(MOST_BYTES)).unwrap_or_default();
        entry.extend_from_slice(name.as_bytes());
        entry.push(b'\n');
        entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
        entry.extend_from_slice(value.as_bytes());
        entry.push(b'\n');
    };
    add("SYSLOG_IDENTIFIER", "crontabber");
    for (name, value) in event {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match name.as_str() {
            "message" => add("MESSAGE", &text),
            "level" => add("PRIORITY", priority(&text)),
            name => add(&format!("CRONTABBER_{}", name.to_ascii_uppercase()), &text),
        }
    }
    entry
}

/// The level of syslog(3).
fn priority(level: &str) -> &'static str {
    match level {
        "ERROR" => "3",
        "WARN" => "4",
        "INFO" => "5",
        _ => "6",
    }
}
