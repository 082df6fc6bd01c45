//! The unit of `packaging/` under a real systemd: what an operator gets from `systemctl start | reload | stop`, from a
//! crash and from a hang. What the daemon does by itself is tested elsewhere.

#[path = "systemd/boot.rs"]
mod boot;

use boot::Machine;

/// A job whose one date is due at once and which goes on until it is stopped; it reports its process.
const LONG_JOB: &str = r#"
[daemon]
stop_grace = "1s"

[jobs.long]
every    = "1d"
start    = 2026-01-01
end      = 2026-01-01
backfill = true
command  = "echo $$ > /report/pid; exec sleep 1000"
"#;

/// A job that fails and is attempted again every second; each attempt leaves a line.
const BEATING_JOB: &str = r#"
[jobs.beats]
every    = "1d"
start    = 2026-01-01
end      = 2026-01-01
backfill = true
retry    = { after = "1s", factor = 1 }
command  = "echo beat >> /report/beats; exit 1"
"#;

#[test]
fn the_unit_is_one_that_systemd_has_nothing_to_say_about() {
    let Some(machine) = Machine::with_registry(LONG_JOB) else { return };
    let report = machine.run(
        r"
        systemd-analyze verify crontabber.service >/report/verify 2>&1 && say verify ok $(</report/verify)
        systemctl enable --now crontabber 2>/dev/null
        say enabled $(systemctl is-enabled crontabber)
        ",
    );
    report.expect(&[("verify", "ok"), ("enabled", "enabled")]);
}

#[test]
fn it_is_active_only_once_its_ledger_is_open() {
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
fn a_reload_takes_up_a_new_job() {
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
fn a_registry_with_a_mistake_is_refused_at_reload_and_the_old_one_stays() {
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

        # Without systemctl's check first, the daemon has to refuse it by itself.
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
fn a_stop_gives_a_running_job_its_grace_and_leaves_no_process() {
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
        kill -0 $(</report/pid) 2>/dev/null && say left_over yes || say left_over no
        attempts long
        ",
    );
    report.expect(&[
        ("job", "crontabber"),
        ("unit", "inactive success"),
        ("left_over", "no"),
        ("outcomes", "interrupted"),
    ]);
    let milliseconds: u64 = report.said("milliseconds").parse().expect("a number");
    assert!((1_000..10_000).contains(&milliseconds), "a stop with a grace of 1 s took {milliseconds} ms");
}

#[test]
fn a_registry_with_a_mistake_ends_it_with_78_and_it_is_not_restarted() {
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
        # Two and a half times its watchdog: the daemon has to have said that it lives.
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
fn a_daemon_that_dies_takes_its_job_along_and_the_date_is_attempted_again() {
    let Some(machine) = Machine::with_registry(LONG_JOB) else { return };
    let report = machine.with_service_lines("RestartSec=100ms").run(
        r#"
        systemctl start crontabber
        wait_for test -s /report/pid
        first=$(</report/pid)
        systemctl kill --signal=KILL --kill-who=main crontabber
        is_another() { (($(</report/pid) != first)); }
        wait_for is_another
        kill -0 "$first" 2>/dev/null && say first still there || say first gone
        say then $(show ActiveState) $(show NRestarts)
        attempts long
        "#,
    );
    report.expect(&[("first", "gone"), ("then", "active 1"), ("outcomes", "lost running")]);
}

#[test]
fn its_files_are_for_its_user_alone() {
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
fn the_journal_can_be_asked_for_a_job() {
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
        ("CRONTABBER_DATE", "2026-01-01 00:00+00:00"),
        ("_SYSTEMD_UNIT", "crontabber.service"),
        ("SYSLOG_IDENTIFIER", "crontabber"),
        ("PRIORITY", "4"),
    ]);
    assert!(report.said("MESSAGE").starts_with("beats: 2026-01-01"), "the message is `{}`", report.said("MESSAGE"));
}
