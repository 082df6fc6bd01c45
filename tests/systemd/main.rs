//! The units of `packaging/` under a real systemd: `systemctl start | reload | stop`, a crash and a hang. What the daemon
//! does by itself is tested elsewhere.

mod boot;

use std::path::Path;
use std::process::Command;

use boot::Machine;

/// A job with one date, due at once, that runs until it is stopped and reports its process.
const LONG_JOB: &str = r#"
[daemon]
stop_grace = "1s"

[jobs.long]
ONE_DATE
command  = "echo $$ > /report/pid; exec sleep 1000"
"#;

/// A job that fails and is retried every second; each attempt writes a line.
const BEATING_JOB: &str = r#"
[jobs.beats]
ONE_DATE
retry    = { after = "1s", factor = 1 }
command  = "echo beat >> /report/beats; exit 1"
"#;

#[test]
fn systemd_finds_no_fault_with_the_units() {
    let Some(machine) = Machine::with_registry(LONG_JOB) else { return };
    let report = machine.run(
        r"
        systemd-analyze verify crontabber.service crontabber-warden.{service,socket} >/report/verify 2>&1 &&
            say verify ok $(</report/verify)
        systemctl enable --now crontabber 2>/dev/null
        say enabled $(systemctl is-enabled crontabber)
        ",
    );
    report.expect(&[("verify", "ok"), ("enabled", "enabled")]);
}

#[test]
fn the_unit_is_active_once_the_ledger_is_open() {
    let registry = r#"
[daemon]
ledger = "postgres:///postgres?host=/run/postgres-of-the-test&user=postgres"

[jobs.beats]
every   = "1d"
command = "true"
"#;
    let Some(machine) = Machine::with_registry(registry) else { return };
    let report = machine.run(
        r#"
        PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
        install -d -o postgres -m 755 /run/postgres-of-the-test /tmp/database
        as_postgres() { setpriv --reuid postgres --regid postgres --clear-groups -- env --chdir=/tmp PATH="$PATH" "$@"; }
        as_postgres initdb --no-sync --no-locale --auth=trust --pgdata /tmp/database >/report/initdb

        systemctl start --no-block crontabber
        has_tried() { journalctl --unit crontabber.service --output cat | grep -i postgres; }
        wait_for has_tried
        say before $(show ActiveState) $(show SubState)
        echo "unix_socket_directories = '/run/postgres-of-the-test'" >>/tmp/database/postgresql.conf
        as_postgres pg_ctl start -w -D /tmp/database -l /tmp/log -o '-c listen_addresses=' >/report/pg_ctl
        wait_for is ActiveState active
        say after $(show ActiveState) $(show SubState) $(show NRestarts)
        "#,
    );
    report.expect(&[("before", "activating start"), ("after", "active running 0")]);
}

#[test]
fn a_reload_adds_a_job() {
    let Some(machine) = Machine::with_registry(BEATING_JOB) else { return };
    let report = machine.run(
        r#"
        systemctl start crontabber
        before=$(show MainPID)
        cat >>/etc/crontabber/jobs.toml <<'END'
[jobs.second]
every    = "1d"
start    = 2026-01-01
end      = 2026-01-01
backfill = true
command  = "touch /report/second"
END
        systemctl reload crontabber
        wait_for test -e /report/second
        wait_for is ActiveState active
        # `0 running, 1 behind`
        wait_for status_has ' running, '
        [[ $before == $(show MainPID) ]] && say same_process yes
        "#,
    );
    report.expect(&[("same_process", "yes")]);
}

#[test]
fn a_reload_refuses_a_registry_with_a_mistake_and_the_old_one_stays() {
    let Some(machine) = Machine::with_registry(BEATING_JOB) else { return };
    let report = machine.run(
        r"
        beats() { wc -l </report/beats; }
        more_beats_than() { (($(beats) > $1)); }
        systemctl start crontabber
        wait_for test -s /report/beats
        sed -i 's/^every/evry/' /etc/crontabber/jobs.toml

        systemctl reload crontabber && say reload succeeded || say reload failed
        wait_for is ActiveState active

        # Without the check of systemctl, the daemon itself refuses it.
        systemctl kill --signal=HUP --kill-who=main crontabber
        has_refused() { journalctl _PID=$(show MainPID) --output cat | grep evry; }
        wait_for has_refused
        wait_for more_beats_than $(beats)
        say then $(show ActiveState) $(show NRestarts)
        ",
    );
    report.expect(&[("reload", "failed"), ("then", "active 0")]);
}

