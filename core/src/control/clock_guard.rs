//! Whether the wall clock is believed. One that is far ahead of what was last seen may be wrong: no new date is recorded
//! until it has run on for a while, a person confirms it, or it is set right.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::input::Time;
use crate::session::ClockHold;

/// The clock must run on for this part of what it is ahead: 20 seconds for a day. An outage of days costs a minute, and a
/// clock that is years ahead, which hardly any outage explains, leaves a person or NTP hours to set it right.
const PART: i32 = 4320;

/// The two clocks agree if they differ by less since they were compared: NTP slews the wall clock.
const TOLERANCE: TimeDelta = TimeDelta::seconds(5);

/// Judges the wall clock by the monotonic one.
#[derive(Debug)]
pub(super) struct ClockGuard {
    /// How far ahead the clock may jump; absent if it is always believed.
    guard: Option<TimeDelta>,
    /// The newest time that was believed.
    seen: DateTime<Utc>,
    /// Since when the two clocks have agreed.
    agreed_since: Time,
    now: Time,
}

impl ClockGuard {
    /// `seen` is what the last process believed.
    pub(super) fn new(guard: Option<Duration>, seen: Option<DateTime<Utc>>, time: Time) -> Self {
        let seen = seen.unwrap_or(time.wall);
        let mut clock = Self { guard: None, seen, agreed_since: time, now: time };
        clock.set_guard(guard);
        clock.see(time);
        clock
    }

    pub(super) fn set_guard(&mut self, guard: Option<Duration>) {
        self.guard = guard.and_then(|guard| TimeDelta::from_std(guard).ok());
    }

    /// Takes the time by both clocks; returns whether the wall clock was set since the last time.
    pub(super) fn see(&mut self, time: Time) -> bool {
        self.now = time;
        let wall = time.wall - self.agreed_since.wall;
        let is_set = (wall - self.elapsed()).abs() > TOLERANCE;
        if is_set {
            self.agreed_since = time;
        }
        // A clock that is behind may not be set yet, as at the boot of a machine that keeps no time.
        let is_near = time.wall >= self.seen && !self.is_held();
        if is_near || time.monotonic >= self.believed_at() {
            self.seen = time.wall;
        }
        is_set
    }

    /// A person says that the clock is right.
    pub(super) fn confirm(&mut self) {
        self.seen = self.now.wall;
    }

