//! The bucket in memory.
//!
//! It accuses: parts of another size than R2 takes, an upload without parts, one that is neither completed nor
//! aborted, a key that R2 would refuse, a stream read on after its error.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use raydex::backend::{
    BackendError, Bucket, ByteStream, ListPage, ListRequest, MultipartUpload, ObjectHead, RangedRead, RewriteNote,
};
use raydex::limits::{LIST_PAGE, UPLOAD_PART};
use sha2::{Digest, Sha256};

use super::{Faults, Kind, NOW_MS};

/// One stored object.
#[derive(Debug, Clone)]
pub struct Stored {
    pub bytes: Rc<Vec<u8>>,
    pub head: ObjectHead,
    /// Who uploaded it to raydex.
    pub uploader: Option<String>,
    /// The label of the edge logger.
    pub edge_label: Option<String>,
}

/// What happens while something is written.
#[derive(Default)]
struct Meanwhile(RefCell<Option<Box<dyn FnOnce()>>>);

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}

#[derive(Debug)]
struct State {
    meanwhile: Meanwhile,
    /// Others write at keys of ours.
    other_writers: Cell<bool>,
    /// The Worker may only read.
    read_only: Cell<bool>,
    objects: RefCell<BTreeMap<String, Stored>>,
    clock_ms: Cell<i64>,
    /// Sizes of the pieces that bodies come in, over and over.
    pieces: RefCell<Vec<usize>>,
    /// A body ends after this many bytes, without an error.
    cut_after: Cell<Option<usize>>,
    open_uploads: Cell<usize>,
    aborted_uploads: Cell<usize>,
    page: Cell<usize>,
    /// Bytes given out by ranged reads.
    ranged: Cell<usize>,
}

/// The bucket; its clones are the same one.
#[derive(Debug, Clone)]
pub struct MemoryBucket {
    state: Rc<State>,
    faults: Faults,
}

impl MemoryBucket {
    pub fn new(faults: &Faults) -> Self {
        let state = State {
            meanwhile: Meanwhile::default(),
            other_writers: Cell::default(),
            read_only: Cell::default(),
            objects: RefCell::default(),
            clock_ms: Cell::new(NOW_MS),
            pieces: RefCell::new(vec![64 * 1024]),
            cut_after: Cell::default(),
            open_uploads: Cell::default(),
            aborted_uploads: Cell::default(),
            page: Cell::new(LIST_PAGE),
            ranged: Cell::default(),
        };
        Self { state: Rc::new(state), faults: faults.clone() }
    }

    /// How many bytes ranged reads have given out.
    pub fn ranged(&self) -> usize {
        self.state.ranged.get()
    }

    /// Bodies come in pieces of these sizes from now on.
    pub fn set_pieces(&self, sizes: &[usize]) {
        *self.state.pieces.borrow_mut() = sizes.to_vec();
    }

    /// The next object is written a second after this instant.
    pub fn set_clock(&self, ms: i64) {
        self.state.clock_ms.set(ms);
    }

    /// Bodies end after this many bytes from now on, as if the connection had been cut.
    pub fn cut_after(&self, bytes: Option<usize>) {
        self.state.cut_after.set(bytes);
    }

    /// Writes an object as someone else would: no call of ours, a second later than the last one.
    pub fn store(&self, key: &str, bytes: &[u8]) -> ObjectHead {
        assert!(!key.is_empty() && key.len() <= 1024, "R2 takes keys of 1 to 1024 bytes");
        let now = self.state.clock_ms.get() + 1000;
        self.state.clock_ms.set(now);
        let etag = hex::encode(&Sha256::digest(bytes)[..16]);
        let head = ObjectHead { etag, size: bytes.len() as u64, uploaded_ms: now, rewrite: None };
        let stored = Stored { bytes: Rc::new(bytes.to_vec()), head: head.clone(), uploader: None, edge_label: None };
        self.state.objects.borrow_mut().insert(key.to_owned(), stored);
        head
    }

    /// Writes an object with a label of the edge logger.
    pub fn put_labelled(&self, key: &str, bytes: &[u8], label: &str) -> ObjectHead {
        let head = self.store(key, bytes);
        self.state.objects.borrow_mut().get_mut(key).unwrap().edge_label = Some(label.to_owned());
        head
    }

