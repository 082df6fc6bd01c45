//! The tables as Diesel sees them, the same on SQLite and PostgreSQL. `migrations/` defines them.

/// The newest migration.
pub const SCHEMA_VERSION: &str = "0001";

diesel::table! {
    jobs (id) {
        id -> Integer,
        name -> Text,
        stable_name -> Text,
        generation -> Integer,
        has_replaced -> Bool,
        seen_at -> BigInt,
        first_date -> BigInt,
        timetable_from -> BigInt,
        watermark -> Nullable<BigInt>,
        timetable -> Text,
        complete_after -> Nullable<BigInt>,
        has_excluded -> Bool,
        action -> Text,
        in_registry -> Bool,
        last_success -> Nullable<BigInt>,
        strict_after_generation -> Nullable<Integer>,
        strict_after -> Nullable<BigInt>,
    }
}

diesel::table! {
    sessions (job_id, generation, date) {
        job_id -> Integer,
        generation -> Integer,
        date -> BigInt,
        state -> SmallInt,
        trigger -> SmallInt,
        zone_id -> SmallInt,
        attempts -> Integer,
        counted_attempts -> Integer,
        retry_at -> Nullable<BigInt>,
        reason -> Nullable<Text>,
        recorded_at -> BigInt,
        settled_at -> Nullable<BigInt>,
        backfill_id -> Nullable<BigInt>,
        settled_by -> Nullable<Text>,
    }
}

diesel::table! {
    backfills (id) {
        id -> BigInt,
        job_id -> Integer,
        generation -> Integer,
        name -> Nullable<Text>,
        newest_first -> Bool,
        parallel -> Integer,
        entered_at -> BigInt,
        cancelled_by -> Nullable<BigInt>,
    }
}

diesel::table! {
    former_states (backfill_id, date) {
        backfill_id -> BigInt,
        date -> BigInt,
        state -> SmallInt,
    }
}

diesel::table! {
    unanswered (job_id, generation, date, at) {
        job_id -> Integer,
        generation -> Integer,
        date -> BigInt,
        at -> BigInt,
        answer -> Text,
    }
}

diesel::table! {
    stand_ins (job_id, generation, date) {
        job_id -> Integer,
        generation -> Integer,
        date -> BigInt,
        by_date -> BigInt,
    }
}

diesel::table! {
    disabled (job_id) {
        job_id -> Integer,
        at -> BigInt,
        until -> Nullable<BigInt>,
        user_name -> Text,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    pauses (tag) {
        tag -> Text,
        at -> BigInt,
        until -> Nullable<BigInt>,
        user_name -> Text,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    attempts (job_id, generation, date, number) {
        job_id -> Integer,
        generation -> Integer,
        date -> BigInt,
        number -> Integer,
        trigger -> SmallInt,
        zone_id -> SmallInt,
        host_id -> Integer,
        pid -> Nullable<Integer>,
        start_ticks -> Nullable<BigInt>,
        started_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        outcome -> Nullable<SmallInt>,
        exit_code -> Nullable<Integer>,
        signal -> Nullable<Integer>,
        duration_micros -> Nullable<BigInt>,
        detail -> Nullable<Text>,
        has_log -> Bool,
        cpu_user_micros -> Nullable<BigInt>,
        cpu_system_micros -> Nullable<BigInt>,
        peak_memory_bytes -> Nullable<BigInt>,
    }
}

diesel::table! {
    zones (id) {
        id -> SmallInt,
        name -> Text,
    }
}

diesel::table! {
    hosts (id) {
        id -> Integer,
        name -> Text,
        boot_id -> Nullable<Text>,
    }
}

diesel::table! {
    audit (id) {
        id -> BigInt,
        at -> BigInt,
        user_name -> Text,
        host -> Text,
        action -> Text,
        job -> Text,
        from_date -> Nullable<BigInt>,
        to_date -> Nullable<BigInt>,
        detail -> Text,
        reason -> Nullable<Text>,
        answered_at -> Nullable<BigInt>,
        done -> Nullable<Bool>,
        answer -> Nullable<Text>,
        dates -> Nullable<BigInt>,
    }
}

diesel::table! {
    writer (id) {
        id -> Integer,
        host -> Text,
        pid -> Integer,
        version -> Text,
        since -> BigInt,
        epoch -> BigInt,
        batch -> BigInt,
    }
}

diesel::joinable!(sessions -> jobs (job_id));
diesel::joinable!(attempts -> jobs (job_id));
diesel::joinable!(attempts -> hosts (host_id));
diesel::joinable!(stand_ins -> jobs (job_id));
diesel::allow_tables_to_appear_in_same_query!(jobs, sessions, attempts, hosts, former_states);
diesel::allow_tables_to_appear_in_same_query!(jobs, stand_ins);
diesel::allow_tables_to_appear_in_same_query!(backfills, audit);
diesel::allow_tables_to_appear_in_same_query!(unanswered, jobs);
