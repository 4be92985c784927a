//! Rewrites a batch without its erased lines: blanks take their place, so that every other line keeps its bytes and its offset.
//!
//! # Invariants
//! The object is replaced only as the version that was read, apart from one of more than [`UPLOAD_PART`] stored bytes, which is
//! looked at last before its parts are joined. A damaged object stays as it is.

use std::io::Write;
use std::ops::ControlFlow;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::read_permit::{HeartbeatBody, acquire_read_permit};
use crate::backend::{BackendError, Bucket, ByteStream, MultipartUpload, RangedRead, RewriteNote, WholeBody};
use crate::batch::{GZIP_MAGIC, Inflater};
use crate::limits::UPLOAD_PART;
use crate::record::Dataset;
use crate::services::Services;

/// Rewrites this version of a batch with blanks in the place of the lines at these offsets, ascending; it was read as `dataset`.
/// Returns whether it did: another version, or a damaged one, stays.
///
/// # Errors
/// [`BackendError`] if the bucket failed; the object may have been rewritten.
pub(super) async fn rewrite_object(
    services: &impl Services,
    (key, etag, dataset): (&str, &str, Dataset),
    lines: &[u64],
) -> Result<bool, BackendError> {
    let permit = acquire_read_permit(services).await?;
    let bucket = services.bucket();
    let Some((head, body)) = bucket.get(key).await?.filter(|(head, _)| head.etag == etag) else { return Ok(false) };
    let note = match head.rewrite {
        Some(note) => RewriteNote { revision: note.revision.saturating_add(1), ..note },
        None => RewriteNote { etag: head.etag, uploaded_ms: head.uploaded_ms, revision: 1, dataset },
    };
    let body = WholeBody::new(body, head.size);
    let mut body = HeartbeatBody { permit: &permit, now_ms: || services.now_ms(), body };
    let mut rewriter = Rewriter::new(lines);
    let mut parts = Parts { bucket, key, etag, note: &note, upload: None };
    while let Some(piece) = body.next().await? {
        if rewriter.push(&piece).is_none() {
            parts.abort().await;
            return Ok(false);
        }
        while let Some(part) = rewriter.full_part() {
            parts.send(part).await?;
        }
    }
    let Some(rest) = rewriter.finish() else {
        parts.abort().await;
        return Ok(false);
    };
    parts.finish(rest).await
}

/// The way of an object's new bytes to the bucket.
struct Parts<'a, B: Bucket> {
    bucket: &'a B,
    key: &'a str,
    /// The entity tag of the version that is replaced.
    etag: &'a str,
    note: &'a RewriteNote,
    upload: Option<B::Upload>,
}

impl<B: Bucket> Parts<'_, B> {
    async fn send(&mut self, part: Vec<u8>) -> Result<(), BackendError> {
        let mut upload = match self.upload.take() {
            Some(upload) => upload,
            None => self.bucket.rewrite(self.key, self.etag, self.note).await?,
        };
        let sent = upload.part(part).await;
        if sent.is_err() {
            let _parts_expire = upload.abort().await;
        } else {
            self.upload = Some(upload);
        }
        sent
    }

    /// Completes the object with its last bytes; returns whether it took the place of the version that was read.
    async fn finish(mut self, rest: Vec<u8>) -> Result<bool, BackendError> {
        if self.upload.is_none() {
            return self.bucket.replace(self.key, self.etag, rest, self.note).await;
        }
        if !rest.is_empty() {
            self.send(rest).await?;
        }
        let Some(upload) = self.upload.take() else { return Ok(false) };
        match self.bucket.get_range(self.key, Some(self.etag), 0..1).await {
            Ok(RangedRead::Body(_)) => upload.complete().await.map(|_| true),
            outcome => {
                let _parts_expire = upload.abort().await;
                outcome.map(|_| false)
            }
        }
    }

    async fn abort(self) {
        if let Some(upload) = self.upload {
            let _parts_expire = upload.abort().await;
        }
    }
}

/// Makes the new bytes of an object from its stored ones.
struct Rewriter<'a> {
    inflater: Inflater,
    /// The new bytes; `None` before the first stored ones, which show the form.
    out: Option<RewrittenBytes>,
    blanks: Blanks<'a>,
}

impl<'a> Rewriter<'a> {
    fn new(lines: &'a [u64]) -> Self {
        let blanks = Blanks { lines, position: 0, is_inside: false };
        Self { inflater: Inflater::new(), out: None, blanks }
    }

    /// Takes the next stored bytes; `None` if the object is damaged.
    fn push(&mut self, stored: &[u8]) -> Option<()> {
        let Self { inflater, out, blanks } = self;
        let out = out.get_or_insert_with(|| RewrittenBytes::in_form_of(stored));
        let mut text = Vec::new();
        let flow = inflater.push(stored, |inflated, _| {
            text.clear();
            text.extend_from_slice(inflated);
            blanks.take(&mut text);
            out.write(&text)
        });
        matches!(flow, Ok(ControlFlow::Continue(()))).then_some(())
    }

