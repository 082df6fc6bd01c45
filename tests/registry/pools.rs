//! `[pools.NAME]` and `pool`.

use super::*;

#[test]
fn pools_of_all_files_are_merged() {
    let job = |name: &str, pool: &str| {
        format!("[jobs.{name}]\nschedule = \"@daily\"\npool = \"{pool}\"\ncommand = \"true\"\n")
    };
    let folder = folder(&[
        ("jobs.toml", &format!("include = \"more.toml\"\n[pools.db]\nsize = 4\n{}{}", job("a", "db"), job("b", "web"))),
        ("more.toml", &format!("[pools]\nweb = {{ size = 1 }}\n{}", job("c", "db"))),
    ]);
    let registry = load(&folder).unwrap();
    assert_eq!(registry.pools.into_iter().collect::<Vec<_>>(), [("db".to_owned(), 4), ("web".to_owned(), 1)]);
    let pools: Vec<_> = registry.jobs.iter().filter_map(|job| job.pool.as_deref()).collect();
    assert_eq!(pools, ["db", "web", "db"]);
    assert_eq!(registry.warnings, []);
}

#[test]
fn mistakes_in_pools() {
    assert_snapshot!(mistakes_in(&[
        ("jobs.toml", r#"
include = "more.toml"
[pools]
database = { size = 4 }
web = 3
"my pool" = { size = 0 }
empty = {}
slots = { slots = 3 }
[jobs.a]
schedule = "@daily"
command = "true"
pool = "databse"
[jobs.b]
schedule = "@daily"
command = "true"
pool = "gpu.big"
[jobs.c]
schedule = "@daily"
command = "true"
pool = 3
[jobs.d]
schedule = "@daily"
command = "true"
pool = ""
"#),
        ("more.toml", "[pools.database]\nsize = \"2\"\n"),
    ]), @r#"
    error: pool `web` must be a table, not an integer
     --> jobs.toml:5:7
      |
    5 | web = 3
      |       ^ write `{ size = 3 }`

    error: a pool cannot be named `my pool`, as no job could be: a job name consists of `A-Z a-z 0-9 . _ -`, not ' '
     --> jobs.toml:6:1
      |
    6 | "my pool" = { size = 0 }
      | ^^^^^^^^^

    error: pool `my pool`: `size` must be at least 1
     --> jobs.toml:6:22
      |
    6 | "my pool" = { size = 0 }
      |                      ^

    error: pool `empty` has no `size`
     --> jobs.toml:7:1
      |
    7 | empty = {}
      | ^^^^^ add `size = 4`: so many attempts of its jobs run at once

    error: pool `slots` has unknown key `slots`
     --> jobs.toml:8:11
      |
    8 | slots = { slots = 3 }
      |           ^^^^^ did you mean `size`?

    error: job `a` uses pool `databse`, which does not exist
      --> jobs.toml:12:8
       |
    12 | pool = "databse"
       |        ^^^^^^^^^ did you mean `database`?

    error: job `b` uses pool `gpu.big`, which does not exist
      --> jobs.toml:16:8
       |
    16 | pool = "gpu.big"
       |        ^^^^^^^^^ declare it: `[pools."gpu.big"]` with `size = 4`

    error: job `c`: `pool` must be a string, not an integer
      --> jobs.toml:20:8
       |
    20 | pool = 3
       |        ^ put it in quotes: `"3"`

    error: job `d`: `pool` is empty
      --> jobs.toml:24:8
       |
    24 | pool = ""
       |        ^^

    error: pool `database` is declared twice
     --> more.toml:1:8
      |
    1 | [pools.database]
      |        ^^^^^^^^ first declared at jobs.toml:4

    error: pool `database`: `size` must be an integer, not a string
     --> more.toml:2:8
      |
    2 | size = "2"
      |        ^^^ write `size = 2`, without quotes
    "#);
    assert_snapshot!(mistakes("pools = 3\npool.x = 1\n"), @"
    error: the registry: `pools` must be a table, not an integer
     --> jobs.toml:1:9
      |
    1 | pools = 3
      |         ^ a pool is declared as `[pools.NAME]`, with its `size` below

    error: the registry has unknown key `pool`
     --> jobs.toml:2:1
      |
    2 | pool.x = 1
      | ^^^^ did you mean `pools`?
    ");
}

#[test]
fn warnings_about_pools() {
    assert_snapshot!(warnings(r#"
[pools.unused]
size = 4
[pools.db]
size = 2
[jobs.a]
schedule = "@daily"
backfill = true
order = "independent"
max_parallel = 4
pool = "db"
command = "true"
"#), @r#"
    warning: pool `unused` has no jobs
     --> jobs.toml:2:8
      |
    2 | [pools.unused]
      |        ^^^^^^ a job is in it with `pool = "unused"`

    warning: job `a` has `max_parallel = 4`, and pool `db` the size 2
      --> jobs.toml:11:8
       |
    11 | pool = "db"
       |        ^^^^
    "#);
}

#[test]
fn a_pool_is_not_reported_missing_if_a_file_is_unreadable() {
    let shown = mistakes_in(&[
        ("jobs.toml", "include = \"more.toml\"\n[jobs.a]\nschedule = \"@daily\"\ncommand = \"true\"\npool = \"db\"\n"),
        ("more.toml", "[pools.db\n"),
    ]);
    assert_eq!(shown.matches("error: ").count(), 1, "{shown}");
}