    /// Writes an object that someone uploads.
    fn store_upload(&self, key: &str, bytes: &[u8], uploader: &str) -> ObjectHead {
        let head = self.store(key, bytes);
        self.state.objects.borrow_mut().get_mut(key).unwrap().uploader = Some(uploader.to_owned());
        head
    }

    /// Writes an object in the place of another version.
    fn store_rewritten(&self, key: &str, bytes: &[u8], old: &Stored, note: &RewriteNote) -> ObjectHead {
        self.store(key, bytes);
        let mut objects = self.state.objects.borrow_mut();
        let stored = objects.get_mut(key).unwrap();
        (stored.uploader, stored.edge_label) = (old.uploader.clone(), old.edge_label.clone());
        stored.head.rewrite = Some(note.clone());
        stored.head.clone()
    }

    /// Other bytes under the same head, as many: what a reader that knows more makes of an object.
    pub fn replace_bytes(&self, key: &str, bytes: &[u8]) {
        let mut objects = self.state.objects.borrow_mut();
        let stored = objects.get_mut(key).unwrap_or_else(|| panic!("there is no {key}"));
        assert_eq!(bytes.len() as u64, stored.head.size);
        stored.bytes = Rc::new(bytes.to_vec());
    }

    /// Deletes an object as someone else would; says whether it was there.
    pub fn delete(&self, key: &str) -> bool {
        self.state.objects.borrow_mut().remove(key).is_some()
    }

    /// The object at `key`.
    pub fn object(&self, key: &str) -> Option<Stored> {
        self.state.objects.borrow().get(key).cloned()
    }

    /// All objects, by key.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let objects = self.state.objects.borrow();
        objects.iter().map(|(key, stored)| (key.clone(), stored.bytes.to_vec())).collect()
    }

    /// Others write at keys of ours, too: that something else lies there is no accusation any more.
    pub fn has_other_writers(&self) {
        self.state.other_writers.set(true);
    }

    /// Writes and deletes of the Worker are accused from now on.
    pub fn refuse_writes(&self) {
        self.state.read_only.set(true);
    }

    fn check_writable(&self, key: &str) {
        assert!(!self.state.read_only.get(), "{key}: the Worker writes to a read-only bucket");
    }

    /// This happens while the next new object is written.
    pub fn meanwhile(&self, work: impl FnOnce() + 'static) {
        *self.state.meanwhile.0.borrow_mut() = Some(Box::new(work));
    }

    /// How many uploads were aborted; none may still be open.
    pub fn aborted_uploads(&self) -> usize {
        assert_eq!(self.state.open_uploads.get(), 0, "an upload was neither completed nor aborted");
        self.state.aborted_uploads.get()
    }

    /// Objects of one page, from now on: small, so that tests see more than one.
    pub fn set_page(&self, objects: usize) {
        self.state.page.set(objects);
    }

    fn close_upload(&self) {
        self.state.open_uploads.set(self.state.open_uploads.get() - 1);
    }
}

impl Bucket for MemoryBucket {
    type Body = MemoryBody;
    type Upload = MemoryUpload;

    async fn get(&self, key: &str) -> Result<Option<(ObjectHead, MemoryBody)>, BackendError> {
        self.faults.step(Kind::Get).await;
        self.faults.call(Kind::Get, || {
            let Some(stored) = self.object(key) else { return Ok(None) };
            let end = self.state.cut_after.get().unwrap_or(usize::MAX).min(stored.bytes.len());
            let pieces = self.state.pieces.borrow().clone();
            let body = MemoryBody::new(stored.bytes[..end].to_vec(), pieces, &self.faults);
            Ok(Some((stored.head, body)))
        })
    }

