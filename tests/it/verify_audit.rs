//! The program `verify-audit`: it says whether a chain holds, and where a tampered one breaks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use raydex::audit::calls::ChainEntry;
use raydex::audit::segment::SegmentWriter;
use raydex::bucket_keys::segment_key;

/// Entries of a segment.
const ENTRIES: usize = 100;

/// The entries of a chain, whose texts have this word.
fn chain(word: &str, count: u64) -> Vec<ChainEntry> {
    let mut last = "0".repeat(64);
    let entry = |seq| {
        let entry = format!(r#"{{"v":1,"seq":{seq},"actor":"{word}"}}"#);
        last = raydex::audit::chain::hash(&last, &entry);
        ChainEntry { seq, hash: last.clone(), entry }
    };
    (1..=count).map(entry).collect()
}

/// A folder with these entries as segments under their keys.
fn folder(name: &str, segments: &[&[ChainEntry]]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verify-audit").join(name);
    let _none = fs::remove_dir_all(&folder);
    for kept in segments {
        let mut writer = SegmentWriter::default();
        kept.iter().for_each(|kept| writer.push(kept).unwrap());
        let (first, last) = (kept.first().unwrap(), kept.last().unwrap());
        let path = folder.join(segment_key(first.seq, last.seq, &last.hash));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, writer.finish().unwrap()).unwrap();
    }
    folder
}

fn verify(arguments: &[&str], paths: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_verify-audit")).args(arguments).args(paths).output().unwrap()
}

/// The code that the program ends with, and what it prints.
fn checked(arguments: &[&str], path: &Path) -> (i32, String) {
    let Output { status, stdout, stderr } = verify(arguments, &[path]);
    (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn whole_chain_of_segments_holds() {
    let kept = chain("a", 1_000);
    let segments: Vec<_> = kept.chunks(ENTRIES).collect();
    let folder = folder("whole", &segments);
    let (code, text) = checked(&[], &folder);
    let last = &kept[999].hash;
    assert_eq!((code, text), (0, format!("1000 entries, 1 to 1000: the chain holds. Last hash: {last}\n")));
    assert_eq!(checked(&["--head", &format!("1000:{last}")], &folder).0, 0);
    let (code, text) = checked(&["--head", &format!("1001:{last}")], &folder);
    assert!(code == 1 && text.contains("should end at entry 1001"), "{text}");
}

#[test]
fn tampered_chain_breaks_where_it_was_changed() {
    let (kept, other) = (chain("a", 300), chain("b", 300));
    let mut changed = kept.clone();
    changed[149].entry = changed[149].entry.replace("\"a\"", "\"c\"");
    let mut swapped = kept.clone();
    swapped.swap(149, 150);
    let spliced = [&kept[..150], &other[150..]].concat();
    for (name, segments, words) in [
        ("changed", vec![&changed[..100], &changed[100..200], &changed[200..]], "entry 150: its hash does not follow"),
        ("swapped", vec![&swapped[..100], &swapped[100..200], &swapped[200..]], "entry 150 comes after entry 151"),
        ("spliced", vec![&spliced[..100], &spliced[100..200], &spliced[200..]], "entry 151: its hash does not follow"),
        ("cut", vec![&kept[..100], &kept[200..]], "the entries 101 to 200 are missing"),
        ("headless", vec![&kept[100..200], &kept[200..]], "the entries 1 to 100 are missing"),
        ("joined", vec![&kept[..100], &other[100..200], &kept[200..]], "entry 101: its hash does not follow"),
    ] {
        let (code, text) = checked(&[], &folder(name, &segments));
        assert!(code == 1 && text.contains(words) && text.contains("the chain breaks in"), "{name}: {text}");
    }
}

#[test]
fn segment_that_is_not_its_name_is_seen() {
    let kept = chain("a", 200);
    let place = folder("named", &[&kept[..100], &kept[100..]]);
    let path = place.join(segment_key(101, 200, &kept[199].hash));
    let mut writer = SegmentWriter::default();
    kept[100..190].iter().for_each(|kept| writer.push(kept).unwrap());
    let short = writer.finish().unwrap();
    fs::write(&path, &short).unwrap();
    let (code, text) = checked(&[], &place);
    assert!(code == 1 && text.contains("ends at entry 190, and should end at entry 200"), "{text}");
    fs::write(&path, &short[..short.len() / 2]).unwrap();
    let (code, text) = checked(&[], &place);
    assert!(code == 1 && text.contains("the gzip stream is damaged"), "{text}");
}

#[test]
fn chain_that_begins_later_is_verified_from_there() {
    let kept = chain("a", 300);
    let folder = folder("later", &[&kept[100..200], &kept[200..]]);
    let (code, text) = checked(&[], &folder);
    assert!(code == 1 && text.contains("--after 100"), "{text}");
    assert_eq!(checked(&["--after", "100"], &folder).0, 0);
    assert_eq!(checked(&["--after", &format!("100:{}", kept[99].hash)], &folder).0, 0);
    assert_eq!(checked(&["--after", &format!("100:{}", kept[98].hash)], &folder).0, 1);
}

#[test]
fn export_is_verified_by_its_trailer() {
    let kept = chain("a", 50);
    let place = folder("export", &[]);
    fs::create_dir_all(&place).unwrap();
    let path = place.join("audit.ndjson");
    let lines: Vec<String> = kept.iter().map(|kept| serde_json::to_string(kept).unwrap()).collect();
    let trailer = |complete: bool, after: &str, last: &ChainEntry| {
        let ChainEntry { seq, hash, .. } = last;
        format!(r#"{{"raydex":{{"complete":{complete},"last":{{"seq":{seq},"hash":"{hash}"}},"after":{after}}}}}"#)
    };
    for (lines, trailer, words) in [
        (&lines[..], Some(trailer(true, "null", &kept[49])), None),
        (&lines[..40], Some(trailer(true, "null", &kept[49])), Some("should end at entry 50")),
        (&lines[..40], Some(trailer(false, "40", &kept[39])), Some("it continues with after=40")),
        (&lines[..], None, Some("ends without its trailer")),
        (&[][..], Some(trailer(true, "null", &kept[49])), Some("there are no entries")),
    ] {
        let text: Vec<&str> = lines.iter().chain(&trailer).map(String::as_str).collect();
        fs::write(&path, text.join("\n") + "\n").unwrap();
        let (code, said) = checked(&[], &path);
        assert_eq!(code, i32::from(words.is_some()), "{said}");
        assert!(words.is_none_or(|words| said.contains(words)), "{said}");
    }
}

#[test]
fn bad_option_is_named_with_code_two() {
    for arguments in [&["--head", "x"][..], &["--what"], &[]] {
        let Output { status, stderr, .. } = verify(arguments, &[]);
        assert_eq!(status.code(), Some(2));
        assert!(String::from_utf8(stderr).unwrap().contains("See verify-audit --help."));
    }
    assert_eq!(checked(&[], Path::new("/no/such/folder")).0, 2);
    assert!(checked(&["--help"], Path::new("x")).1.starts_with("Holds entries"));
}