    /// Returns the next part of the new bytes, if there are more of them than one has.
    fn full_part(&mut self) -> Option<Vec<u8>> {
        let made = self.out.as_mut()?.made();
        if made.len() <= UPLOAD_PART {
            return None;
        }
        let rest = made.split_off(UPLOAD_PART);
        Some(std::mem::replace(made, rest))
    }

    /// Returns the last bytes; `None` if the object is damaged.
    fn finish(self) -> Option<Vec<u8>> {
        self.inflater.finish().ok()?;
        match self.out? {
            RewrittenBytes::Gzip(encoder) => encoder.finish().ok(),
            RewrittenBytes::Plain(bytes) => Some(bytes),
        }
    }
}

/// The new bytes of an object, in the form that it had.
enum RewrittenBytes {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Plain(Vec<u8>),
}

impl RewrittenBytes {
    /// None yet, in the form that these first stored bytes show.
    fn in_form_of(stored: &[u8]) -> Self {
        if stored.first() == Some(&GZIP_MAGIC) {
            Self::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::default())))
        } else {
            Self::Plain(Vec::new())
        }
    }

    fn write(&mut self, text: &[u8]) -> ControlFlow<()> {
        match self {
            Self::Gzip(encoder) => match encoder.write_all(text) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            },
            Self::Plain(bytes) => {
                bytes.extend_from_slice(text);
                ControlFlow::Continue(())
            }
        }
    }

    fn made(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Plain(bytes) => bytes,
        }
    }
}

/// Blanks the lines that begin at some offsets, up to their line feeds.
struct Blanks<'a> {
    /// The offsets of the lines that are still to come, ascending.
    lines: &'a [u64],
    /// Number of bytes of text so far.
    position: u64,
    /// Whether the text goes on inside of such a line.
    is_inside: bool,
}

impl Blanks<'_> {
    fn take(&mut self, text: &mut [u8]) {
        let mut rest = text;
        while !rest.is_empty() {
            let length = if self.is_inside { self.blank_line(rest) } else { self.keep_lines(rest.len()) };
            self.position += length as u64;
            rest = rest.get_mut(length..).unwrap_or_default();
        }
    }

    /// Blanks the rest of a line; returns its length in this text.
    fn blank_line(&mut self, text: &mut [u8]) -> usize {
        let end = text.iter().position(|byte| *byte == b'\n');
        self.is_inside = end.is_none();
        let length = end.unwrap_or(text.len());
        text.iter_mut().take(length).for_each(|byte| *byte = b' ');
        length
    }

    /// Returns the number of bytes before the next such line, of `most`.
    fn keep_lines(&mut self, most: usize) -> usize {
        let Some((next, after)) = self.lines.split_first() else { return most };
        let before = usize::try_from(next.saturating_sub(self.position)).unwrap_or(usize::MAX);
        if before >= most {
            return most;
        }
        (self.lines, self.is_inside) = (after, true);
        before
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::ops::ControlFlow;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::Rewriter;
    use crate::batch::Inflater;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn rewritten(stored: &[u8], piece: usize, lines: &[u64]) -> Option<Vec<u8>> {
        let mut rewriter = Rewriter::new(lines);
        stored.chunks(piece).try_for_each(|piece| rewriter.push(piece))?;
        rewriter.finish()
    }

    #[test]
    fn damaged_object_is_not_rewritten() {
        let stored = gzip(b"a\nb\n");
        for cut in 1..stored.len() {
            assert_eq!(rewritten(&stored[..cut], 7, &[0]), None, "{cut}");
        }
        assert_eq!(rewritten(b"", 1, &[]), None);
    }

    proptest! {
        #[test]
        fn all_else_keeps_its_bytes_and_place(
            lines in prop::collection::vec(("[a-z\u{e9} {}]{0,12}", any::<bool>()), 1..12),
            newline in any::<bool>(), zipped in any::<bool>(), piece in 1..40_usize,
        ) {
            let (mut text, mut expected, mut starts) = (Vec::new(), Vec::new(), Vec::new());
            for (line, erased) in &lines {
                if *erased {
                    starts.push(text.len() as u64);
                }
                text.extend_from_slice(line.as_bytes());
                let shown = if *erased { " ".repeat(line.len()) } else { line.clone() };
                expected.extend_from_slice(shown.as_bytes());
                text.push(b'\n');
                expected.push(b'\n');
            }
            if !newline {
                text.pop();
                expected.pop();
            }
            if text.is_empty() {
                return Ok(());
            }
            let stored = if zipped { gzip(&text) } else { text };
            let out = rewritten(&stored, piece, &starts).unwrap();
            let (mut found, mut inflater) = (Vec::new(), Inflater::new());
            let _flow = inflater.push(&out, |text, _| {
                found.extend_from_slice(text);
                ControlFlow::Continue(())
            });
            prop_assert!(inflater.finish().is_ok());
            prop_assert_eq!(found, expected);
        }
    }
}
