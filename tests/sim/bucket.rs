//! The bucket of the simulated platform, as a task sees it: each access is an effect, which may go wrong.

use std::ops::Range;
use std::rc::Rc;

use raydex::backend::{
    BackendError, Bucket, ByteStream, ListPage, ListRequest, MultipartUpload, ObjectHead, RangedRead, RewriteNote,
};
use raydex::limits::LIST_PAGE;

use super::violations::ContractViolation;
use super::world::{Isolate, Stored};
use crate::support::bucket::list_page;

/// The longest that an effect of the bucket can take.
const SLOW_BUCKET_MS: i64 = 150_000;

impl Bucket for Isolate {
    type Body = Body;
    type Upload = NoUpload;

    async fn get(&self, key: &str) -> Result<Option<(ObjectHead, Body)>, BackendError> {
        let read = self.effect(SLOW_BUCKET_MS, || {
            let stored = self.objects().borrow().get(key).cloned();
            self.remove_once_read(key);
            Ok(stored.map(|stored| (stored.head.clone(), Body { isolate: self.clone(), stored, at: 0 })))
        });
        self.falsify_read(key, read.await)
    }

    async fn get_range(
        &self,
        key: &str,
        etag: Option<&str>,
        bytes: Range<u64>,
    ) -> Result<RangedRead<Body>, BackendError> {
        self.effect(SLOW_BUCKET_MS, || {
            let Some(mut stored) = self.objects().borrow().get(key).cloned() else { return Ok(RangedRead::Gone) };
            if etag.is_some_and(|etag| etag != stored.head.etag) {
                return Ok(RangedRead::Changed);
            }
            self.remove_once_read(key);
            let from_start = self.platform.violates(ContractViolation::RangeFromStart);
            let bytes = if from_start { 0..bytes.end - bytes.start } else { bytes };
            let range = usize::try_from(bytes.start).unwrap()..usize::try_from(bytes.end).unwrap();
            stored.bytes = Rc::new(stored.bytes[range].to_vec());
            Ok(RangedRead::Body(Body { isolate: self.clone(), stored, at: 0 }))
        })
        .await
    }

    async fn put(&self, _key: &str, _bytes: Vec<u8>) -> Result<ObjectHead, BackendError> {
        panic!("nothing of the pipeline writes over an object")
    }

    async fn put_new(&self, key: &str, bytes: Vec<u8>) -> Result<bool, BackendError> {
        assert!(self.is_data, "{key}: the pipeline writes to the log bucket");
        let put = self.effect(SLOW_BUCKET_MS, || {
            if let Some(there) = self.objects().borrow().get(key) {
                assert!(*there.bytes == bytes, "a key made of content has one content");
                return Ok(false);
            }
            self.platform.store_in(self.objects(), key, bytes);
            Ok(true)
        });
        self.falsify_put(put.await)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        assert!(self.is_data, "{keys:?}: the pipeline deletes from the log bucket");
        self.effect(SLOW_BUCKET_MS, || {
            self.objects().borrow_mut().retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await
    }

    async fn list(&self, ask: &ListRequest) -> Result<ListPage, BackendError> {
        self.effect(SLOW_BUCKET_MS, || {
            let objects = self.objects().borrow();
            Ok(list_page(objects.iter().map(|(key, stored)| (key, &stored.head)), ask, LIST_PAGE))
        })
        .await
    }

    async fn put_upload(&self, _key: &str, _bytes: Vec<u8>, _uploader: &str) -> Result<ObjectHead, BackendError> {
        panic!("nothing of the pipeline uploads")
    }

    async fn uploader(&self, _key: &str, _etag: &str) -> Result<Option<String>, BackendError> {
        Ok(None)
    }

    async fn edge_label(&self, _key: &str, _etag: &str) -> Result<Option<String>, BackendError> {
        Ok(None)
    }

    async fn replace(
        &self,
        key: &str,
        _etag: &str,
        _bytes: Vec<u8>,
        _note: &RewriteNote,
    ) -> Result<bool, BackendError> {
        panic!("{key}: nothing is erased here")
    }

    async fn rewrite(&self, key: &str, _etag: &str, _note: &RewriteNote) -> Result<NoUpload, BackendError> {
        panic!("{key}: nothing is erased here")
    }

    async fn upload(&self, _key: &str, _uploader: &str) -> Result<NoUpload, BackendError> {
        panic!("nothing of the pipeline uploads in parts")
    }
}

/// There is none.
#[derive(Debug)]
pub(crate) struct NoUpload;

impl MultipartUpload for NoUpload {
    async fn part(&mut self, _bytes: Vec<u8>) -> Result<(), BackendError> {
        Ok(())
    }

    async fn complete(self) -> Result<ObjectHead, BackendError> {
        Err(BackendError::new("an upload", "there is none"))
    }

    async fn abort(self) -> Result<(), BackendError> {
        Ok(())
    }
}

/// A body, in two pieces; it may break off.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) isolate: Isolate,
    pub(crate) stored: Stored,
    pub(crate) at: usize,
}

impl ByteStream for Body {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        let Self { isolate, stored, at } = self;
        let end = stored.bytes.len().min(*at + stored.bytes.len() / 2 + 1);
        let piece = stored.bytes[*at..end].to_vec();
        *at = end;
        isolate.effect(SLOW_BUCKET_MS, || Ok((!piece.is_empty()).then_some(piece))).await
    }
}