    async fn get_range(
        &self,
        key: &str,
        etag: Option<&str>,
        bytes: Range<u64>,
    ) -> Result<RangedRead<MemoryBody>, BackendError> {
        assert!(bytes.start < bytes.end, "{key}: R2 refuses a range without bytes");
        self.faults.step(Kind::GetRange).await;
        self.faults.call(Kind::GetRange, || {
            let Some(stored) = self.object(key) else { return Ok(RangedRead::Gone) };
            if etag.is_some_and(|etag| etag != stored.head.etag) {
                return Ok(RangedRead::Changed);
            }
            if bytes.start >= stored.head.size {
                // Of what we made ourselves, only someone else can have taken bytes away.
                assert!(key.starts_with("raydex/payloads/"), "{key}: R2 refuses a range behind the end");
                return Err(BackendError::new("reading a part of an object", "the range is behind the end"));
            }
            let cut = self.state.cut_after.get().map_or(bytes.end, |cut| bytes.end.min(bytes.start + cut as u64));
            let range = usize::try_from(bytes.start).unwrap()..usize::try_from(cut.min(stored.head.size)).unwrap();
            self.state.ranged.set(self.state.ranged.get() + range.len());
            let pieces = self.state.pieces.borrow().clone();
            Ok(RangedRead::Body(MemoryBody::new(stored.bytes[range].to_vec(), pieces, &self.faults)))
        })
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<ObjectHead, BackendError> {
        self.check_writable(key);
        self.faults.call(Kind::Put, || Ok(self.store(key, &bytes)))
    }

    async fn put_new(&self, key: &str, bytes: Vec<u8>) -> Result<bool, BackendError> {
        self.check_writable(key);
        let meanwhile = self.state.meanwhile.0.borrow_mut().take();
        if let Some(work) = meanwhile {
            work();
        }
        self.faults.call(Kind::PutNew, || {
            if let Some(there) = self.object(key) {
                let is_ours = *there.bytes == bytes || self.state.other_writers.get();
                assert!(is_ours, "{key} is to be other bytes: a create-only key is made of its content");
                return Ok(false);
            }
            self.store(key, &bytes);
            Ok(true)
        })
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        self.check_writable(keys.first().map_or("", String::as_str));
        assert!((1..=LIST_PAGE).contains(&keys.len()), "R2 removes 1 to {LIST_PAGE} objects at once");
        self.faults.call(Kind::Delete, || {
            for key in keys {
                self.delete(key);
            }
            Ok(())
        })
    }

    async fn list(&self, ask: &ListRequest) -> Result<ListPage, BackendError> {
        self.faults.call(Kind::List, || {
            let objects = self.state.objects.borrow();
            Ok(list_page(objects.iter().map(|(key, stored)| (key, &stored.head)), ask, self.state.page.get()))
        })
    }

    async fn put_upload(&self, key: &str, bytes: Vec<u8>, uploader: &str) -> Result<ObjectHead, BackendError> {
        self.check_writable(key);
        self.faults.call(Kind::Put, || Ok(self.store_upload(key, &bytes, uploader)))
    }

    async fn uploader(&self, key: &str, etag: &str) -> Result<Option<String>, BackendError> {
        self.faults.call(Kind::Get, || {
            Ok(self.object(key).filter(|stored| stored.head.etag == etag).and_then(|stored| stored.uploader))
        })
    }

    async fn edge_label(&self, key: &str, etag: &str) -> Result<Option<String>, BackendError> {
        self.faults.call(Kind::Get, || {
            Ok(self.object(key).filter(|stored| stored.head.etag == etag).and_then(|stored| stored.edge_label))
        })
    }

    async fn replace(&self, key: &str, etag: &str, bytes: Vec<u8>, note: &RewriteNote) -> Result<bool, BackendError> {
        self.check_writable(key);
        self.faults.call(Kind::Put, || {
            let Some(old) = self.object(key).filter(|old| old.head.etag == etag) else { return Ok(false) };
            self.store_rewritten(key, &bytes, &old, note);
            Ok(true)
        })
    }

    async fn rewrite(&self, key: &str, etag: &str, note: &RewriteNote) -> Result<MemoryUpload, BackendError> {
        self.check_writable(key);
        self.faults.call(Kind::Upload, || {
            let old = self.object(key).filter(|old| old.head.etag == etag);
            let old = old.ok_or_else(|| BackendError::new("rewriting an object", "it is another version now"))?;
            self.state.open_uploads.set(self.state.open_uploads.get() + 1);
            let rewritten = Some((Box::new(old), note.clone()));
            Ok(MemoryUpload {
                bucket: self.clone(),
                key: key.to_owned(),
                uploader: String::new(),
                parts: Vec::new(),
                rewritten,
            })
        })
    }

    async fn upload(&self, key: &str, uploader: &str) -> Result<MemoryUpload, BackendError> {
        self.check_writable(key);
        self.faults.call(Kind::Upload, || {
            self.state.open_uploads.set(self.state.open_uploads.get() + 1);
            Ok(MemoryUpload {
                bucket: self.clone(),
                key: key.to_owned(),
                uploader: uploader.to_owned(),
                parts: Vec::new(),
                rewritten: None,
            })
        })
    }
}

/// One page of a listing, as R2 gives it: objects and folders in one order, the cursor after the last of them. Where it
/// begins after a key, folders that sort before that key are not listed, whatever is in them.
pub fn list_page<'a>(
    objects: impl Iterator<Item = (&'a String, &'a ObjectHead)>,
    ask: &ListRequest,
    most: usize,
) -> ListPage {
    let start = ask.cursor.as_ref().or(ask.after.as_ref());
    let is_listed = |name: &String| start.is_none_or(|start| name > start);
    let mut listed = ListPage::default();
    let mut last = None;
    for (key, head) in objects {
        let Some(rest) = key.strip_prefix(&ask.prefix).filter(|_| is_listed(key)) else { continue };
        let folder =
            rest.find('/').filter(|_| ask.by_folder).map(|end| format!("{}{}/", ask.prefix, rest.split_at(end).0));
        if folder.as_ref().is_some_and(|folder| listed.folders.last() == Some(folder) || !is_listed(folder)) {
            continue;
        }
        if listed.objects.len() + listed.folders.len() == most {
            listed.cursor = last;
            break;
        }
        if let Some(folder) = folder {
            last = Some(format!("{folder}\u{10ffff}"));
            listed.folders.push(folder);
        } else {
            last = Some(key.clone());
            listed.objects.push((key.clone(), head.clone()));
        }
    }
    listed
}

