//! Pieces: what an object gives does not depend on how it is handed in.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::{Index, select};
use raydex::record::Dataset;
use raydex::sample::SamplePlan;

use super::read;
use super::support::gzip::gzip_at;

/// `bytes`, cut at these places.
fn cut<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// Text with all that lines are told by.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> =
        vec![b"\n", b"\r\n", b"\r", b" ", b"\xef\xbb\xbf", b"{\"a\":1}", b"\0", b"\x1f\x8b", b"long"];
    vec(select(pieces), 0..80).prop_map(|pieces| pieces.concat())
}

/// An object: gzip of several members, or text; whole, cut or with something behind it.
fn object() -> impl Strategy<Value = Vec<u8>> {
    let gzip = (text(), vec(any::<Index>(), 0..4), 0_u32..=9).prop_map(|(text, cuts, level)| {
        cut(&text, &cuts).into_iter().flat_map(|member| gzip_at(level, member)).collect::<Vec<u8>>()
    });
    let whole = prop_oneof![4 => gzip, 1 => text()];
    let behind = select(vec![&b""[..], b"", b"", b"\0\0\0", b"\0x", b"x", b"\x1f"]);
    (whole, behind, any::<Index>(), any::<u8>()).prop_map(|(whole, behind, end, keep)| {
        let mut object = [&whole, behind].concat();
        if keep < 40 {
            object.truncate(end.index(object.len() + 1));
        }
        object
    })
}

proptest! {
    #[test]
    fn reading_does_not_depend_on_cuts(object in object(), cuts in vec(any::<Index>(), 0..12)) {
        let whole = read([object.as_slice()]);
        prop_assert_eq!(read(cut(&object, &cuts)), whole.clone());
        prop_assert_eq!(read(object.chunks(1)), whole);
    }
}

#[test]
fn generated_batch_may_come_in_any_pieces() {
    let plan = SamplePlan { records: 400, members: 3, ..SamplePlan::default() };
    let batch = plan.batch(Dataset::HttpRequests, 1);
    let whole = read([batch.gzip.as_slice()]);
    assert!(whole.is_ok());
    for size in [1, 2, 3, 7, 255, 4096, 65_535, 65_536] {
        assert_eq!(read(batch.gzip.chunks(size)), whole, "pieces of {size}");
        assert_eq!(read(batch.ndjson.chunks(size)).unwrap().0, whole.as_ref().unwrap().0, "text in pieces of {size}");
    }
}