#[test]
fn a_stop_leaves_a_job_to_the_warden_after_its_grace_and_a_stop_of_the_warden_ends_the_job() {
    let Some(machine) = Machine::with_registry(LONG_JOB) else { return };
    let report = machine.run(
        r"
        systemctl start crontabber
        wait_for test -s /report/pid
        say job $(stat --format %U /proc/$(</report/pid))
        began=$EPOCHREALTIME
        systemctl stop crontabber
        ended=$EPOCHREALTIME
        say milliseconds $(((${ended/./} - ${began/./}) / 1000))
        say unit $(show ActiveState) $(show Result)
        kill -0 $(</report/pid) && say job_lives yes
        attempts long
        say left $(</tmp/outcomes)

        systemctl stop crontabber-warden
        kill -0 $(</report/pid) 2>/dev/null && say job_lives_on yes || say job_lives_on no
        say warden $(systemctl show --property Result --value crontabber-warden)
        systemctl start crontabber
        wait_for has_outcomes long interrupted running
        ",
    );
    report.expect(&[
        ("job", "crontabber"),
        ("unit", "inactive success"),
        ("job_lives", "yes"),
        ("left", "running"),
        ("job_lives_on", "no"),
        ("warden", "success"),
        ("outcomes", "interrupted running"),
    ]);
    let milliseconds: u64 = report.said("milliseconds").parse().expect("a number");
    assert!((1_000..10_000).contains(&milliseconds), "a stop with a grace of 1 s took {milliseconds} ms");
}

/// A job that runs until a file exists, and reports its process and its control group.
const PATIENT_JOB: &str = r#"
[daemon]
stop_grace = "0s"

[jobs.patient]
ONE_DATE
command  = "echo $$ >> /report/pids; cat /proc/self/cgroup > /report/group; while ! test -e /report/go; do sleep 0.05; done; echo bye"
"#;

#[test]
fn a_job_outlives_two_restarts_and_an_upgrade() {
    let Some(machine) = Machine::with_registry(PATIENT_JOB) else { return };
    let report = machine.run(
        r#"
        systemctl start crontabber
        wait_for test -s /report/pids
        systemctl restart crontabber
        systemctl restart crontabber
        say before $(crontabber --version)
        # Another file takes the place of the program; running processes keep the old one.
        sed 's/0\.1\.0/0.1.9/g' /usr/bin/crontabber >/tmp/newer
        chmod 755 /tmp/newer
        mount --bind /tmp/newer /usr/bin/crontabber
        say after $(crontabber --version)
        systemctl restart crontabber
        speaks() { journalctl --unit "$1" --output cat | grep "$2"; }
        wait_for speaks crontabber.service 'crontabber 0.1.9 with'
        kill -0 $(</report/pids) && say job_lives yes
        touch /report/go
        wait_for has_outcomes patient succeeded
        say started $(wc -l </report/pids)
        # No job runs: a warden of the new version replaces the old one.
        wait_for speaks crontabber-warden.service 'serves.*0.1.9'
        say restarts $(show NRestarts)
        say lost $(journalctl --output cat | grep -c lost)
        crontabber --version >/dev/null
        STATE_DIRECTORY=/var/lib/crontabber crontabber --config /etc/crontabber/jobs.toml verify >/report/verified &&
            say verified yes
        "#,
    );
    report.expect(&[
        ("job_lives", "yes"),
        ("outcomes", "succeeded"),
        ("started", "1"),
        ("restarts", "0"),
        ("lost", "0"),
        ("verified", "yes"),
    ]);
    assert!(report.said("before").contains("0.1.0") && report.said("after").contains("0.1.9"));
}