    /// The wall clock, believed or not.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.now.wall
    }

    /// The newest time that was believed.
    pub(super) fn seen(&self) -> DateTime<Utc> {
        self.seen
    }

    /// Whether the clock is too far ahead to be believed.
    pub(super) fn is_held(&self) -> bool {
        self.guard.is_some_and(|guard| self.ahead() > guard)
    }

    /// Until when the clock is not believed, if it is too far ahead.
    pub(super) fn hold(&self) -> Option<ClockHold> {
        let wait = || TimeDelta::from_std(self.wait()).ok();
        let believed_at = || wait().and_then(|wait| self.now.wall.checked_add_signed(wait));
        let believed_at = || believed_at().unwrap_or(DateTime::<Utc>::MAX_UTC);
        self.is_held().then(|| ClockHold { seen: self.seen, believed_at: believed_at() })
    }

    /// How far the clock is ahead of what was last believed.
    fn ahead(&self) -> TimeDelta {
        self.now.wall - self.seen
    }

    /// When the clock is believed if it runs on, by the monotonic clock.
    pub(super) fn believed_at(&self) -> Duration {
        self.agreed_since.monotonic.saturating_add(self.whole_wait())
    }

    /// How long that is from now.
    fn wait(&self) -> Duration {
        self.believed_at().saturating_sub(self.now.monotonic)
    }

    fn whole_wait(&self) -> Duration {
        (self.ahead().abs() / PART).to_std().unwrap_or(Duration::MAX)
    }

    fn elapsed(&self) -> TimeDelta {
        let elapsed = self.now.monotonic.saturating_sub(self.agreed_since.monotonic);
        TimeDelta::from_std(elapsed).unwrap_or(TimeDelta::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    /// A time that is so many seconds after the first, by the wall clock and by the other.
    fn time(wall: i64, monotonic: u64) -> Time {
        let wall = DateTime::from_timestamp(1_793_880_000 + wall, 0).expect("an instant");
        Time { wall, monotonic: Duration::from_secs(10_000 + monotonic) }
    }

    fn seconds(days: u64) -> i64 {
        i64::try_from(days * DAY).expect("a few")
    }

    fn guard(seen: Option<i64>, wall: i64) -> ClockGuard {
        ClockGuard::new(Some(Duration::from_secs(DAY)), seen.map(|seen| time(seen, 0).wall), time(wall, 0))
    }

    #[test]
    fn a_day_ahead_is_believed_and_three_days_after_a_minute() {
        let mut clock = guard(None, 0);
        clock.see(time(seconds(1), 1));
        assert!(!clock.is_held() && clock.seen() == time(seconds(1), 0).wall);
        clock.see(time(seconds(4), 2));
        assert!(clock.is_held() && clock.seen() == time(seconds(1), 0).wall);
        assert_eq!(clock.wait(), Duration::from_mins(1));
        let hold = ClockHold { seen: time(seconds(1), 0).wall, believed_at: time(seconds(4) + 60, 0).wall };
        assert_eq!(clock.hold(), Some(hold));
        clock.see(time(seconds(4) + 59, 61));
        assert!(clock.is_held());
        assert_eq!(clock.hold().expect("held").wait(time(seconds(4) + 59, 0).wall), Duration::from_secs(1));
        clock.see(time(seconds(4) + 61, 63));
        assert!(!clock.is_held() && clock.seen() == time(seconds(4) + 61, 0).wall);
    }

    #[test]
    fn ten_years_ahead_leave_hours_to_set_the_clock_right() {
        let mut clock = guard(Some(0), seconds(3652));
        assert!(clock.wait() > Duration::from_hours(20));
        clock.see(time(seconds(3652) + 3600, 3600));
        assert!(clock.is_held());
        clock.see(time(3601, 3601));
        assert!(!clock.is_held() && clock.seen() == time(3601, 0).wall);
    }

    #[test]
    fn a_clock_that_is_set_again_begins_to_run_on_anew() {
        let mut clock = guard(Some(0), seconds(3));
        clock.see(time(seconds(5) + 50, 50));
        assert_eq!(clock.wait().as_secs(), 100, "20 s for each of five days");
        clock.see(time(seconds(5) + 140, 140));
        assert!(clock.is_held());
    }

    #[test]
    fn a_process_that_was_stopped_for_days_believes_its_clock() {
        let mut clock = guard(None, 0);
        clock.see(time(seconds(9), 9 * DAY));
        assert!(!clock.is_held());
    }

    #[test]
    fn a_clock_that_is_behind_at_boot_does_not_lower_what_was_seen() {
        let mut clock = guard(Some(seconds(2000)), 0);
        clock.see(time(600, 600));
        assert!(!clock.is_held());
        // NTP sets it.
        clock.see(time(seconds(2000) + 700, 601));
        assert!(!clock.is_held() && clock.seen() == time(seconds(2000) + 700, 0).wall);
        // One that was ahead and is right again is seen as it is, in time.
        clock.see(time(seconds(1998), 700));
        clock.see(time(seconds(1998) + 60, 760));
        assert_eq!(clock.seen(), time(seconds(1998) + 60, 0).wall);
    }

    #[test]
    fn a_person_and_a_guard_that_is_off_believe_every_clock() {
        let mut clock = guard(Some(0), seconds(3652));
        clock.confirm();
        assert!(!clock.is_held());
        clock.see(time(seconds(9000), 1));
        assert!(clock.is_held());
        clock.set_guard(None);
        clock.see(time(seconds(9000) + 1, 2));
        assert!(!clock.is_held() && clock.seen() == time(seconds(9000) + 1, 0).wall);
    }
}
