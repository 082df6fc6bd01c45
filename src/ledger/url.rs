//! The URL of a ledger, checked before anything is opened.
//!
//! No password is ever printed: not by [`Display`](fmt::Display), not by [`Debug`](fmt::Debug), not in an error.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// The location of a ledger.
#[derive(Clone, PartialEq)]
pub enum LedgerUrl {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database: the URL as libpq takes it.
    Postgres(String),
}

/// Why a text is no URL of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerUrlError {
    /// The text is empty.
    #[error("the ledger's URL is empty; write `sqlite:///var/lib/crontabber/ledger.db` or `postgres:///crontabber`")]
    Empty,
    /// A path of a directory.
    #[error("the ledger `{0}` is a directory; name a file in it")]
    Directory(String),
    /// Neither SQLite nor PostgreSQL.
    #[error("the ledger's scheme `{scheme}` is unknown; {hint}")]
    Scheme {
        /// What was written before the colon.
        scheme: String,
        /// What to write.
        hint: String,
    },
    /// `?mode=…` and the like, after a path.
    #[error("the ledger `{0}` has options, and an SQLite ledger takes none; write only the path")]
    Options(String),
    /// libpq's `key=value` form.
    #[error("the ledger is given as `key=value` pairs; write `postgres://user@host/database`")]
    Pairs,
    /// A URL that libpq would misread.
    #[error("the PostgreSQL URL is malformed: {0}")]
    Malformed(&'static str),
    /// A server on another host without TLS.
    #[error(
        "the PostgreSQL host `{0}` is another machine, and this crontabber has no TLS; add `sslmode=disable` to the URL \
         if you trust the network between them, or use a local server"
    )]
    Plaintext(String),
    /// TLS is required.
    #[error("the PostgreSQL URL says `sslmode={0}`, and this crontabber has no TLS")]
    NoTls(String),
}

impl LedgerUrl {
    /// Reads a ledger's URL.
    ///
    /// `postgres://…` and `postgresql://…` are as libpq takes them. `sqlite:///var/lib/ledger.db` is absolute,
    /// `sqlite://state/ledger.db` is relative to the working directory, and so is what has no scheme at all: a bare
    /// path. Paths are taken as they stand, but for a second slash at their front; nothing in them is decoded.
    ///
    /// # Errors
    /// A [`LedgerUrlError`], whose message says what to write instead.
    pub fn parse(text: &str) -> Result<Self, LedgerUrlError> {
        let text = text.trim();
        let Some((scheme, rest)) = split_scheme(text) else { return sqlite(text) };
        match scheme.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" => postgres(text, rest.strip_prefix("//").unwrap_or(rest)),
            "sqlite" => match rest {
                _ if rest.contains('?') => Err(LedgerUrlError::Options(text.to_owned())),
                _ => sqlite(rest.strip_prefix("//").unwrap_or(rest)),
            },
            "sqlite3" | "file" => Err(LedgerUrlError::Scheme {
                scheme: scheme.to_owned(),
                hint: format!("write `sqlite://{}`", rest.strip_prefix("//").unwrap_or(rest)),
            }),
            other => Err(LedgerUrlError::Scheme {
                scheme: scheme.to_owned(),
                hint: if other.starts_with("post") || other.starts_with("pg") || other.starts_with("psql") {
                    "did you mean `postgres`?".to_owned()
                } else {
                    "a ledger is `sqlite:///path` or `postgres://user@host/database`".to_owned()
                },
            }),
        }
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => f.write_str(&masked(url)),
        }
    }
}

impl fmt::Debug for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LedgerUrl({self})")
    }
}

/// Splits off what stands before a colon and looks like a scheme; a path like `./a:b` has none.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let known = matches!(scheme.to_ascii_lowercase().as_str(), "sqlite" | "postgres" | "postgresql" | "file");
    (is_scheme && (known || rest.starts_with("//"))).then_some((scheme, rest))
}

fn sqlite(path: &str) -> Result<LedgerUrl, LedgerUrlError> {
    if path.is_empty() {
        Err(LedgerUrlError::Empty)
    } else if path.contains("dbname=") || path.starts_with("host=") {
        Err(LedgerUrlError::Pairs)
    } else if path.ends_with('/') || matches!(path, "." | "..") || path.ends_with("/..") {
        Err(LedgerUrlError::Directory(path.to_owned()))
    } else {
        // SQLite reads what follows two slashes as a host.
        let is_doubled = path.starts_with("//");
        let path = if is_doubled { &path[path.len() - path.trim_start_matches('/').len() - 1..] } else { path };
        Ok(LedgerUrl::Sqlite(PathBuf::from(path)))
    }
}

fn postgres(text: &str, rest: &str) -> Result<LedgerUrl, LedgerUrlError> {
    if !text.contains("://") {
        return Err(LedgerUrlError::Malformed("it starts with `postgres://`"));
    }
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or("");
    if place[authority.len()..].contains('@') || options.contains('@') && !authority.contains('@') {
        return Err(LedgerUrlError::Malformed("in a password, `/` is written `%2F`, `?` is `%3F` and `@` is `%40`"));
    }
    if authority.matches('@').count() > 1 {
        return Err(LedgerUrlError::Malformed("in a password, `@` is written `%40`"));
    }
    // Refused here, because the message of libpq would repeat the password.
    if decoded(rest).is_none() {
        return Err(LedgerUrlError::Malformed(
            "`%` is not followed by two hexadecimal digits; itself it is written `%25`",
        ));
    }
    let option = |name: &str| {
        options
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, v)| v)
            .next_back()
    };
    let sslmode = option("sslmode").unwrap_or("prefer");
    if matches!(sslmode, "require" | "verify-ca" | "verify-full") {
        return Err(LedgerUrlError::NoTls(sslmode.to_owned()));
    }
    let hosts = match (option("hostaddr"), option("host")) {
        (Some(address), _) => address,
        (None, Some(host)) => host,
        (None, None) => authority.rsplit('@').next().unwrap_or(""),
    };
    let remote = hosts.split(',').filter_map(decoded).find(|host| !is_local(host));
    match remote {
        Some(host) if sslmode != "disable" => Err(LedgerUrlError::Plaintext(host)),
        _ => Ok(LedgerUrl::Postgres(text.to_owned())),
    }
}

/// Whether a host (with or without a port) is the local one.
fn is_local(host: &str) -> bool {
    if host.is_empty() || host.starts_with('/') || host.starts_with('@') || host.starts_with(':') && host.len() < 7 {
        return true;
    }
    let bare = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or(""),
        None if host.matches(':').count() == 1 => host.split(':').next().unwrap_or(""),
        None => host,
    };
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        if *byte == b'%' {
            let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok())?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// The URL with `***` for every password.
fn masked(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (place, options) = rest.split_once('?').map_or((rest, None), |(place, options)| (place, Some(options)));
    // The last `@`, wherever it is: masks too much rather than too little.
    let place = match place.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:***@{host}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    let options = options.map(|options| {
        let pairs = options.split('&').map(|pair| match pair.split_once('=') {
            Some((key, _)) if key.contains("pass") => format!("{key}=***"),
            _ => pair.to_owned(),
        });
        format!("?{}", pairs.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{place}{}", options.unwrap_or_default())
}
