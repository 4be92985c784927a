//! The assertion of Cloudflare Access: parses a JSON Web Token and checks its claims, before its signature is verified.
//!
//! # Invariants
//! The only algorithm is RS256, whatever a token names. A token for another application is refused before a key is
//! fetched. Times are whole seconds. A token must have an expiry, and the time at which it was issued, which bounds its age
//! whatever its expiry.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::limits::{JWT_LEEWAY_S, JWT_MAX};

/// The reason to refuse an assertion before its signature is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtFault {
    /// It is longer than [`JWT_MAX`].
    #[error("it is longer than {JWT_MAX} bytes")]
    TooLong,
    /// It is not three parts of base64url.
    #[error("it does not have three base64url parts")]
    Form,
    /// Its header is invalid, or names another algorithm or extensions.
    #[error("its header does not have the algorithm RS256 and a key ID")]
    Header,
    /// Its claims are not an object, or one has a wrong type.
    #[error("its claims are not valid")]
    Claims,
    /// Its audience is another application.
    #[error("it is for another audience")]
    Audience,
    /// Its issuer is another team.
    #[error("it is from another issuer")]
    Issuer,
    /// It has expired, by the claim `exp`.
    #[error("it has expired")]
    Expired,
    /// It was issued longer ago than a session lasts, by the claim `iat`.
    #[error("it was issued too long ago")]
    TooOld,
    /// It is not valid yet, by the claim `nbf` or `iat`.
    #[error("it is not valid yet")]
    NotYet,
}

/// A well-formed assertion. Its claims are untrusted until the signature is verified.
#[derive(Debug)]
pub struct Jwt<'t> {
    /// The id of the signing key, by which it is looked up.
    pub kid: String,
    /// The signed bytes: header and claims in base64url, with the dot between.
    pub signed: &'t [u8],
    /// The signature bytes, decoded from base64url.
    pub signature: Vec<u8>,
    /// The claims, untrusted until the signature is verified.
    pub claims: JwtClaims,
}

/// The claims of an assertion that raydex reads.
#[derive(Debug, Deserialize)]
pub struct JwtClaims {
    aud: JwtAudience,
    iss: String,
    exp: i64,
    nbf: Option<i64>,
    iat: i64,
    /// The email address of a person.
    pub email: Option<String>,
    /// The id of a service token.
    pub common_name: Option<String>,
    /// The groups of a person, in the form of their identity provider.
    groups: Option<Value>,
    /// The claims that the team adds to those of Access.
    custom: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum JwtAudience {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct JwtHeader {
    alg: String,
    kid: String,
    typ: Option<String>,
    /// Whether critical extensions are named; raydex supports none.
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

/// Deserializes any value as `true`.
fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

impl<'t> Jwt<'t> {
    /// Parses header and claims without verifying the signature.
    ///
    /// # Errors
    /// [`JwtFault`] if it is malformed.
    pub fn parse(text: &'t str) -> Result<Self, JwtFault> {
        if text.len() > JWT_MAX {
            return Err(JwtFault::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(JwtFault::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(JwtFault::Form)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtFault::Form);
        let (header, claims, signature) = (decoded(header)?, decoded(claims)?, decoded(signature)?);
        let header: JwtHeader = json(&header, JwtFault::Header)?;
        let is_jwt = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        if header.alg != "RS256" || !is_jwt || header.crit || header.kid.is_empty() {
            return Err(JwtFault::Header);
        }
        let claims = json(&claims, JwtFault::Claims)?;
        Ok(Self { kid: header.kid, signed: signed.as_bytes(), signature, claims })
    }
}

/// Parses a JSON object; serde alone would accept an array for a struct.
fn json<T: DeserializeOwned>(bytes: &[u8], fault: JwtFault) -> Result<T, JwtFault> {
    let is_object = bytes.first() == Some(&b'{');
    serde_json::from_slice(bytes).ok().filter(|_| is_object).ok_or(fault)
}

impl JwtClaims {
    /// The email address of a person; a service token has an empty one.
    #[must_use]
    pub fn person(&self) -> Option<&str> {
        self.email.as_deref().filter(|email| !email.is_empty())
    }

    /// Whether the person is in the group. Access puts groups into the claim `custom` where the identity provider's
    /// settings name them as a claim to pass on, and leaves some out where they are too many for a cookie.
    #[must_use]
    pub fn is_in_group(&self, group: &str) -> bool {
        let custom = self.custom.as_ref().and_then(|custom| custom.get("groups"));
        let lists = [self.groups.as_ref(), custom];
        self.person().is_some() && lists.into_iter().flatten().any(|groups| names_group(groups, group))
    }

    /// Checks issuer, audience, and times: it may be as old as a session of `session_s` seconds.
    ///
    /// # Errors
    /// [`JwtFault`] says what they are not.
    pub fn check(&self, issuer: &str, audience: &str, session_s: i64, now_ms: i64) -> Result<(), JwtFault> {
        let is_for_us = match &self.aud {
            JwtAudience::One(name) => name == audience,
            JwtAudience::Many(names) => names.iter().any(|name| name == audience),
        };
        let second = now_ms.div_euclid(1000);
        let is_ahead = |at: i64| at > second.saturating_add(JWT_LEEWAY_S);
        if !is_for_us {
            Err(JwtFault::Audience)
        } else if self.iss != issuer {
            Err(JwtFault::Issuer)
        } else if self.exp.saturating_add(JWT_LEEWAY_S) <= second {
            Err(JwtFault::Expired)
        } else if self.nbf.is_some_and(is_ahead) || is_ahead(self.iat) {
            Err(JwtFault::NotYet)
        } else if second.saturating_sub(self.iat) >= session_s.saturating_add(JWT_LEEWAY_S) {
            Err(JwtFault::TooOld)
        } else {
            Ok(())
        }
    }
}

/// Whether a claim names the group: a list of names, of objects with an `id` or a `name`, or one name.
fn names_group(claim: &Value, group: &str) -> bool {
    let is_named = |name: Option<&Value>| name.and_then(Value::as_str) == Some(group);
    match claim {
        Value::Array(groups) => {
            groups.iter().any(|one| is_named(Some(one)) || is_named(one.get("id")) || is_named(one.get("name")))
        }
        name => is_named(Some(name)),
    }
}
