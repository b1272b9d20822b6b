//! How often an edge is repeated, and which of the paths between two ends are wanted.

use super::Builder;
use crate::error::{PgError, SqlState};
use crate::parser::pattern::{PathPrefix, PathSelector, Quantifier as QuantifierTree};
use crate::planner::pattern::{PathMode, PathSearch, Quantifier};

impl<E> Builder<'_, '_, E> {
    /// `None` for a quantifier that nothing satisfies.
    pub(super) fn quantifier(
        &self,
        written: QuantifierTree,
        mode: PathMode,
        search: PathSearch,
    ) -> Result<Option<Quantifier>, PgError> {
        let QuantifierTree { min, max, form: _, span } = written;
        if max.is_some_and(|max| max < min) {
            return Ok(None);
        }
        if max.is_none() && mode == PathMode::Walk && search == PathSearch::All {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                "a quantifier without an upper bound needs a path mode or a shortest-path selector",
            )
            .hint("Write TRAIL, ACYCLIC, SIMPLE, ANY SHORTEST or ALL SHORTEST in front of the path, or {m,n}.")
            .at(span.start as usize));
        }
        let narrow = |count: u64| {
            u32::try_from(count).map_err(|_| {
                PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "quantifier out of range")
                    .at(span.start as usize)
            })
        };
        Ok(Some(Quantifier { min: narrow(min)?, max: max.map(narrow).transpose()? }))
    }
}

pub(super) fn search(prefix: PathPrefix) -> Result<PathSearch, PgError> {
    let narrow = |count: u64| {
        u32::try_from(count).map_err(|_| {
            PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "number of paths out of range")
                .at(prefix.span.start as usize)
        })
    };
    Ok(match prefix.selector {
        None | Some(PathSelector::All) => PathSearch::All,
        Some(PathSelector::Any { count: 1 }) => PathSearch::Any,
        Some(
            PathSelector::AnyShortest
            | PathSelector::Shortest { count: 1 }
            | PathSelector::ShortestPathFunction,
        ) => PathSearch::AnyShortest,
        Some(
            PathSelector::AllShortest
            | PathSelector::ShortestGroups { count: 1 }
            | PathSelector::AllShortestPathsFunction,
        ) => PathSearch::AllShortest,
        // The shortest ones are as good as any.
        Some(PathSelector::Shortest { count } | PathSelector::Any { count }) => {
            PathSearch::ShortestK(narrow(count)?)
        }
        Some(PathSelector::ShortestGroups { count }) => PathSearch::ShortestGroups(narrow(count)?),
    })
}
