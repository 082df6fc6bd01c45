//! Boots a machine of the test's own under a real systemd, with the program under test installed as its package would
//! install it, and hands back what a script in there saw.
//!
//! One machine a test: it takes half a second, and no test sees what another one left. It needs root; where it cannot be
//! had, the test is reported as not run, by name, and never passes in silence. It never touches the host's own services.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The whole life of a machine; a boot takes half a second and a scenario a few.
const AT_MOST_SECONDS: &str = "60";

const SIGINT: i32 = 2;

/// A machine before it is booted.
pub(crate) struct Machine {
    folder: TempDir,
}

/// What the driver saw.
pub(crate) struct Report {
    said: BTreeMap<String, String>,
    evidence: String,
}

impl Machine {
    /// A machine with the unit and the user of `packaging/`, and `registry` as its `/etc/crontabber/jobs.toml`; `ONE_DATE`
    /// in it stands for a schedule with one date, due at once. `None` where no machine can be had.
    pub(crate) fn with_registry(registry: &str) -> Option<Self> {
        if let Some(reason) = why_not() {
            assert!(std::env::var_os("CI").is_none(), "a machine under systemd cannot be had: {reason}");
            let test = std::thread::current().name().unwrap_or("systemd").to_owned();
            // Not by `eprintln!`, which the test runner hides when a test passes.
            writeln!(std::io::stderr(), "not run: {test}: {reason}").expect("stderr is open");
            return None;
        }
        let folder = TempDir::with_prefix("crontabber-machine-").expect("a temporary directory can be made");
        let machine = Self { folder };
        machine.put("driver", "");
        machine.put("report/said", "");
        // The jobs report too, and they are not root.
        let everybody = fs::Permissions::from_mode(0o1777);
        fs::set_permissions(machine.folder.path().join("report"), everybody).expect("the folder is ours");
        machine.put("etc/systemd/system/default.target", include_str!("box.target"));
        machine.put("etc/systemd/system/driver.service", include_str!("driver.service"));
        machine.put("etc/systemd/journald.conf.d/box.conf", "[Journal]\nStorage=volatile\nReadKMsg=no\n");
        for (unit, text) in [
            ("crontabber.service", include_str!("../../packaging/crontabber.service")),
            ("crontabber-warden.service", include_str!("../../packaging/crontabber-warden.service")),
            ("crontabber-warden.socket", include_str!("../../packaging/crontabber-warden.socket")),
        ] {
            machine.put(&format!("etc/systemd/system/{unit}"), text);
        }
        machine.put("etc/sysusers.d/crontabber.conf", include_str!("../../packaging/crontabber.sysusers"));
        let one_date = "every = \"1d\"\nstart = 2026-01-01\nend = 2026-01-01\nbackfill = true";
        machine.put("etc/crontabber/jobs.toml", &registry.replace("ONE_DATE", one_date));
        Some(machine)
    }

    /// Adds the lines of a drop-in to the `[Service]` section of the unit.
    #[must_use]
    pub(crate) fn with_service_lines(self, lines: &str) -> Self {
        self.with_lines_for("crontabber", lines)
    }

    /// Adds the lines of a drop-in to the `[Service]` section of a unit.
    #[must_use]
    pub(crate) fn with_lines_for(self, unit: &str, lines: &str) -> Self {
        self.put(&format!("etc/systemd/system/{unit}.service.d/test.conf"), &format!("[Service]\n{lines}\n"));
        self
    }

    /// Boots, runs `driver` (bash, after `prelude.sh`), and returns what it saw once the machine is off.
    pub(crate) fn run(self, driver: &str) -> Report {
        self.put("driver", &format!("{}\n{driver}", include_str!("prelude.sh")));
        let boot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systemd/boot.sh");
        let output = Command::new("unshare")
            .args(["--mount", "bash"])
            .arg(boot)
            .arg(self.folder.path())
            .arg(env!("CARGO_BIN_EXE_crontabber"))
            .arg(AT_MOST_SECONDS)
            .stdin(Stdio::null())
            .output()
            .expect("`unshare` of util-linux is installed");
        let report = Report::read(&self.folder.path().join("report"), &output.stderr);
        // A machine that powers itself off ends its PID 1 by SIGINT.
        let is_off = output.status.code() == Some(128 + SIGINT);
        assert!(is_off, "the machine ended with {}, not by powering itself off\n{}", output.status, report.evidence);
        assert_eq!(report.said("driver"), "finished", "the driver failed\n{}", report.evidence);
        report
    }

    fn put(&self, path: &str, content: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a path in the folder")).expect("the folder is ours");
        fs::write(path, content).expect("the folder is ours");
    }
}

impl Report {
    fn read(folder: &Path, boot: &[u8]) -> Self {
        let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let said = text("said");
        let mut evidence = format!("--- boot\n{}", String::from_utf8_lossy(boot));
        for file in ["said", "trace", "status", "journal"] {
            evidence.extend(["--- ", file, "\n", &text(file)]);
        }
        let said = said.lines().filter_map(|line| line.split_once('='));
        Self { said: said.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(), evidence }
    }

    /// What the driver said last about `key`; empty if it said nothing.
    pub(crate) fn said(&self, key: &str) -> &str {
        self.said.get(key).map_or("", String::as_str)
    }

    /// Asserts what the driver said about each key, and shows all that happened where it said something else.
    #[track_caller]
    pub(crate) fn expect(&self, expected: &[(&str, &str)]) {
        for (key, value) in expected {
            assert_eq!(self.said(key), *value, "`{key}` differs\n{}", self.evidence);
        }
    }
}

/// Why no machine can be had here.
fn why_not() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("it boots a systemd of its own, which needs root");
    }
    assert!(Path::new("/lib/systemd/systemd").exists(), "install Debian's `systemd`, which the machine boots");
    let namespaces = ["--mount", "--pid", "--cgroup", "--net", "--fork", "mount", "--make-rprivate", "/"];
    let allowed = Command::new("unshare").args(namespaces).output().is_ok_and(|output| output.status.success());
    (!allowed).then_some("this root may not make namespaces and mounts (a container without privileges?)")
}
