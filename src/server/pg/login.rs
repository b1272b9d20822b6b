//! From a startup message to a session.
//!
//! **Invariant:** every error here is FATAL and closes the connection, whatever severity it was given where it arose,
//! and nothing is served before [`login`] has returned a [`Session`]: the loop that serves takes one by value.

use std::sync::Arc;

use bytes::Bytes;

use super::frame::{Frame, violation};
use super::reply;
use super::scram::{Scram, ScramError};
use super::wire::{ReadError, Wire};
use crate::error::{PgError, Severity, SqlState};
use crate::session::{Authenticated, Engine, LoginMethod, LoginRequest, Session};

/// Why nobody logged in.
pub(super) enum LoginError {
    /// The client went.
    Gone,
    /// The client is told; always FATAL.
    Refused(PgError),
}

impl From<PgError> for LoginError {
    fn from(error: PgError) -> Self {
        Self::Refused(error.severity(Severity::Fatal))
    }
}

impl From<ReadError> for LoginError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => Self::Gone,
            ReadError::Violation(error) => error.into(),
        }
    }
}

/// Authenticates the client and opens its session.
///
/// `certificate_pem` is the certificate that this very connection is encrypted with, if it is.
pub(super) async fn login(
    wire: &mut Wire,
    engine: &Arc<Engine>,
    request: LoginRequest,
    certificate_pem: Option<&[u8]>,
) -> Result<Session, LoginError> {
    let request = engine.route(request)?;
    let proof = match engine.login_method(&request)? {
        LoginMethod::Trust => Authenticated::by_login_exchange(),
        LoginMethod::Scram { verifier } => {
            let scram = Scram::new(&verifier, certificate_pem)?;
            exchange(wire, scram, &request.user).await?
        }
    };
    let mut session = Session::login(engine, request, proof).await?;
    reply::authentication_ok(&mut wire.out);
    for (name, value) in session.take_parameter_status() {
        reply::parameter_status(&mut wire.out, &name, &value);
    }
    reply::backend_key_data(&mut wire.out, session.pid().0, session.cancel_secret());
    Ok(session)
}

/// The four messages of SCRAM. The proof is right, or this is an error.
async fn exchange(wire: &mut Wire, scram: Scram, user: &str) -> Result<Authenticated, LoginError> {
    reply::authentication_sasl(&mut wire.out, scram.mechanisms());
    let first = password_message(wire).await?;
    let (mechanism, client_first) = initial_response(&first)?;
    let (server_first, challenged) =
        scram.challenge(mechanism, client_first).map_err(|error| refusal(error, user))?;
    reply::authentication_sasl_continue(&mut wire.out, &server_first);
    let last = password_message(wire).await?;
    let server_final = challenged.verify(&last).map_err(|error| refusal(error, user))?;
    reply::authentication_sasl_final(&mut wire.out, &server_final);
    Ok(Authenticated::by_login_exchange())
}

fn refusal(error: ScramError, user: &str) -> LoginError {
    match error {
        ScramError::Malformed(error) => error.into(),
        ScramError::WrongProof => PgError::new(
            SqlState::INVALID_PASSWORD,
            format!("password authentication failed for user \"{user}\""),
        )
        .into(),
    }
}

/// Writes what is to be answered and reads the answer.
async fn password_message(wire: &mut Wire) -> Result<Bytes, LoginError> {
    wire.flush().await.map_err(|_| LoginError::Gone)?;
    match wire.frame().await? {
        Frame::Message { tag: b'p', body } => Ok(body),
        // Terminate: psql that was refused for want of a password asks for one and comes back.
        Frame::Message { .. } => Err(LoginError::Gone),
        Frame::TooLong { .. } => Err(violation("invalid message length").into()),
    }
}

/// SASLInitialResponse: mechanism, length, data.
fn initial_response(body: &[u8]) -> Result<(&str, &[u8]), LoginError> {
    let malformed = || LoginError::from(violation("malformed SASL initial response"));
    let end = body.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
    let (mechanism, rest) = body.split_at_checked(end).ok_or_else(malformed)?;
    let mechanism = std::str::from_utf8(mechanism).map_err(|_| malformed())?;
    let (length, data) =
        rest.get(1..).and_then(|rest| rest.split_first_chunk::<4>()).ok_or_else(malformed)?;
    if usize::try_from(i32::from_be_bytes(*length)) != Ok(data.len()) {
        return Err(malformed());
    }
    Ok((mechanism, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_any_severity_is_fatal_before_login() {
        for severity in
            [Severity::Error, Severity::Warning, Severity::Notice, Severity::Info, Severity::Fatal]
        {
            let error = PgError::internal("of any room").severity(severity);
            let LoginError::Refused(error) = LoginError::from(error) else { panic!("not refused") };
            assert_eq!(error.fields().severity, Severity::Fatal);
        }
    }

    #[test]
    fn the_initial_response_is_read_exactly() {
        let (mechanism, data) = initial_response(b"M\0\0\0\0\x02ab").ok().unwrap();
        assert_eq!((mechanism, data), ("M", &b"ab"[..]));
        for malformed in [
            &b""[..],
            b"M",
            b"M\0",
            b"M\0\0\0\0",
            b"M\0\0\0\0\x01",
            b"M\0\0\0\0\x01ab",
            b"M\0\xff\xff\xff\xff",
            b"\xff\0\0\0\0\0",
        ] {
            assert!(initial_response(malformed).is_err(), "{malformed:?}");
        }
    }
}
