//! The assertion of Cloudflare Access: a JSON Web Token, read and judged before its signature is looked at.
//!
//! What always holds: one algorithm is known, RS256, whatever a token asks for; a token that is none of ours is refused
//! before a key is fetched for it; times are whole numbers, and a token without an end is none.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, de::DeserializeOwned};

use crate::limits::{JWT_LEEWAY_S, JWT_MAX};

/// Why an assertion is refused before its signature is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtFault {
    /// It is longer than [`JWT_MAX`].
    #[error("it is longer than {JWT_MAX} bytes")]
    TooLong,
    /// It is not three parts of base64url.
    #[error("it does not have three base64url parts")]
    Form,
    /// Its header is none that is known.
    #[error("its header does not have the algorithm RS256 and a key ID")]
    Header,
    /// Its claims are none, or one has a wrong type.
    #[error("its claims are not valid")]
    Claims,
    /// It is for somebody else.
    #[error("it is for another audience")]
    Audience,
    /// Somebody else made it.
    #[error("it is from another issuer")]
    Issuer,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not begun.
    #[error("it is not valid yet")]
    NotYet,
}

/// An assertion whose form is right. Nothing in it is true before its signature is.
#[derive(Debug)]
pub struct Jwt<'t> {
    /// The id of the key that signed it.
    pub kid: String,
    /// What was signed.
    pub signed: &'t [u8],
    /// The signature.
    pub signature: Vec<u8>,
    /// What it says.
    pub claims: Claims,
}

/// What an assertion says.
#[derive(Debug, Deserialize)]
pub struct Claims {
    aud: Audience,
    iss: String,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    /// The address of a person.
    pub email: Option<String>,
    /// The id of a service token.
    pub common_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: Option<String>,
    /// Extensions that must be understood: none is.
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

/// Whatever stands there, something does.
fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

impl<'t> Jwt<'t> {
    /// Reads an assertion.
    ///
    /// # Errors
    /// [`JwtFault`] where it is none.
    pub fn parse(text: &'t str) -> Result<Self, JwtFault> {
        if text.len() > JWT_MAX {
            return Err(JwtFault::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(JwtFault::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(JwtFault::Form)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtFault::Form);
        let (header, claims, signature) = (decoded(header)?, decoded(claims)?, decoded(signature)?);
        let header: Header = json(&header, JwtFault::Header)?;
        let is_jwt = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        if header.alg != "RS256" || !is_jwt || header.crit || header.kid.is_empty() {
            return Err(JwtFault::Header);
        }
        let claims = json(&claims, JwtFault::Claims)?;
        Ok(Self { kid: header.kid, signed: signed.as_bytes(), signature, claims })
    }
}

/// JSON that is an object: serde would read a struct from an array too.
fn json<T: DeserializeOwned>(bytes: &[u8], fault: JwtFault) -> Result<T, JwtFault> {
    let is_object = bytes.first() == Some(&b'{');
    serde_json::from_slice(bytes).ok().filter(|_| is_object).ok_or(fault)
}

impl Claims {
    /// Whether they are of this issuer, for this audience, and of this time.
    ///
    /// # Errors
    /// [`JwtFault`] says what they are not.
    pub fn check(&self, issuer: &str, audience: &str, now_ms: i64) -> Result<(), JwtFault> {
        let is_for_us = match &self.aud {
            Audience::One(name) => name == audience,
            Audience::Many(names) => names.iter().any(|name| name == audience),
        };
        let second = now_ms.div_euclid(1000);
        let is_ahead = |at: Option<i64>| at.is_some_and(|at| at > second.saturating_add(JWT_LEEWAY_S));
        if !is_for_us {
            Err(JwtFault::Audience)
        } else if self.iss != issuer {
            Err(JwtFault::Issuer)
        } else if self.exp.saturating_add(JWT_LEEWAY_S) <= second {
            Err(JwtFault::Expired)
        } else if is_ahead(self.nbf) || is_ahead(self.iat) {
            Err(JwtFault::NotYet)
        } else {
            Ok(())
        }
    }
}
