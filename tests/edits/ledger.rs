//! What the ledger has, read with SQL from its views and from the tables that have none.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};

use crate::lab::Lab;
use crate::rules::At;

/// A date of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) zone: Tz,
    /// Its state, and its reason if it is skipped or held: `skipped: moved`.
    pub(crate) state: String,
    pub(crate) trigger: String,
    pub(crate) attempts: i64,
}

impl Row {
    /// Whether an edit took the date out of the schedule.
    pub(crate) fn is_out(&self) -> bool {
        matches!(self.state.as_str(), "skipped: excluded" | "skipped: moved")
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.state == "succeeded" || self.state.starts_with("skipped")
    }
}

/// A job of the ledger, with its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct JobRows {
    /// The name of today.
    pub(crate) name: String,
    /// The timetable in force, as text.
    pub(crate) timetable: String,
    /// Whether it is backfillable as the ledger knows it.
    pub(crate) is_backfillable: bool,
    pub(crate) watermark: Option<At>,
    /// Who disabled it: a person, or crontabber itself.
    pub(crate) disabled_by: Option<String>,
    pub(crate) rows: BTreeMap<At, Row>,
}

/// All jobs of the ledger, by the name under which each was entered.
pub(crate) type Rows = BTreeMap<String, JobRows>;

#[derive(QueryableByName)]
struct JobLine {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    stable_name: String,
    #[diesel(sql_type = Text)]
    timetable: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    complete_after: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    watermark: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    disabled_by: Option<String>,
}

#[derive(QueryableByName)]
struct SessionLine {
    #[diesel(sql_type = Text)]
    job: String,
    #[diesel(sql_type = Text)]
    date: String,
    #[diesel(sql_type = Text)]
    zone: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Text)]
    trigger: String,
    #[diesel(sql_type = BigInt)]
    attempts: i64,
}

const JOBS: &str = "SELECT name, stable_name, timetable, complete_after, watermark, disabled.user_name AS disabled_by \
                    FROM jobs LEFT JOIN disabled ON disabled.job_id = jobs.id";

const SESSIONS: &str = "SELECT job, date, zone, state || ifnull(': ' || reason, '') AS state, trigger, attempts \
                        FROM readable_sessions";

/// Reads the ledger of a lab; empty if there is none yet.
pub(crate) fn read(lab: &Lab) -> Rows {
    let file = lab.path("ledger.db");
    if !file.exists() {
        return Rows::new();
    }
    let mut ledger = SqliteConnection::establish(&file.display().to_string()).expect("the ledger can be opened");
    let (jobs, sessions) = ledger
        .transaction::<(Vec<JobLine>, Vec<SessionLine>), diesel::result::Error, _>(|ledger| {
            Ok((sql_query(JOBS).load(ledger)?, sql_query(SESSIONS).load(ledger)?))
        })
        .expect("the ledger can be read");
    let mut rows = Rows::new();
    let mut names = BTreeMap::new();
    for JobLine { name, stable_name, timetable, complete_after, watermark, disabled_by } in jobs {
        let watermark = watermark.map(|micros| DateTime::<Utc>::from_timestamp_micros(micros).expect("an instant"));
        names.insert(name.clone(), stable_name.clone());
        let is_backfillable = complete_after.is_some();
        let job = JobRows { name, timetable, is_backfillable, watermark, disabled_by, rows: BTreeMap::new() };
        rows.insert(stable_name, job);
    }
    for SessionLine { job, date, zone, state, trigger, attempts } in sessions {
        let date = DateTime::parse_from_rfc3339(&date).expect("an instant").to_utc();
        let row = Row { zone: zone.parse().expect("a zone"), state, trigger, attempts };
        rows.get_mut(&names[&job]).expect("the job of a session").rows.insert(date, row);
    }
    rows
}
