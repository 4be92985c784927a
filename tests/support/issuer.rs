//! An issuer of assertions: keys of RSA, tokens of any form, and the backend that fetches and verifies.

use std::cell::{Cell, RefCell};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use raydex::backend::{AssertionKeys, BackendError, Jwk};
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::sha2::{Digest, Sha256};
use rsa::signature::{SignatureEncoding, Signer, Verifier};
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};

/// Primes of keys that guard nothing but these tests: two of 2048 bits, one of 1024.
const PRIMES: [(&str, &str); 3] = [
    (
        "e0028ee2818df9d5d937a6d0b63d54dec65e0e1f6b8d9900062a2ddc7c701d4dfb6ed6550112d36061a2c8da054f73c3440ce673310784a1f05490412d850642cbc546f41e939792c0fe328e942907cf297a821e61f7a98720a8dc7d5bd4411336820002e5fea61ffc9ec81838ec819bce519d65d092176a71c0b594d4522129",
        "be4da0ff60c771e3be5400843467a1702083ec0a8dc3020d36e4cefa35aafe24c8dfc31e0ea5c385d6db4e0c1ac19f51be89dc668374c653e9284d10ebec394c3c357d7b046681d4a2fd2074b915cbb2a55bfea3d4ee1030780e8d0390a2f0ffc54f17d7c10c092c49e1567b29beaa0122a25fc3e79ee29dbf86a477a0bdbf83",
    ),
    (
        "e606b75c98e95f122f7935b3f9a305104009c537429fb8c03ca4c3b4756eb68d3091c8f9a4dd91d03421caac0a697ecd9113a76d522f9257f4d7eb1d90cda5f1e94b9b0af2b4baeba0e7fa1fe792cfdc41ebfd13c263d15693c0f656bfc3b5745720147f61e4a3476b2b62b6017359fa97e454f8fa44302736b34ed68b3dd023",
        "cfca4676af0ce316ee3b885771424164f68914aa65ecd6d61059d7ce1975759f869e79d918c5f02f75640795782564990bc8dbe0dee6bd42da9815649d5dd9d3a0a44be47cbb8023f552955ad26813314d945e9c145225bb987721e3db72d8b626ec228881714d4a562548bc33c0b1c16d30320509615f83c845b69f575f99db",
    ),
    (
        "f914f3dae79e25eaf6a9e2825b693c7d13d0e190ed99423555670ea490ef5130292c66cbac7ed3f950ae97d4687efec399f365a26cf6134ddb84b100f9879071",
        "d4deb7e76104afe8f0871a629ffc5a8ae67a41258c5a3a3ea1e7b359c99e7246452a183d5cfd8bab751d82313ef16e4111208ff896cfcafc4d1ee91a4095445d",
    ),
];

/// Base64url without padding.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key with its id.
#[derive(Clone)]
pub struct Key {
    pub kid: &'static str,
    private: RsaPrivateKey,
}

impl Key {
    /// The key of that number: 0 and 1 are good ones, 2 is too short.
    pub fn new(kid: &'static str, number: usize) -> Self {
        let prime = |hex: &str| BigUint::parse_bytes(hex.as_bytes(), 16).unwrap();
        let (p, q) = PRIMES[number];
        Self { kid, private: RsaPrivateKey::from_p_q(prime(p), prime(q), 65_537_u32.into()).unwrap() }
    }

    /// How a JWKS document spells it.
    pub fn jwk(&self) -> Value {
        let (n, e) = (base64url(self.private.n().to_bytes_be()), base64url(self.private.e().to_bytes_be()));
        json!({ "kid": self.kid, "kty": "RSA", "alg": "RS256", "use": "sig", "n": n, "e": e })
    }

    /// A token with that header and those claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string())))
    }

    /// The same, for what is no token.
    pub fn sign_text(&self, signed: &str) -> String {
        let signature = SigningKey::<Sha256>::new(self.private.clone()).sign(signed.as_bytes());
        format!("{signed}.{}", base64url(signature.to_bytes()))
    }

    /// A token as Access makes them.
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": "RS256", "kid": self.kid, "typ": "JWT" }), claims)
    }

    /// What a server would take that is fooled into HS256: the HMAC of `signed` under the text of the public key.
    pub fn hs256(&self, signed: &str) -> String {
        let secret: [u8; 32] = Sha256::digest(self.jwk()["n"].as_str().unwrap()).into();
        let padded = |fill: u8| -> Vec<u8> { (0..64).map(|place| secret.get(place).unwrap_or(&0) ^ fill).collect() };
        let inner = Sha256::digest([padded(0x36), signed.as_bytes().to_vec()].concat());
        base64url(Sha256::digest([padded(0x5c), inner.to_vec()].concat()))
    }
}

/// The issuer's end: what it publishes, and how often it was asked.
#[derive(Debug, Default)]
pub struct FakeIssuer {
    pub document: RefCell<Option<Vec<u8>>>,
    pub fetches: Cell<u32>,
    pub verified: Cell<u32>,
    /// How often others have their turn before it answers.
    pub slowness: Cell<u32>,
}

impl FakeIssuer {
    pub fn publish(&self, keys: &[&Key]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        *self.document.borrow_mut() = Some(json!({ "keys": keys, "public_certs": [] }).to_string().into_bytes());
    }
}

/// Gives the other futures of a test their turn.
async fn yield_once() {
    let mut has_yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

impl AssertionKeys for FakeIssuer {
    async fn fetch(&self) -> Result<Vec<u8>, BackendError> {
        self.fetches.set(self.fetches.get() + 1);
        for _ in 0..self.slowness.get() {
            yield_once().await;
        }
        self.document.borrow().clone().ok_or_else(|| BackendError::new("fetching keys", "it is down"))
    }

    async fn pause(&self, _ms: i64) {
        yield_once().await;
    }

    async fn verify(&self, key: &Jwk, signed: &[u8], signature: &[u8]) -> Result<bool, BackendError> {
        self.verified.set(self.verified.get() + 1);
        let number = |text: &str| BigUint::from_bytes_be(&URL_SAFE_NO_PAD.decode(text).unwrap());
        let key = RsaPublicKey::new(number(&key.n), number(&key.e))
            .map_err(|error| BackendError::new("a key", error.to_string()))?;
        let Ok(signature) = Signature::try_from(signature) else { return Ok(false) };
        Ok(VerifyingKey::<Sha256>::new(key).verify(signed, &signature).is_ok())
    }
}