#[test]
fn a_job_whose_warden_is_killed_is_waited_for_and_not_started_twice() {
    let Some(machine) = Machine::with_registry(PATIENT_JOB) else { return };
    let report = machine.run(
        r#"
        systemctl start crontabber
        wait_for test -s /report/pids
        first=$(systemctl show --property MainPID --value crontabber-warden)
        kill -KILL "$first"
        is_another() { [[ $(systemctl show --property MainPID --value crontabber-warden) != @(0|$first) ]]; }
        shopt -s extglob
        wait_for is_another
        kill -0 $(</report/pids) && say job_lives yes
        is_noticed() { journalctl --unit crontabber.service --output cat | grep 'there is a warden again'; }
        wait_for is_noticed
        say started $(wc -l </report/pids)
        touch /report/go
        wait_for has_outcomes patient lost succeeded
        say daemon $(show ActiveState) $(show NRestarts)
        "#,
    );
    report.expect(&[("job_lives", "yes"), ("started", "1"), ("outcomes", "lost succeeded"), ("daemon", "active 0")]);
}

#[test]
fn a_job_has_a_control_group_of_its_own_which_ends_with_its_time_limit() {
    let registry = r#"
[jobs.escapes]
ONE_DATE
timeout  = "1s"
kill_grace = "200ms"
retry    = { after = "1h" }
command  = "cat /proc/self/cgroup > /report/group; setsid sh -c 'trap : TERM; echo $$ > /report/escaped; while :; do sleep 1; done' & while :; do :; done"
"#;
    let Some(machine) = Machine::with_registry(registry) else { return };
    let report = machine.run(
        r#"
        systemctl start crontabber
        wait_for has_outcomes escapes timed-out
        say group $(grep -c 'crontabber-warden.service/attempt-' /report/group)
        kill -0 $(</report/escaped) 2>/dev/null && say escaped lives || say escaped ended
        is_gone() { ! compgen -G '/sys/fs/cgroup/system.slice/crontabber-warden.service/attempt-*'; }
        wait_for is_gone
        say cpu $(grep -oE '"cpu_(user|system)_seconds": *[0-9.]+' /report/attempts | grep -oE '[0-9.]+$')
        say memory $(grep -oE '"peak_memory_bytes": *[0-9]+' /report/attempts | grep -oE '[0-9]+$')
        "#,
    );
    report.expect(&[("group", "1"), ("escaped", "ended")]);
    let cpu: f64 = report.said("cpu").split(' ').map(|part| part.parse::<f64>().expect("seconds")).sum();
    // On a busy machine it gets a small part of a processor.
    assert!((0.05..3.0).contains(&cpu), "a job that was busy for a second took {cpu} s of the processor");
    assert!(report.said("memory").parse::<u64>().expect("bytes") > 100_000);
}

#[test]
fn jobs_have_the_environment_and_the_sandbox_of_the_wardens_unit_and_nothing_of_the_daemons() {
    let registry = r#"
[jobs.looks]
ONE_DATE
environment = { OF_THE_JOB = "yes" }
command  = "env > /report/environment; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status > /report/status-of-job; ls -l /proc/self/fd > /report/descriptors"
"#;
    let Some(machine) = Machine::with_registry(registry) else { return };
    let machine = machine
        .with_lines_for("crontabber-warden", "Environment=OF_THE_WARDEN=yes")
        .with_service_lines("Environment=OF_THE_DAEMON=yes");
    let report = machine.run(
        r"
        systemctl start crontabber
        wait_for has_outcomes looks succeeded
        say of $(grep -o '^OF_THE_[A-Z]*' /report/environment | sort)
        say ours $(grep -cE '^(NOTIFY_SOCKET|LISTEN_|WATCHDOG_|SYSTEMD_EXEC_PID|JOURNAL_STREAM)' /report/environment)
        say job $(tr -d '\t' </report/status-of-job)
        say daemon $(grep -E '^(NoNewPrivs|Seccomp):' /proc/$(show MainPID)/status | tr -d '\t')
        say descriptors $(grep -c socket /report/descriptors)
        ",
    );
    report.expect(&[
        ("of", "OF_THE_JOB OF_THE_WARDEN"),
        ("ours", "0"),
        ("job", "NoNewPrivs:0 Seccomp:0"),
        ("daemon", "NoNewPrivs:1 Seccomp:2"),
        ("descriptors", "0"),
    ]);
}

#[test]
fn the_daemon_is_exposed_to_at_most_2_5() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/crontabber.service");
    let analyze =
        Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=25"]).arg(unit).output();
    let analyze = analyze.expect("systemd-analyze is installed with systemd");
    let said = String::from_utf8_lossy(&analyze.stdout);
    assert!(analyze.status.success(), "{said}");
    assert!(said.contains("Overall exposure level"), "{said}");
}

