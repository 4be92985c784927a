//! Calls that a ledger and the registry refuse, and members that they skip. `tests/it/wire_format` has the forms.

use raydex::ledger::calls::NAMES;
use raydex::ledger::{answer, occupancy, registry};

use super::support::{Faults, SqliteSql};
use super::{Ledger, NAME};

#[test]
fn unknown_calls_and_invalid_bodies_are_refused() {
    let ledger = Ledger::sealed(2);
    let known = SqliteSql::new(&Faults::default());
    registry::open(&known).unwrap();
    let rows = (ledger.sql.rows(), known.rows());
    for name in ["", "begin", "v1/", "v2/begin", "V1/BEGIN", "v1/begin ", "v1/letter", "v1/unknown"] {
        assert!(answer(&ledger.sql, NAME, name, b"{}", 9).is_err(), "{name}");
    }
    for name in ["", "v1/", "v2/register", "v1/begin", "v1/totals"] {
        assert!(registry::answer(&known, name, b"{}", 9).is_err(), "{name}");
    }
    let bodies: [&[u8]; 7] = [b"", b"null", b"7", b"\"x\"", b"[[]", b"{", b"\xff"];
    for body in bodies {
        for name in NAMES {
            assert!(answer(&ledger.sql, NAME, name, body, 9).is_err(), "{name} {body:?}");
        }
        for name in registry::NAMES.iter().chain(occupancy::NAMES) {
            assert!(registry::answer(&known, name, body, 9).is_err(), "{name} {body:?}");
        }
    }
    assert_eq!((ledger.sql.rows(), known.rows()), rows);
}

#[test]
fn members_of_later_versions_are_skipped() {
    let ledger = Ledger::new();
    let body = br#"{"limit":5,"state":null,"order":"oldest"}"#;
    assert_eq!(answer(&ledger.sql, NAME, "v1/batches", body, 9).unwrap().body, br#"{"batches":[]}"#);
}
