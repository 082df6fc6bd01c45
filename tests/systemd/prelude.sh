#!/bin/bash
# What every driver begins with. What it says is read by the test; what it traces is shown when the test fails.
set -euo pipefail
exec 2>/report/trace
set -x

# say KEY VALUE…: one finding for the test.
say() { printf '%s=%s\n' "$1" "${*:2}" >>/report/said; }

# show PROPERTY: one property of the unit under test.
show() { systemctl show --property "$1" --value crontabber.service; }

# wait_for COMMAND…: returns as soon as it succeeds; gives up after 15 seconds, which fails the test.
wait_for() {
    local deadline=$((SECONDS + 15))
    { set +x; } 2>/dev/null
    while ((SECONDS < deadline)); do
        if "$@" >/dev/null 2>&1; then
            set -x
            return 0
        fi
        sleep 0.02
    done
    set -x
    say gave_up "$*"
    return 1
}

# is PROPERTY VALUE: for wait_for.
is() { [[ $(show "$1") == "$2" ]]; }

# status_has TEXT: for wait_for.
status_has() { [[ $(show StatusText) == *"$1"* ]]; }

# attempts JOB: says `outcomes`, one word for each of its attempts.
attempts() {
    STATE_DIRECTORY=/var/lib/crontabber crontabber --config /etc/crontabber/jobs.toml attempts "$1" --json |
        tee /report/attempts | grep -o '"outcome": *[a-z"-]*' | sed 's/.*: *//; s/"//g; s/null/running/' | xargs >/tmp/outcomes
    say outcomes "$(</tmp/outcomes)"
}

# has_outcomes JOB WORDS…: for wait_for.
has_outcomes() {
    attempts "$1"
    [[ $(</tmp/outcomes) == "${*:2}" ]]
}

at_the_end() {
    local status=$?
    ((status)) || say driver finished
    journalctl --unit 'crontabber*' --output short-precise --no-pager >/report/journal
    systemctl status --no-pager --full 'crontabber*' >/report/status || true
}
trap at_the_end EXIT
