//! Keeps the statements of every date prepared.
//!
//! Diesel prepares each UPDATE afresh, since a changeset may name other columns every time. Those of ours that run with
//! every date name the same ones always, and preparing them took longer than running them.

use diesel::backend::Backend;
use diesel::internal::derives::multiconnection::AstPassHelper;
use diesel::pg::PgQueryBuilder;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryBuilder, QueryFragment, QueryId};
use diesel::sqlite::query_builder::SqliteQueryBuilder;

use super::connection::{AnyConnection, MultiBackend};

/// A statement that the connection keeps prepared, by its text: one whose text differs from the last time does no harm.
pub(super) struct Prepared<T>(pub(super) T);

/// The text of a statement, in the making.
type Text = <MultiBackend as Backend>::QueryBuilder;

impl<T> QueryId for Prepared<T> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T: QueryFragment<MultiBackend>> QueryFragment<MultiBackend> for Prepared<T> {
    /// Shows the statement itself only to those who ask for its values. Whoever asks for its text, or whether it may be
    /// kept, gets the text: the statement would say no. To say yes in `is_safe_to_cache_prepared` is not enough, because
    /// the connection to either database asks a reference to us, which knows only this method.
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        if pass.bind_collector().is_some() || pass.debug_binds().is_some() {
            return self.0.walk_ast(pass);
        }
        let mut text = match pass.backend() {
            MultiBackend::Sqlite(_) => Text::Sqlite(SqliteQueryBuilder::default()),
            MultiBackend::Postgres(_) => Text::Postgres(PgQueryBuilder::default()),
        };
        self.0.to_sql(&mut text, pass.backend())?;
        pass.push_sql(&text.finish());
        Ok(())
    }
}

impl<T> RunQueryDsl<AnyConnection> for Prepared<T> {}
