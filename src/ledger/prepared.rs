//! Statements with a fixed SQL text, for the writes of every date.
//!
//! Diesel builds the text of an UPDATE at every use, and looks for the prepared statement of this text. A statement with a
//! fixed text is found by its type. All other statements use Diesel.

use std::any::Any;

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Bool, HasSqlType, Nullable, Text};

use super::connection::AnyConnection;

/// A value of a statement. Both databases convert an integer to the type of its column.
pub(super) enum Value<'a> {
    Integer(Option<i64>),
    Text(Option<&'a str>),
    Flag(bool),
}

macro_rules! integers {
    ($($integer:ty),+) => {$(
        impl From<$integer> for Value<'_> {
            fn from(value: $integer) -> Self {
                Self::Integer(Some(i64::from(value)))
            }
        }

        impl From<Option<$integer>> for Value<'_> {
            fn from(value: Option<$integer>) -> Self {
                Self::Integer(value.map(i64::from))
            }
        }
    )+};
}

integers!(u8, i32, u32, i64);

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

/// Executes the statement that `sql` returns, with a `?` for each value; returns how many rows it changed.
pub(super) fn execute<F>(connection: &mut AnyConnection, sql: F, values: &[Value<'_>]) -> QueryResult<usize>
where
    F: Fn() -> &'static str + Any,
{
    let statement = Statement { sql, values };
    // Not through the common backend, which builds the text at every use.
    match connection {
        AnyConnection::Sqlite(sqlite) => statement.execute(sqlite),
        AnyConnection::Postgres(postgres) => statement.execute(postgres),
    }
}

struct Statement<'a, F> {
    sql: F,
    values: &'a [Value<'a>],
}

/// Each closure has a type of its own, so that the type identifies the text.
impl<F: Fn() -> &'static str + Any> QueryId for Statement<'_, F> {
    type QueryId = F;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<F, DB> QueryFragment<DB> for Statement<'_, F>
where
    F: Fn() -> &'static str,
    DB: Backend + HasSqlType<BigInt> + HasSqlType<Text> + HasSqlType<Bool>,
    i64: ToSql<BigInt, DB>,
    str: ToSql<Text, DB>,
    bool: ToSql<Bool, DB>,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut texts = (self.sql)().split('?');
        pass.push_sql(texts.next().unwrap_or_default());
        for (value, text) in self.values.iter().zip(texts) {
            match value {
                Value::Integer(value) => pass.push_bind_param::<Nullable<BigInt>, _>(value)?,
                Value::Text(value) => pass.push_bind_param::<Nullable<Text>, _>(value)?,
                Value::Flag(value) => pass.push_bind_param::<Bool, _>(value)?,
            }
            pass.push_sql(text);
        }
        Ok(())
    }
}

impl<F, Connection> RunQueryDsl<Connection> for Statement<'_, F> {}
