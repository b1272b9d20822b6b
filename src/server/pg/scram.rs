//! SCRAM-SHA-256 as the server sees it, over the engine of the `pgwire` crate.
//!
//! The engine computes and compares; the choice of mechanisms, what a flag may say under which mechanism, and what a
//! client learns of a failure are decided here. Secrets are verifiers: no password is ever known to the server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgwire::api::auth::sasl::scram::{
    ScramSecret, ScramServerAuth, ScramServerAuthWaitingForClientFinal,
};
use pgwire::error::PgWireError;

use super::frame::violation;
use crate::error::PgError;

/// Name of the mechanism without channel binding.
pub(super) const PLAIN: &str = "SCRAM-SHA-256";
/// Name of the mechanism with channel binding.
pub(super) const PLUS: &str = "SCRAM-SHA-256-PLUS";

/// Why an exchange ended.
#[derive(Debug)]
pub(super) enum ScramError {
    /// The client broke the protocol of the exchange; it may be told how.
    Malformed(PgError),
    /// The proof is wrong; the client is told nothing more.
    WrongProof,
}

/// An exchange before its first message.
pub(super) struct Scram {
    engine: ScramServerAuth,
    secret: ScramSecret,
}

/// An exchange whose first message was answered.
pub(super) struct Challenged(ScramServerAuthWaitingForClientFinal);

impl Scram {
    /// Prepares an exchange against `verifier` (`SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`).
    ///
    /// With the PEM of the certificate that this connection is encrypted with, channel binding is offered, if the
    /// certificate's signature algorithm has a hash to bind to (RFC 5929; Ed25519 has none).
    ///
    /// # Errors
    /// `XX000` if the verifier is not one.
    pub(super) fn new(verifier: &str, certificate_pem: Option<&[u8]>) -> Result<Self, PgError> {
        let secret = parse_verifier(verifier)
            .ok_or_else(|| PgError::internal("stored password verifier is malformed"))?;
        let mut engine = ScramServerAuth::new();
        if let Some(pem) = certificate_pem
            && let Err(error) = engine.configure_certificate(pem)
        {
            tracing::debug!(%error, "certificate does not allow channel binding");
        }
        Ok(Self { engine, secret })
    }

    /// The mechanisms to offer, best first.
    pub(super) fn mechanisms(&self) -> &'static [&'static str] {
        if self.engine.supports_channel_binding() { &[PLUS, PLAIN] } else { &[PLAIN] }
    }

    /// Answers client-first with server-first.
    pub(super) fn challenge(
        self,
        mechanism: &str,
        client_first: &[u8],
    ) -> Result<(String, Challenged), ScramError> {
        if !self.mechanisms().contains(&mechanism) {
            return Err(ScramError::Malformed(violation(
                "client selected an invalid SASL authentication mechanism",
            )));
        }
        // The engine knows one list of flags for both mechanisms, so their pairing is checked here.
        if (mechanism == PLUS) != client_first.starts_with(b"p=") {
            return Err(ScramError::Malformed(
                violation("malformed SCRAM message")
                    .detail("The channel binding flag does not fit the selected SASL mechanism."),
            ));
        }
        self.engine
            .on_client_first_message_with_secret(client_first, self.secret)
            .map(|(server_first, waiting)| (server_first, Challenged(waiting)))
            .map_err(scram_error)
    }
}

impl Challenged {
    /// Checks client-final; the server's own signature if the proof is right.
    pub(super) fn verify(&self, client_final: &[u8]) -> Result<String, ScramError> {
        self.0.on_client_final_message(client_final).map_err(scram_error)
    }
}

fn scram_error(error: PgWireError) -> ScramError {
    match error {
        PgWireError::InvalidPassword(_) => ScramError::WrongProof,
        PgWireError::InvalidScramMessage(reason) if reason.contains("downgrade") => {
            ScramError::Malformed(violation("SCRAM channel binding negotiation error").detail(
                "The client supports SCRAM channel binding but thinks the server does not. \
                 However, this server does support channel binding.",
            ))
        }
        PgWireError::InvalidScramMessage(reason) if reason.contains("Channel binding mismatch") => {
            ScramError::Malformed(violation("SCRAM channel binding check failed"))
        }
        _ => ScramError::Malformed(violation("malformed SCRAM message")),
    }
}

fn parse_verifier(verifier: &str) -> Option<ScramSecret> {
    let (iterations_and_salt, keys) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
    let (iterations, salt) = iterations_and_salt.split_once(':')?;
    let (stored_key, server_key) = keys.split_once(':')?;
    let key = |text: &str| STANDARD.decode(text).ok().filter(|key| key.len() == 32);
    Some(ScramSecret::Verifier {
        salt: STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?,
        iterations: iterations.parse().ok().filter(|iterations| *iterations > 0)?,
        stored_key: key(stored_key)?,
        server_key: key(server_key)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verifier of the password `pencil` with the salt and iterations of RFC 7677.
    const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
        WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    fn challenge(client_first: &str) -> Result<(String, Challenged), ScramError> {
        Scram::new(PENCIL, None).unwrap().challenge(PLAIN, client_first.as_bytes())
    }

    #[test]
    fn the_challenge_has_the_stored_salt_and_a_longer_nonce() {
        let (server_first, _) = challenge("n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert!(server_first.starts_with("r=rOprNGfwEbeRWgbNEkqO"));
        assert!(server_first.ends_with(",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        let nonce = server_first.split(',').next().unwrap();
        assert!(nonce.len() >= "r=rOprNGfwEbeRWgbNEkqO".len() + 24);
    }

    #[test]
    fn wrong_short_long_and_replayed_proofs_fail() {
        for proof in ["AAAA", &STANDARD.encode([0; 32]), &STANDARD.encode([0; 33]), "", "%%"] {
            let (server_first, challenged) = challenge("n,,n=user,r=abc").unwrap();
            let nonce = server_first.split(',').next().unwrap();
            assert!(challenged.verify(format!("c=biws,{nonce},p={proof}").as_bytes()).is_err());
            assert!(challenged.verify(format!("c=biws,r=abc,p={proof}").as_bytes()).is_err());
        }
    }

    #[test]
    fn malformed_first_messages_fail() {
        for message in [
            "",
            "n",
            "n,,",
            "n,,n=",
            "x,,n=,r=a",
            "p=tls-server-end-point,,n=,r=a",
            "n,a=other,n=,r=a",
            "n,,m=x,n=,r=a",
        ] {
            assert!(challenge(message).is_err(), "{message}");
        }
        assert!(Scram::new(PENCIL, None).unwrap().challenge(PLUS, b"n,,n=,r=a").is_err());
        assert!(Scram::new(PENCIL, None).unwrap().challenge("PLAIN", b"n,,n=,r=a").is_err());
    }

    #[test]
    fn broken_verifiers_are_refused() {
        for verifier in [
            "",
            "md5abc",
            "SCRAM-SHA-256$4096:W22Z$AAAA:AAAA",
            "SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        ] {
            assert!(Scram::new(verifier, None).is_err(), "{verifier}");
        }
    }
}
