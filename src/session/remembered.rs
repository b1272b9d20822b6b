//! Statements of the simple protocol that came before: known again by their shape, and run as prepared ones.
//!
//! Most clients that do not prepare send a few shapes over and over. A shape that comes for the second time is prepared
//! with its literals as parameters; if it has a short way, the third time costs no parsing, binding or planning. All
//! else, every error among it, goes the ordinary way: nothing has happened then, and the error speaks of the client's
//! own text.

use std::sync::Arc;

use datafusion::common::HashMap;
use datafusion::common::metadata::ScalarAndMetadata;

use super::outcome::{Format, Outcome};
use super::pipeline;
use super::quick::{AtOnce, LookedUp};
use super::session_impl::Session;
use super::statements::Prepared;
use crate::error::PgError;
use crate::parser::Statement;
use crate::parser::shape::{Literal, Shape};
use crate::types::pg_type::PgType;

/// Shapes a session remembers; when there are more, it begins anew.
const SHAPES_MAX: usize = 256;
/// Texts of session statements (BEGIN, COMMIT) it remembers, and how long they may be.
const TEXTS_MAX: usize = 32;
const TEXT_BYTES_MAX: usize = 64;
/// Unnamed statements it remembers.
const UNNAMED_MAX: usize = 64;

/// What a session has seen.
#[derive(Default)]
pub(super) struct Remembered {
    shapes: HashMap<String, Seen>,
    texts: HashMap<String, Arc<[Statement]>>,
    unnamed: HashMap<String, (Box<[u32]>, Arc<Prepared>)>,
}

enum Seen {
    Once,
    /// It has no short way, or cannot be prepared.
    Unfit,
    Prepared(Arc<Prepared>),
}

/// What a remembered statement gave.
pub enum Recalled {
    /// It was a look-up on its own, and is over.
    LookedUp(LookedUp),
    /// It ran as any other.
    Ran(Outcome),
}

impl Remembered {
    /// The trees of a text that came before.
    pub(super) fn text(&self, text: &str) -> Option<&Arc<[Statement]>> {
        self.texts.get(text)
    }

    /// Remembers a text that says something about the session, as these come all the time.
    pub(super) fn keep_text(&mut self, text: &str, statements: &Arc<[Statement]>) {
        if text.len() <= TEXT_BYTES_MAX && self.texts.len() < TEXTS_MAX {
            self.texts.insert(text.to_owned(), Arc::clone(statements));
        }
    }

    /// An unnamed statement that was prepared before from the same text and types.
    pub(super) fn unnamed(&self, text: &str, parameter_oids: &[u32]) -> Option<&Arc<Prepared>> {
        let (oids, prepared) = self.unnamed.get(text)?;
        (**oids == *parameter_oids).then_some(prepared)
    }

    /// Remembers an unnamed statement.
    pub(super) fn keep_unnamed(&mut self, parameter_oids: &[u32], prepared: &Arc<Prepared>) {
        if self.unnamed.len() >= UNNAMED_MAX {
            self.unnamed.clear();
        }
        let kept = (parameter_oids.into(), Arc::clone(prepared));
        self.unnamed.insert(prepared.text.clone(), kept);
    }
}

impl Session {
    /// Runs a text whose shape came before, if it has a short way; `None` says that it is to be run as any other.
    ///
    /// # Errors
    /// Whatever running it raises. Call [`Self::fail`] then.
    pub async fn recall(&mut self, text: &str) -> Result<Option<Recalled>, PgError> {
        if self.refuse_if_failed().is_err() || self.shared.settings.lock().is_cypher() {
            return Ok(None);
        }
        if !self.gate.may_answer_at_once(&self.engine) {
            return Ok(None);
        }
        let Some(shape) = Shape::of(text) else { return Ok(None) };
        let prepared = match self.remembered.shapes.get(shape.text.as_str()) {
            Some(Seen::Prepared(prepared)) => Arc::clone(prepared),
            Some(Seen::Unfit) => return Ok(None),
            seen => {
                let is_new = seen.is_none();
                let known = if is_new { Seen::Once } else { self.prepare_shape(&shape) };
                if self.remembered.shapes.len() >= SHAPES_MAX {
                    self.remembered.shapes.clear();
                }
                self.remembered.shapes.insert(shape.text, known);
                return Ok(None);
            }
        };
        match self.run_at_once(&prepared, &values(&shape.literals)) {
            Some(AtOnce::LookedUp(found)) => return Ok(Some(Recalled::LookedUp(found))),
            Some(AtOnce::Done(tag) | AtOnce::Written(tag)) => {
                return Ok(Some(Recalled::Ran(Outcome::Command(tag))));
            }
            Some(AtOnce::Commit | AtOnce::Held(_)) | None => {}
        }
        // All else takes a permit first.
        if !self.gate.needs_nothing(&self.engine) {
            return Ok(None);
        }
        self.run_shape(&prepared, &shape, text).await
    }

    /// Prepares a shape with its literals as parameters.
    fn prepare_shape(&mut self, shape: &Shape<'_>) -> Seen {
        let declared = shape.literals.iter().map(|literal| match literal {
            Literal::Int4(_) => Some(PgType::Int4),
            Literal::Int8(_) => Some(PgType::Int8),
            // As a string literal's, its type is what stands beside it.
            Literal::Text(_) => None,
        });
        let declared = declared.collect();
        let Ok(mut statements) = self.parse(&shape.text) else { return Seen::Unfit };
        if statements.len() > 1 {
            return Seen::Unfit;
        }
        match pipeline::prepare_statement(self, statements.pop(), declared, &shape.text, false) {
            Ok(prepared) if pipeline::has_short_way(self, &prepared) => {
                Seen::Prepared(Arc::new(prepared))
            }
            _ => Seen::Unfit,
        }
    }

    async fn run_shape(
        &mut self,
        prepared: &Arc<Prepared>,
        shape: &Shape<'_>,
        text: &str,
    ) -> Result<Option<Recalled>, PgError> {
        let Ok(values) = self.read_literals(prepared, &shape.literals) else { return Ok(None) };
        let token = self.begin(text);
        let shared = Arc::clone(&self.shared);
        let running = pipeline::run_prepared(self, prepared, values);
        let outcome = tokio::select! {
            biased;
            outcome = running => outcome,
            () = token.cancelled() => Err(shared.canceled()),
        };
        match outcome {
            Ok(Some(outcome)) => Ok(Some(Recalled::Ran(outcome))),
            Ok(None) => {
                // What it was bound to is not there any more, or is something else.
                self.remembered.shapes.remove(shape.text.as_str());
                Ok(None)
            }
            Err(error) => Err(self.without_hidden_values(error.without_offset())),
        }
    }

    fn read_literals(
        &self,
        prepared: &Prepared,
        literals: &[Literal<'_>],
    ) -> Result<Vec<ScalarAndMetadata>, PgError> {
        pipeline::read_values(self, prepared, "", &values(literals))
    }
}

fn values<'a>(literals: &[Literal<'a>]) -> Vec<(Format, Option<&'a [u8]>)> {
    let text = |literal: &Literal<'a>| match literal {
        Literal::Int4(text) | Literal::Int8(text) | Literal::Text(text) => text.as_bytes(),
    };
    literals.iter().map(|literal| (Format::Text, Some(text(literal)))).collect()
}