#[test]
fn a_daemon_with_an_invalid_registry_exits_with_78_and_is_not_restarted() {
    let Some(machine) = Machine::with_registry("[jobs.a]\nscedule = \"0 3 * * *\"\ncommand = \"true\"\n") else {
        return;
    };
    let report = machine.run(
        r"
        systemctl start crontabber && say start succeeded || say start failed
        say unit $(show ActiveState) $(show Result) $(show ExecMainStatus) $(show NRestarts)
        ",
    );
    report.expect(&[("start", "failed"), ("unit", "failed exit-code 78 0")]);
}

#[test]
fn a_daemon_that_hangs_is_restarted_by_the_watchdog_and_one_that_idles_is_not() {
    let registry = "[jobs.idle]\nevery = \"1d\"\ncommand = \"true\"\n";
    let Some(machine) = Machine::with_registry(registry) else { return };
    let report = machine.with_service_lines("WatchdogSec=1s\nRestartSec=100ms").run(
        r"
        systemctl start crontabber
        # Longer than two watchdog periods: the daemon has sent its sign of life.
        sleep 2.5
        say idle $(show ActiveState) $(show NRestarts)
        hung=$(show MainPID)
        kill -STOP $hung
        wait_for is NRestarts 1
        wait_for is ActiveState active
        [[ $hung != $(show MainPID) ]] && say new_process yes
        journalctl --unit crontabber.service --output cat | grep -q 'Watchdog timeout' && say why watchdog
        ",
    );
    report.expect(&[("idle", "active 0"), ("new_process", "yes"), ("why", "watchdog")]);
}

#[test]
fn a_daemon_that_is_killed_comes_back_to_its_running_job() {
    let Some(machine) = Machine::with_registry(PATIENT_JOB) else { return };
    let report = machine.with_service_lines("RestartSec=100ms").run(
        r"
        systemctl start crontabber
        wait_for test -s /report/pids
        systemctl kill --signal=KILL --kill-who=main crontabber
        wait_for is NRestarts 1
        wait_for is ActiveState active
        kill -0 $(</report/pids) && say job lives
        touch /report/go
        wait_for has_outcomes patient succeeded
        say started $(wc -l </report/pids)
        ",
    );
    report.expect(&[("job", "lives"), ("outcomes", "succeeded"), ("started", "1")]);
}

#[test]
fn the_files_of_the_daemon_are_private() {
    let Some(machine) = Machine::with_registry(BEATING_JOB) else { return };
    let report = machine.run(
        r"
        systemctl start crontabber
        wait_for test -s /report/beats
        cd /var/lib/crontabber
        say directory $(stat --format '%a %U' .)
        say ledger $(stat --format '%a %U' ledger.db)
        say others $(find . -mindepth 1 ! -user crontabber -o -type f -perm /077 | sort)
        say daemon $(stat --format %U /proc/$(show MainPID))
        ",
    );
    report.expect(&[
        ("directory", "700 crontabber"),
        ("ledger", "600 crontabber"),
        ("others", ""),
        ("daemon", "crontabber"),
    ]);
}

#[test]
fn the_journal_can_be_filtered_by_job() {
    let Some(machine) = Machine::with_registry(BEATING_JOB) else { return };
    let report = machine.run(
        r#"
        systemctl start crontabber
        of_the_job() { journalctl CRONTABBER_JOB=beats CRONTABBER_OUTCOME=failed CRONTABBER_ATTEMPT=1 --output "$1"; }
        is_there() { of_the_job cat | grep beats; }
        wait_for is_there
        of_the_job json >/report/entry
        for field in CRONTABBER_DATE _SYSTEMD_UNIT SYSLOG_IDENTIFIER PRIORITY MESSAGE; do
            say "$field" "$(sed -n "s/.*\"$field\":\"\([^\"]*\)\".*/\1/p" /report/entry)"
        done
        "#,
    );
    report.expect(&[
        ("CRONTABBER_DATE", "2026-01-01T00:00:00+00:00"),
        ("_SYSTEMD_UNIT", "crontabber.service"),
        ("SYSLOG_IDENTIFIER", "crontabber"),
        ("PRIORITY", "4"),
    ]);
    assert!(report.said("MESSAGE").starts_with("beats: 2026-01-01"), "the message is `{}`", report.said("MESSAGE"));
}
