//! The words that names of secrets have, beside those that masking goes by, and the words of names that only look like them.
//!
//! # Invariants
//! Everything is in lower case.

/// What names of headers with secrets end in.
pub(super) const SECRET_HEADERS: [&str; 2] = ["cookie", "authorization"];
/// Words of names that may be others', and in a text are those of secrets: `pass=`, `sid=`.
pub(super) const TEXT_WORDS: [&str; 5] = ["pass", "pat", "sid", "sig", "signature"];
/// Whole names of what signs somebody in, without the signs between their words: of SAML (bindings, artifacts), of WS-Federation,
/// of OAuth (RFC 7521, RFC 7636), and of options of `openssl`.
pub(super) const SECRET_NAMES: [&str; 7] =
    ["samlresponse", "samlart", "wresult", "clientassertion", "codeverifier", "passin", "passout"];
/// What says of a key that it is secret: `account_key`.
pub(super) const KEY_KINDS: [&str; 17] = [
    "access",
    "account",
    "api",
    "auth",
    "aws",
    "client",
    "deploy",
    "encryption",
    "master",
    "private",
    "secret",
    "service",
    "shared",
    "signing",
    "storage",
    "subscription",
    "webhook",
];
/// What says of a code that it is secret: `device_code`.
pub(super) const SECRET_CODES: [&str; 7] =
    ["access", "auth", "confirmation", "device", "login", "security", "verification"];
/// What says of a `pass` in one word with it that it is one: `storepass`. Others are `bypass` and `compass`.
pub(super) const PASS_KINDS: [&str; 14] = [
    "admin", "cert", "database", "db", "key", "login", "mail", "mysql", "proxy", "root", "smtp", "ssl", "store", "user",
];
/// What says of a key that it identifies, and opens nothing: `routing_key`, `aws.s3.key`.
pub(super) const IDENTIFIER_KINDS: [&str; 30] = [
    "binding",
    "cache",
    "candidate",
    "clustering",
    "composite",
    "dedup",
    "deduplication",
    "document",
    "event",
    "flag",
    "foreign",
    "grouping",
    "i18n",
    "idempotency",
    "index",
    "issue",
    "lookup",
    "message",
    "object",
    "parameter",
    "partition",
    "primary",
    "project",
    "public",
    "range",
    "routing",
    "s3",
    "shard",
    "sort",
    "unique",
];
/// What a key has that is not the key itself: `key_id`, `keyCode`, `Key-Pair-Id`.
pub(super) const KEY_TRAITS: [&str; 10] =
    ["algorithm", "code", "count", "format", "id", "length", "name", "path", "size", "type"];
/// Beginnings of words that have the name of a secret in them: `secretary`, `tokenizer`, `authority`.
pub(super) const PLAIN_STEMS: [&str; 4] = ["secretar", "tokeniz", "tokenis", "authorit"];
/// Words of names whose value is no secret if it is a number: `max_tokens`, `token_count`.
pub(super) const COUNT_WORDS: [&str; 21] = [
    "age",
    "attempts",
    "budget",
    "count",
    "expires",
    "expiry",
    "len",
    "length",
    "limit",
    "max",
    "min",
    "quota",
    "remaining",
    "retries",
    "seconds",
    "size",
    "tokens",
    "total",
    "ttl",
    "usage",
    "version",
];
/// What says of a code that it is no secret: `status_code`.
pub(super) const CODE_KINDS: [&str; 14] = [
    "cause", "close", "country", "currency", "error", "exit", "http", "language", "postal", "reason", "region",
    "response", "result", "status",
];
