//! Password verifiers: what is stored of a password, and what an unknown user is answered with.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{PgError, SqlState};

/// PBKDF2 rounds of a new verifier (`scram_iterations`), PostgreSQL's default.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not zero");
const SALT_BYTES: usize = 16;

/// A verifier of `password` in PostgreSQL's form: `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`.
///
/// Source: RFC 5802, RFC 7677; PostgreSQL `src/common/scram-common.c`.
pub fn scram_verifier(password: &str, salt: &[u8]) -> String {
    let mut salted = [0u8; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt, password.as_bytes(), &mut salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let client_key = hmac::sign(&key, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
    let server_key = hmac::sign(&key, b"Server Key");
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        BASE64.encode(salt),
        BASE64.encode(stored_key.as_ref()),
        BASE64.encode(server_key.as_ref())
    )
}

/// Whether a password is a verifier already, to be stored as it is.
///
/// # Errors
/// `22023` for an MD5 hash: nothing could be checked against it.
pub fn check_verifier(password: &str) -> Result<bool, PgError> {
    let is_md5 = password.len() == 35
        && password.starts_with("md5")
        && password.bytes().skip(3).all(|byte| byte.is_ascii_hexdigit());
    if is_md5 {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "MD5-hashed passwords are not supported",
        )
        .hint("Give the password itself, or a SCRAM-SHA-256 verifier."));
    }
    Ok(is_scram(password))
}

/// `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`
fn is_scram(text: &str) -> bool {
    let parse = || {
        let (iterations, rest) = text.strip_prefix("SCRAM-SHA-256$")?.split_once(':')?;
        iterations.parse::<u32>().ok().filter(|count| *count > 0)?;
        let (salt, keys) = rest.split_once('$')?;
        let (stored, server) = keys.split_once(':')?;
        BASE64.decode(salt).ok()?;
        let whole = |key: &str| BASE64.decode(key).is_ok_and(|key| key.len() == 32);
        (whole(stored) && whole(server)).then_some(())
    };
    parse().is_some()
}

/// A verifier with a fresh salt.
pub fn new_scram_verifier(password: &str) -> String {
    scram_verifier(password, &rand::random::<[u8; SALT_BYTES]>())
}

/// The verifier an unknown user gets: the same salt for the same name as long as `secret` is, and no password matches.
pub fn mock_verifier(user: &str, secret: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let salt = hmac::sign(&key, user.as_bytes());
    let random: [u8; 32] = rand::random();
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        BASE64.encode(&salt.as_ref()[..SALT_BYTES]),
        BASE64.encode(digest::digest(&digest::SHA256, &random)),
        BASE64.encode(random)
    )
}

/// A generated password: 24 letters and digits, about 142 bits.
pub fn generate_password() -> String {
    use rand::Rng as _;
    let mut rng = rand::rng();
    (0..24).map(|_| char::from(rng.sample(rand::distr::Alphanumeric))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifier_has_postgresql_form() {
        let verifier = scram_verifier("pencil", &[7; SALT_BYTES]);
        let parts: Vec<&str> = verifier.split(['$', ':']).collect();
        assert_eq!(parts.len(), 5, "{verifier}");
        assert_eq!((parts[0], parts[1]), ("SCRAM-SHA-256", "4096"));
        assert_eq!(BASE64.decode(parts[3]).unwrap().len(), 32);
        assert_eq!(verifier, scram_verifier("pencil", &[7; SALT_BYTES]));
        assert_ne!(verifier, scram_verifier("pencils", &[7; SALT_BYTES]));
    }

    #[test]
    fn verifiers_are_told_from_passwords() {
        assert!(check_verifier(&scram_verifier("pencil", &[7; SALT_BYTES])).unwrap());
        assert!(!check_verifier("SCRAM-SHA-256$x").unwrap());
        assert!(!check_verifier("md5").unwrap());
        assert!(check_verifier("md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").is_err());
    }

    #[test]
    fn mock_salt_is_stable_per_name() {
        let salt = |user: &str| mock_verifier(user, b"secret").split('$').nth(1).map(str::to_owned);
        assert_eq!(salt("nobody"), salt("nobody"));
        assert_ne!(salt("nobody"), salt("somebody"));
    }
}
