//! A throw-away PostgreSQL: its own directory, a unix socket and nothing else.
//!
//! One server is shared by the tests of a process, each with a database of its own. A small shell process outlives us
//! just long enough to stop the server and remove its directory, however the test process ends.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The superuser, and the owner of every database; nobody else can reach the socket's directory.
const USER: &str = "crontabber";

/// What follows the pipe's end: `$1` is `pg_ctl`, `$2` the server's directory.
const GUARDIAN: &str = r#"
trap '' INT TERM HUP
read -r _
"$1" stop -D "$2/data" -m immediate -s >/dev/null 2>&1
rm -rf "$2"
"#;

/// A server, stopped and removed when it is dropped (or when the process ends).
pub(crate) struct Postgres {
    bin: PathBuf,
    directory: PathBuf,
    user: Option<(u32, u32)>,
    databases: AtomicU32,
    guardian: Option<(Child, ChildStdin)>,
}

/// Returns the URL of a fresh database on the server that all tests of this process share.
pub(crate) fn database() -> String {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(Postgres::start).database()
}

impl Postgres {
    /// Starts a server of its own, for a test that stops it.
    pub(crate) fn start() -> Self {
        let bin = bin();
        let user = unprivileged();
        // Not under TMPDIR: a socket's path has to be shorter than 108 bytes.
        let directory = tempfile::Builder::new()
            .prefix("crontabber-pg-")
            .tempdir_in("/tmp")
            .expect("a directory for PostgreSQL can be made in /tmp")
            .keep();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("the directory is ours");
        if let Some((uid, gid)) = user {
            chown(&directory, Some(uid), Some(gid)).expect("root can give the directory away");
            // A test that runs as root connects across the mode; nobody else does.
        }
        let mut server = Self { bin, directory, user, databases: AtomicU32::new(0), guardian: None };
        server.guard();
        let data = server.data();
        let mut initdb = server.command("initdb");
        initdb.args(["--no-sync", "--no-locale", "--encoding=UTF8", "--auth=trust", "-U", USER, "-D"]).arg(&data);
        must(initdb.output(), "initdb");
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nfsync = off\nmax_connections = 60\n\
             shared_buffers = 32MB\nautovacuum = off\nmax_wal_size = 256MB\n",
            server.directory.display()
        );
        let file = data.join("postgresql.conf");
        let before = fs::read_to_string(&file).expect("initdb wrote its settings");
        fs::write(&file, before + &settings).expect("the settings can be changed");
        server.resume();
        server
    }

    /// Returns the URL of a fresh database.
    pub(crate) fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed) + 1);
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy"));
        self.url(&name)
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@/{database}?host={}", self.directory.display())
    }

    /// Runs SQL on a database, and returns what it prints, unaligned.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.command("psql");
        psql.args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-U", USER, "-h"]).arg(&self.directory);
        psql.args(["-d", database, "-c", sql]);
        let output = must(psql.output(), "psql");
        String::from_utf8(output.stdout).expect("the encoding is UTF-8").trim().to_owned()
    }

    /// Stops the server; its databases stay.
    pub(crate) fn stop(&self) {
        let mut stop = self.command("pg_ctl");
        stop.args(["stop", "-s", "-w", "-m", "fast", "-D"]).arg(self.data());
        must(stop.output(), "pg_ctl stop");
    }

    /// Starts the server again.
    pub(crate) fn resume(&self) {
        let mut start = self.command("pg_ctl");
        start.args(["start", "-s", "-w", "-t", "60", "-D"]).arg(self.data());
        // To a file, because the server would keep a pipe open, and the reader of it waiting.
        start.arg("-l").arg(self.directory.join("log")).stdout(Stdio::null()).stderr(Stdio::null());
        let status = start.status().unwrap_or_else(|error| panic!("pg_ctl cannot be run: {error}"));
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        assert!(status.success(), "PostgreSQL did not start:\n{log}");
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// A program of PostgreSQL's, run as the user that the server runs as.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C.UTF-8");
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn guard(&mut self) {
        let mut guardian = Command::new("/bin/sh");
        guardian.args(["-c", GUARDIAN, "guardian"]).arg(self.bin.join("pg_ctl")).arg(&self.directory);
        guardian.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        guardian.process_group(0);
        if let Some((uid, gid)) = self.user {
            guardian.uid(uid).gid(gid);
        }
        let mut child = guardian.spawn().unwrap_or_else(|error| panic!("/bin/sh cannot be run: {error}"));
        let stdin = child.stdin.take().expect("it was asked for");
        self.guardian = Some((child, stdin));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some((mut guardian, stdin)) = self.guardian.take() {
            drop(stdin);
            let _ = guardian.wait();
        }
    }
}

/// The newest PostgreSQL of the machine.
fn bin() -> PathBuf {
    let version = |path: &Path| {
        let name = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("");
        name.parse::<u32>().unwrap_or(0)
    };
    let debian =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = debian.filter(|bin| bin.join("initdb").exists()).collect();
    found.sort_by_key(|bin| version(bin));
    found
        .pop()
        .or_else(|| std::env::split_paths(&path).find(|bin| bin.join("initdb").exists()))
        .expect("these tests need a PostgreSQL server: install Debian's `postgresql` (scripts/test does), or put `initdb` on PATH")
}

/// Whom to run the server as; PostgreSQL refuses root.
fn unprivileged() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
    let user = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2);
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    };
    Some(
        user("postgres")
            .or_else(|| user("nobody"))
            .expect("root needs a user `postgres` or `nobody` to run PostgreSQL as"),
    )
}

fn must(output: std::io::Result<Output>, what: &str) -> Output {
    let output = output.unwrap_or_else(|error| panic!("{what} cannot be run: {error}"));
    assert!(output.status.success(), "{what} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}