/// A body in pieces.
#[derive(Debug)]
pub struct MemoryBody {
    bytes: Vec<u8>,
    at: usize,
    pieces: std::iter::Cycle<std::vec::IntoIter<usize>>,
    broken: bool,
    faults: Faults,
}

impl MemoryBody {
    /// A body that comes in pieces of these sizes, over and over.
    pub fn new(bytes: Vec<u8>, pieces: Vec<usize>, faults: &Faults) -> Self {
        assert!(pieces.iter().any(|&size| size > 0), "pieces have a size");
        let pieces = pieces.into_iter().cycle();
        Self { bytes, at: 0, pieces, broken: false, faults: faults.clone() }
    }
}

impl ByteStream for MemoryBody {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        assert!(!self.broken, "a stream ends with its error");
        let size = self.pieces.find(|&size| size > 0).unwrap();
        let end = self.bytes.len().min(self.at + size);
        let piece = self.bytes[self.at..end].to_vec();
        let outcome = self.faults.call(Kind::Body, || Ok((!piece.is_empty()).then_some(piece)));
        self.at = end;
        self.broken = outcome.is_err();
        outcome
    }
}

/// An upload in parts.
#[derive(Debug)]
pub struct MemoryUpload {
    bucket: MemoryBucket,
    key: String,
    uploader: String,
    parts: Vec<Vec<u8>>,
    /// The version that it takes the place of, and the note about it.
    rewritten: Option<(Box<Stored>, RewriteNote)>,
}

impl MultipartUpload for MemoryUpload {
    async fn part(&mut self, bytes: Vec<u8>) -> Result<(), BackendError> {
        let whole = self.parts.last().is_none_or(|last| last.len() == UPLOAD_PART);
        assert!(whole, "every part but the last has {UPLOAD_PART} bytes");
        assert!((1..=UPLOAD_PART).contains(&bytes.len()), "a part of {} bytes", bytes.len());
        let faults = self.bucket.faults.clone();
        faults.call(Kind::Part, || {
            self.parts.push(bytes);
            Ok(())
        })
    }

    async fn complete(self) -> Result<ObjectHead, BackendError> {
        assert!(!self.parts.is_empty(), "an upload has parts");
        self.bucket.close_upload();
        let faults = self.bucket.faults.clone();
        let bytes = self.parts.concat();
        faults.call(Kind::Complete, || {
            Ok(match &self.rewritten {
                Some((old, note)) => self.bucket.store_rewritten(&self.key, &bytes, old, note),
                None => self.bucket.store_upload(&self.key, &bytes, &self.uploader),
            })
        })
    }

    async fn abort(self) -> Result<(), BackendError> {
        self.bucket.close_upload();
        let faults = self.bucket.faults.clone();
        let state = &self.bucket.state;
        faults.call(Kind::Abort, || {
            state.aborted_uploads.set(state.aborted_uploads.get() + 1);
            Ok(())
        })
    }
}
