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
    chain_of(0, word, count)
}

/// Those of the chain of this number.
fn chain_of(number: u8, word: &str, count: u64) -> Vec<ChainEntry> {
    let mut last = format!("{number:064}");
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
    add_segments(&folder, 0, segments);
    folder
}

/// Writes entries of a chain as segments under their keys.
fn add_segments(folder: &Path, number: u8, segments: &[&[ChainEntry]]) {
    for kept in segments {
        let mut writer = SegmentWriter::default();
        kept.iter().for_each(|kept| writer.push(kept).unwrap());
        let (first, last) = (kept.first().unwrap(), kept.last().unwrap());
        let path = folder.join(segment_key(number, first.seq, last.seq, &last.hash));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, writer.finish().unwrap()).unwrap();
    }
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
    let path = place.join(segment_key(0, 101, 200, &kept[199].hash));
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
fn chains_are_verified_each_by_itself() {
    let chains: Vec<_> = (0..3).map(|number| chain_of(number, "a", 200)).collect();
    let write = |name: &str, change: fn(u8, &mut Vec<ChainEntry>)| {
        let folder = folder(name, &[]);
        for (number, kept) in (0..).zip(&chains) {
            let mut kept = kept.clone();
            change(number, &mut kept);
            add_segments(&folder, number, &kept.chunks(ENTRIES).collect::<Vec<_>>());
        }
        folder
    };
    let place = write("chains", |_, _| ());
    let line = |number: usize| {
        format!("chain {number}: 200 entries, 1 to 200: the chain holds. Last hash: {}\n", chains[number][199].hash)
    };
    assert_eq!(checked(&[], &place), (0, [line(0), line(1), line(2)].concat()));
    let head = |number: usize| format!("{number}/200:{}", chains[number][199].hash);
    assert_eq!(
        checked(&["--head", &head(1), "--head", &head(2), "--head", head(0).trim_start_matches("0/")], &place).0,
        0
    );
    let (code, text) = checked(&["--head", &head(1).replace("1/", "2/")], &place);
    assert!(code == 1 && text.contains("chain 2: --head: the chain ends at entry 200"), "{text}");
    let changed = write("chains-changed", |number, kept| {
        if number == 1 {
            kept[149].entry = kept[149].entry.replace("\"a\"", "\"c\"");
        }
    });
    let (code, text) = checked(&[], &changed);
    assert!(
        code == 1 && text.starts_with("chain 1: ") && text.contains("entry 150: its hash does not follow"),
        "{text}"
    );
    assert!(text.contains(&line(0)) && text.contains(&line(2)), "the others hold: {text}");
    let later = folder("chains-later", &[]);
    add_segments(&later, 2, &[&chains[2][100..]]);
    let (code, text) = checked(&[], &later);
    assert!(code == 1 && text.contains("--after 2/100"), "{text}");
    assert_eq!(checked(&["--after", &format!("2/100:{}", chains[2][99].hash)], &later).0, 0);
    assert_eq!(checked(&["--after", &format!("2/100:{}", chains[1][99].hash)], &later).0, 1);
}

#[test]
fn chain_under_the_name_of_another_is_seen() {
    let place = folder("renamed", &[]);
    add_segments(&place, 2, &[&chain_of(1, "a", 50)]);
    let (code, text) = checked(&[], &place);
    assert!(code == 1 && text.contains("chain 2: ") && text.contains("entry 1: its hash does not follow"), "{text}");
    add_segments(&place, 99, &[&chain_of(1, "a", 50)]);
    assert!(checked(&[], &place).1.contains("there is no chain 99"));
}

#[test]
fn export_of_chains_is_verified_by_their_ends() {
    let chains: Vec<_> = (0..3).map(|number| chain_of(number, "a", 5)).collect();
    let place = folder("export-chains", &[]);
    fs::create_dir_all(&place).unwrap();
    let path = place.join("audit.ndjson");
    let line = |number: usize, kept: &ChainEntry| {
        serde_json::to_string(kept).unwrap().replacen('{', &format!(r#"{{"chain":{number},"#), 1)
    };
    let end = |number: usize| {
        let ChainEntry { seq, hash, .. } = &chains[number][4];
        format!(r#"{{"chain":{number},"chain_valid":true,"last":{{"seq":{seq},"hash":"{hash}"}},"head":null}}"#)
    };
    let trailer = format!(
        r#"{{"raydex":{{"complete":true,"last":null,"head":null,"chains":[{},{},{}],"after":null}}}}"#,
        end(0),
        end(1),
        end(2)
    );
    // By turns, as entries of the same times are.
    let lines: Vec<String> = (0..15).map(|at| line(at % 3, &chains[at % 3][at / 3])).collect();
    let check = |lines: &[String], trailer: &str| {
        fs::write(&path, [lines, &[trailer.to_owned()]].concat().join("\n") + "\n").unwrap();
        checked(&[], &path)
    };
    assert_eq!(check(&lines, &trailer).0, 0);
    let without: Vec<String> = lines.iter().filter(|line| !line.starts_with("{\"chain\":1,")).cloned().collect();
    let (code, text) = check(&without, &trailer);
    assert!(code == 1 && text.contains("chain 1: ") && text.contains("should end at entry 5"), "{text}");
    let (code, text) = check(&lines[..13], &trailer);
    assert!(code == 1 && text.contains("chain 1: ") && text.contains("chain 2: "), "{text}");
    let incomplete = r#"{"raydex":{"complete":false,"last":null,"after":"c1.5.5.4"}}"#;
    assert!(check(&lines[..14], incomplete).1.contains("it continues with after=c1.5.5.4"));
}

#[test]
fn bad_option_is_named_with_code_two() {
    for arguments in [&["--head", "x"][..], &["--head", "16/1:5a"], &["--after", "x/1"], &["--what"], &[]] {
        let Output { status, stderr, .. } = verify(arguments, &[]);
        assert_eq!(status.code(), Some(2));
        assert!(String::from_utf8(stderr).unwrap().contains("See verify-audit --help."));
    }
    assert_eq!(checked(&[], Path::new("/no/such/folder")).0, 2);
    assert!(checked(&["--help"], Path::new("x")).1.starts_with("Holds entries"));
}
