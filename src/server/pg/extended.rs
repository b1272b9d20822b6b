//! The extended query protocol: Parse, Bind, Describe, Execute, Close.

use std::collections::HashMap;

use super::answer::{Protocol, answer};
use super::connection::{Connection, Flow, Halt};
use super::message::{Bind, Formats, Target, check_text_value};
use super::reply;
use crate::error::{PgError, SqlState};
use crate::session::outcome::{Format, TransactionStatus};

/// Portals whose result formats are kept; the session bounds how many portals there can be at all.
///
/// What a portal is, the session knows; in which formats its rows are sent is the wire's affair.
#[derive(Default)]
pub(super) struct Portals {
    unnamed: Formats,
    named: HashMap<String, Formats>,
}

impl Portals {
    pub(super) fn open(&mut self, name: &str, formats: Formats) {
        match name {
            "" => self.unnamed = formats,
            _ => {
                self.named.insert(name.to_owned(), formats);
            }
        }
    }

    /// Forgets a portal.
    pub(super) fn close(&mut self, name: &str) {
        match name {
            "" => self.unnamed = Formats::AllText,
            _ => {
                self.named.remove(name);
            }
        }
    }

    /// A portal does not outlive its transaction.
    pub(super) fn transaction_is(&mut self, status: TransactionStatus) {
        if status == TransactionStatus::Idle {
            self.named.clear();
        }
    }

    /// Formats of a portal. A cursor that was declared in SQL has all its columns in text.
    fn formats(&self, name: &str) -> Formats {
        match name {
            "" => self.unnamed.clone(),
            _ => self.named.get(name).cloned().unwrap_or_default(),
        }
    }
}

pub(super) async fn parse(
    connection: &mut Connection<'_>,
    name: &str,
    text: &str,
    parameter_oids: &[u32],
) -> Flow<()> {
    let preparing = connection.session.prepare(name, text, parameter_oids);
    let prepared = connection.wire.watch(preparing).await.ok_or(Halt::Gone)?;
    prepared.map_err(|error| Halt::in_text(error, text))?;
    reply::parse_complete(&mut connection.wire.out);
    Ok(())
}

pub(super) async fn bind(connection: &mut Connection<'_>, bind: Bind<'_>) -> Flow<()> {
    let Bind { portal, statement, parameter_formats, values, result_formats } = bind;
    if let Some(formats) = parameter_formats.each_len()
        && formats != values.len()
    {
        let message =
            format!("bind message has {formats} parameter formats but {} parameters", values.len());
        return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, message).into());
    }
    let formats: Vec<Format> = (0..values.len()).map(|at| parameter_formats.at(at)).collect();
    for (value, format) in values.iter().zip(&formats) {
        if let (Some(value), Format::Text) = (value, format) {
            check_text_value(value)?;
        }
    }
    let binding = connection.session.bind(portal, statement, values, formats);
    connection.wire.watch(binding).await.ok_or(Halt::Gone)??;
    if let Some(formats) = result_formats.each_len() {
        let describing = connection.session.describe_portal(portal);
        let columns = connection.wire.watch(describing).await.ok_or(Halt::Gone)??;
        if let Some(columns) = columns.filter(|columns| columns.len() != formats) {
            connection.session.close_portal(portal);
            let message = format!(
                "bind message has {formats} result formats but query has {} columns",
                columns.len()
            );
            return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, message).into());
        }
    }
    connection.portals.open(portal, result_formats);
    reply::bind_complete(&mut connection.wire.out);
    Ok(())
}

pub(super) async fn describe(connection: &mut Connection<'_>, target: Target<'_>) -> Flow<()> {
    let (columns, formats) = match target {
        Target::Statement(name) => {
            let describing = connection.session.describe_statement(name);
            let description = connection.wire.watch(describing).await.ok_or(Halt::Gone)??;
            reply::parameter_description(&mut connection.wire.out, &description.parameters);
            (description.columns, Formats::AllText)
        }
        Target::Portal(name) => {
            let describing = connection.session.describe_portal(name);
            let columns = connection.wire.watch(describing).await.ok_or(Halt::Gone)??;
            (columns, connection.portals.formats(name))
        }
    };
    match columns {
        Some(columns) => reply::row_description(&mut connection.wire.out, &columns, &formats),
        None => reply::no_data(&mut connection.wire.out),
    }
    Ok(())
}

pub(super) async fn execute(
    connection: &mut Connection<'_>,
    portal: &str,
    max_rows: usize,
) -> Flow<()> {
    let executing = connection.session.execute(portal, max_rows);
    let outcome = connection.wire.watch(executing).await.ok_or(Halt::Gone)??;
    let formats = connection.portals.formats(portal);
    answer(connection, outcome, &formats, Protocol::Extended).await
}

pub(super) fn close(connection: &mut Connection<'_>, target: Target<'_>) {
    match target {
        Target::Statement(name) => connection.session.close_statement(name),
        Target::Portal(name) => {
            connection.session.close_portal(name);
            connection.portals.close(name);
        }
    }
    reply::close_complete(&mut connection.wire.out);
}
