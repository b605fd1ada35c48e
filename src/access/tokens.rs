//! Bearer tokens from files, as digests.
//!
//! A file holds one token a line, so that the next one can be let in before the old one goes.
//! A token in two files is refused: whose is it?
//!
//! There may also be one that was generated for this process ([`Own`]): it admits everyone who may read the file with
//! it.
//!
//! When files change, a file that is missing, empty, or holds an invalid token admits nobody until it is valid
//! again; the others are not held up.

use std::fmt;
use std::path::PathBuf;

use axum::http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use tracing::error;

use crate::reload::{Content, Error, Reloaded};

/// Shorter ones could be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// Signed tokens (JWT) take one or two KiB.
const TOKEN_BYTES_MAX: usize = 4 << 10;

/// All files together.
const TOKENS_MAX: usize = 10_000;

type Hash = [u8; 32];

/// The tokens of several files; a token is known by its file's index.
pub struct Tokens(Vec<(Hash, u32)>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

impl Tokens {
    /// Reads the files, and again when they change.
    ///
    /// # Errors
    ///
    /// When a file can't be read, or holds no token, or an invalid one.
    pub fn load(what: &'static str, files: Vec<PathBuf>) -> Result<Reloaded<Tokens>, Error> {
        Ok(Reloaded::load(what, files, Tokens::parse)?.each(Tokens::parse_each))
    }

    fn parse(contents: &[Content]) -> Result<Tokens, String> {
        let mut tokens = Tokens(Vec::new());
        for (file, content) in contents.iter().enumerate() {
            tokens.add(file, content)?;
        }
        Ok(tokens)
    }

    /// Of what can be used.
    fn parse_each(contents: &[Content]) -> Tokens {
        let mut tokens = Tokens(Vec::new());
        for (file, content) in contents.iter().enumerate() {
            if let Err(why) = tokens.add(file, content) {
                error!("{why}: none of its tokens is accepted");
            }
        }
        tokens
    }

    /// Adds the tokens of a file: all of them or none. A token that is also in another file is rejected.
    fn add(&mut self, file: usize, content: &Content) -> Result<(), String> {
        if let Some(failure) = &content.failure {
            return Err(failure.clone());
        }
        let path = content.path.display();
        let mut added: Vec<(Hash, u32)> = Vec::new();
        for (number, line) in content.bytes.split(|byte| *byte == b'\n').enumerate() {
            let token = line.trim_ascii();
            if token.is_empty() {
                continue;
            }
            check(token).map_err(|cause| format!("{path}: line {}: {cause}", number + 1))?;
            let hash = hash(token);
            let before = self.0.len();
            self.0.retain(|(other, _)| *other != hash);
            if self.0.len() < before || added.iter().any(|(other, _)| *other == hash) {
                return Err(format!("{path}: line {}: is a duplicate", number + 1));
            }
            if self.0.len() + added.len() == TOKENS_MAX {
                return Err(format!("{path}: more than {TOKENS_MAX} tokens"));
            }
            added.push((hash, u32::try_from(file).unwrap_or(u32::MAX)));
        }
        if added.is_empty() {
            return Err(format!("{path}: contains no token"));
        }
        self.0.append(&mut added);
        Ok(())
    }

    /// The index of the file that holds the token of an `Authorization` header.
    ///
    /// The time it takes does not depend on which digest matches, or how much of one.
    pub fn find(&self, authorization: Option<&HeaderValue>) -> Option<usize> {
        let presented = hash(bearer(authorization?)?);
        let mut found = u32::MAX;
        for (token, file) in &self.0 {
            found.conditional_assign(file, token.ct_eq(&presented));
        }
        (found != u32::MAX).then_some(found as usize)
    }
}

/// The digest of a token that was generated for this process, and cannot be guessed.
pub struct Own(Hash);

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Own")
    }
}

impl Own {
    pub fn of(token: &SecretString) -> Own {
        Own(hash(token.expose_secret().as_bytes()))
    }

    /// Whether it is the token of an `Authorization` header.
    pub fn is(&self, authorization: Option<&HeaderValue>) -> bool {
        let presented = authorization.and_then(bearer).map(hash);
        presented.is_some_and(|presented| self.0.ct_eq(&presented).into())
    }
}

fn hash(token: &[u8]) -> Hash {
    Sha256::digest(token).into()
}

fn check(token: &[u8]) -> Result<(), String> {
    if token.len() < TOKEN_BYTES_MIN {
        return Err(format!("is shorter than {TOKEN_BYTES_MIN} characters"));
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(format!("is longer than {TOKEN_BYTES_MAX} characters"));
    }
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err("has a character that is not allowed in tokens".to_owned());
    }
    Ok(())
}

/// `Bearer TOKEN`, the first word in any case (RFC 9110, 11.1).
fn bearer(authorization: &HeaderValue) -> Option<&[u8]> {
    let value = authorization.as_bytes();
    if value.len() > TOKEN_BYTES_MAX + 16 {
        return None;
    }
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}
