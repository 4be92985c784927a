//! gzip as others write it.

use std::io::{Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

/// One member of this text, at this level.
pub fn gzip_at(level: u32, text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// One member of this text.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    gzip_at(6, text)
}

/// One member for each text, one after the other.
pub fn members(texts: &[&[u8]]) -> Vec<u8> {
    texts.iter().flat_map(|text| gzip(text)).collect()
}

/// One member whose header holds these beside the text.
pub fn gzip_with(header: GzBuilder, text: &[u8]) -> Vec<u8> {
    let mut encoder = header.write(Vec::new(), Compression::new(6));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// What all members of `stored` inflate to.
pub fn gunzip(stored: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    MultiGzDecoder::new(stored).read_to_end(&mut text).unwrap();
    text
}

/// What each member inflates to.
pub fn gunzip_each(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    while !bytes.is_empty() {
        let (mut member, mut text) = (flate2::bufread::GzDecoder::new(bytes), Vec::new());
        member.read_to_end(&mut text).unwrap();
        bytes = member.into_inner();
        texts.push(text);
    }
    texts
}
