//! The backend's bucket over R2.
//!
//! Objects are read as streams. A put that R2 refuses is an error or is reported as refused.

use std::collections::HashMap;
use std::ops::Range;

use worker::{
    Bucket as R2, Conditional, HttpMetadata, Include, MultipartUpload as R2MultipartUpload, Object, Range as R2Range,
    UploadedPart,
};

use super::failed;
use super::streams::StreamedBody;
use crate::backend::{
    BackendError, Bucket, ListPage, ListRequest, MultipartUpload, ObjectHead, RangedRead, RewriteNote, to_json,
};

/// An R2 bucket.
#[derive(Debug)]
pub(super) struct R2Bucket(R2);

impl R2Bucket {
    pub(super) const fn new(bucket: R2) -> Self {
        Self(bucket)
    }
}

impl Bucket for R2Bucket {
    type Body = StreamedBody;
    type Upload = R2Upload;

    async fn get(&self, key: &str) -> Result<Option<(ObjectHead, StreamedBody)>, BackendError> {
        let reading = failed("reading an object");
        let Some(object) = self.0.get(key).execute().await.map_err(&reading)? else { return Ok(None) };
        let stream = object.body().map(worker::ObjectBody::stream).transpose().map_err(&reading)?;
        Ok(Some((head(&object), StreamedBody(stream))))
    }

    async fn get_range(
        &self,
        key: &str,
        etag: Option<&str>,
        bytes: Range<u64>,
    ) -> Result<RangedRead<StreamedBody>, BackendError> {
        let reading = failed("reading a part of an object");
        let range = R2Range::OffsetWithLength { offset: bytes.start, length: bytes.end.saturating_sub(bytes.start) };
        let mut get = self.0.get(key).range(range);
        if let Some(etag) = etag {
            get = get.only_if(Conditional { etag_matches: Some(etag.to_owned()), ..Conditional::default() });
        }
        let Some(object) = get.execute().await.map_err(&reading)? else { return Ok(RangedRead::Gone) };
        // An object without a body does not match the condition.
        let Some(body) = object.body() else { return Ok(RangedRead::Changed) };
        Ok(RangedRead::Body(StreamedBody(Some(body.stream().map_err(&reading)?))))
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<ObjectHead, BackendError> {
        let object = self.0.put(key, bytes).execute().await.map_err(failed("writing an object"))?;
        object
            .as_ref()
            .map(written_head)
            .ok_or_else(|| BackendError::new("writing an object", "the bucket rejected it"))
    }

    async fn put_new(&self, key: &str, bytes: Vec<u8>) -> Result<bool, BackendError> {
        // Means that no object exists under the key: the bucket compares and writes in one step.
        let only_if = Conditional { etag_does_not_match: Some("*".into()), ..Conditional::default() };
        let object = self.0.put(key, bytes).only_if(only_if).execute().await.map_err(failed("writing a new object"))?;
        Ok(object.is_some())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.0.delete_multiple(keys.to_vec()).await.map_err(failed("removing objects"))
    }

    async fn list(&self, ask: &ListRequest) -> Result<ListPage, BackendError> {
        // The note of an object that was rewritten is in its metadata.
        let mut list = self.0.list().prefix(ask.prefix.as_str()).include(vec![Include::CustomMetadata]);
        // A cursor remembers where its listing began.
        match (&ask.cursor, &ask.after) {
            (Some(cursor), _) => list = list.cursor(cursor.as_str()),
            (None, Some(after)) => list = list.start_after(after.as_str()),
            (None, None) => {}
        }
        if ask.by_folder {
            list = list.delimiter("/");
        }
        let page = list.execute().await.map_err(failed("listing objects"))?;
        Ok(ListPage {
            objects: page.objects().iter().map(|object| (object.key(), head(object))).collect(),
            folders: page.delimited_prefixes(),
            cursor: page.cursor().filter(|_| page.truncated()),
        })
    }

    async fn upload(&self, key: &str, uploader: &str) -> Result<R2Upload, BackendError> {
        let upload = self.0.create_multipart_upload(key).custom_metadata(metadata(uploader)).execute().await;
        Ok(R2Upload { upload: upload.map_err(failed("starting an upload"))?, parts: Vec::new() })
    }

    async fn put_upload(&self, key: &str, bytes: Vec<u8>, uploader: &str) -> Result<ObjectHead, BackendError> {
        let put = self.0.put(key, bytes).custom_metadata(metadata(uploader));
        let object = put.execute().await.map_err(failed("writing an upload"))?;
        object
            .as_ref()
            .map(written_head)
            .ok_or_else(|| BackendError::new("writing an upload", "the bucket rejected it"))
    }

    async fn uploader(&self, key: &str, etag: &str) -> Result<Option<String>, BackendError> {
        self.metadata(key, etag, UPLOADER).await
    }

    async fn edge_label(&self, key: &str, etag: &str) -> Result<Option<String>, BackendError> {
        self.metadata(key, etag, EDGE_LABEL).await
    }

    async fn replace(&self, key: &str, etag: &str, bytes: Vec<u8>, note: &RewriteNote) -> Result<bool, BackendError> {
        let rewriting = failed("rewriting an object");
        let Some((custom, http)) = self.kept_metadata(key, etag, note).await? else { return Ok(false) };
        let only_if = Conditional { etag_matches: Some(etag.to_owned()), ..Conditional::default() };
        let put = self.0.put(key, bytes).custom_metadata(custom).http_metadata(http).only_if(only_if);
        Ok(put.execute().await.map_err(rewriting)?.is_some())
    }

    async fn rewrite(&self, key: &str, etag: &str, note: &RewriteNote) -> Result<R2Upload, BackendError> {
        let kept = self.kept_metadata(key, etag, note).await?;
        let (custom, http) =
            kept.ok_or_else(|| BackendError::new("rewriting an object", "it is another version now"))?;
        let upload = self.0.create_multipart_upload(key).custom_metadata(custom).http_metadata(http).execute().await;
        Ok(R2Upload { upload: upload.map_err(failed("rewriting an object"))?, parts: Vec::new() })
    }
}

impl R2Bucket {
    /// Returns one value of the metadata that were stored with this version of an object.
    async fn metadata(&self, key: &str, etag: &str, name: &str) -> Result<Option<String>, BackendError> {
        let reading = failed("reading the metadata of an object");
        let object = self.0.head(key).await.map_err(&reading)?.filter(|object| object.etag() == etag);
        let Some(object) = object else { return Ok(None) };
        Ok(object.custom_metadata().map_err(&reading)?.remove(name))
    }

    /// Returns the metadata of an object that takes the place of this version; `None` if it is another version now.
    async fn kept_metadata(
        &self,
        key: &str,
        etag: &str,
        note: &RewriteNote,
    ) -> Result<Option<(HashMap<String, String>, HttpMetadata)>, BackendError> {
        let reading = failed("reading the metadata of an object");
        let object = self.0.head(key).await.map_err(&reading)?.filter(|object| object.etag() == etag);
        let Some(object) = object else { return Ok(None) };
        let mut custom = object.custom_metadata().map_err(&reading)?;
        custom.insert(REWRITE.to_owned(), String::from_utf8_lossy(&to_json(note)).into_owned());
        Ok(Some((custom, object.http_metadata())))
    }

    /// Writes a complete object with the label of the edge logger's batches.
    pub(super) async fn put_labelled(
        &self,
        key: &str,
        bytes: Vec<u8>,
        label: String,
    ) -> Result<ObjectHead, BackendError> {
        let put = self.0.put(key, bytes).custom_metadata([(EDGE_LABEL.to_owned(), label)]);
        let object = put.execute().await.map_err(failed("storing a batch"))?;
        object.as_ref().map(written_head).ok_or_else(|| BackendError::new("storing a batch", "the bucket rejected it"))
    }

    /// Returns the metadata of the object at `key`; `None` if it does not exist.
    pub(super) async fn head(&self, key: &str) -> Result<Option<ObjectHead>, BackendError> {
        let object = self.0.head(key).await.map_err(failed("reading the metadata of an object"))?;
        Ok(object.as_ref().map(head))
    }
}

/// The name of the metadata with the label of a batch of the edge logger.
const EDGE_LABEL: &str = "raydex-edge";

/// The name of the metadata with the note of an object that was rewritten.
const REWRITE: &str = "raydex-rewrite";

/// The name of the metadata that says who uploaded an object.
const UPLOADER: &str = "uploader";

/// The metadata of an upload.
fn metadata(uploader: &str) -> HashMap<String, String> {
    [(UPLOADER.to_owned(), uploader.to_owned())].into()
}

/// Converts R2's answer to a read, which has the object's own metadata.
fn head(object: &Object) -> ObjectHead {
    let note = object.custom_metadata().ok().and_then(|mut custom| custom.remove(REWRITE));
    ObjectHead { rewrite: note.and_then(|note| serde_json::from_str(&note).ok()), ..written_head(object) }
}

/// Converts R2's answer to a write.
fn written_head(object: &Object) -> ObjectHead {
    let uploaded_ms = i64::try_from(object.uploaded().as_millis()).unwrap_or(i64::MAX);
    ObjectHead { etag: object.etag(), size: object.size(), uploaded_ms, rewrite: None }
}

/// A multipart upload to R2.
#[derive(Debug)]
pub(super) struct R2Upload {
    upload: R2MultipartUpload,
    parts: Vec<UploadedPart>,
}

impl MultipartUpload for R2Upload {
    async fn part(&mut self, bytes: Vec<u8>) -> Result<(), BackendError> {
        let number = u16::try_from(self.parts.len() + 1)
            .map_err(|_| BackendError::new("uploading a part", "there are too many parts"))?;
        let part = self.upload.upload_part(number, bytes).await.map_err(failed("uploading a part"))?;
        self.parts.push(part);
        Ok(())
    }

    async fn complete(self) -> Result<ObjectHead, BackendError> {
        let object = self.upload.complete(self.parts).await.map_err(failed("completing an upload"))?;
        Ok(head(&object))
    }

    async fn abort(self) -> Result<(), BackendError> {
        self.upload.abort().await.map_err(failed("aborting an upload"))
    }
}
