//! The folders that Logpush is writing to: of a day's folder, the files of the last hours and every subfolder.
//!
//! A name that begins with a timestamp gives the start of its batch, so hours-old files in a day's folder are skipped.
//! Nothing else is: a folder `02/` or `00-eu/` sorts before every timestamp, and would never be found by a listing that
//! begins after it. The folders of other days are left to the round ([`super::round`]), and so are those whose own
//! names are old timestamps.

use std::collections::BTreeMap;

use crate::backend::{BackendError, Bucket, ListPage, ListRequest, ObjectHead};
use crate::bucket_keys::{KeyClass, classify, folder_day};
use crate::config::Config;
use crate::limits::{SWEEP_AGE_MS, SWEEP_BACK_MS, SWEEP_FOLDERS, SWEEP_PAGES};
use crate::services::Services;
use crate::time;

/// The result of listing the recent folders.
pub(super) struct RecentObjects {
    /// The batches of the last hours, except those whose event may still be on its way.
    pub(super) objects: BTreeMap<String, ObjectHead>,
    /// Number of listed pages.
    pub(super) pages: usize,
    /// Whether every recent folder was listed.
    pub(super) complete: bool,
}

/// Lists the batches written since an instant, in the folders of that time.
pub(super) async fn list_recent(
    services: &impl Services,
    config: &Config,
    since_ms: i64,
) -> Result<RecentObjects, BackendError> {
    let now_ms = services.now_ms();
    let window = since_ms..=now_ms - SWEEP_AGE_MS;
    let mut recent = RecentObjects { objects: BTreeMap::new(), pages: 0, complete: false };
    let mut folders = config.log_prefix.folders().to_vec();
    while let Some(folder) = folders.pop() {
        let mut rest = Some(FolderListing::new(folder, since_ms));
        while let Some(listing) = rest {
            if recent.pages == SWEEP_PAGES || folders.len() > SWEEP_FOLDERS {
                return Ok(recent);
            }
            recent.pages += 1;
            let page = services.bucket().list(&listing.request).await?;
            rest = listing.after_page(&page);
            let inner = page
                .folders
                .into_iter()
                .filter(|folder| config.log_prefix.may_hold(folder) && is_worth_a_look(folder, since_ms, now_ms));
            folders.extend(begun_anywhere(services, inner.collect()));
            recent.objects.extend(page.objects.into_iter().filter(|(key, head)| {
                window.contains(&head.uploaded_ms) && matches!(classify(key, &config.log_prefix), KeyClass::Batch(_))
            }));
        }
    }
    recent.complete = true;
    Ok(recent)
}

/// The part of a folder that is still to be listed.
struct FolderListing {
    request: ListRequest,
    /// A range of keys, from the first to the second, with nothing but files that are too old.
    skip: Option<(String, String)>,
}

impl FolderListing {
    /// Creates the listing of a complete folder. In a day's folder, names begin with timestamps.
    fn new(folder: String, since_ms: i64) -> Self {
        let skip = folder_day(&folder).map(|day| {
            (format!("{folder}{day}T"), format!("{folder}{}", time::stamp(since_ms.saturating_sub(SWEEP_BACK_MS))))
        });
        Self { request: ListRequest { prefix: folder, after: None, cursor: None, by_folder: true }, skip }
    }

    /// Returns the listing after this page. A page orders keys and folders together.
    fn after_page(self, page: &ListPage) -> Option<Self> {
        let Self { mut request, skip } = self;
        request.cursor = Some(page.cursor.clone()?);
        let last = page.objects.last().map(|(key, _)| key).max(page.folders.last());
        let Some((from, to)) = skip else { return Some(Self { request, skip: None }) };
        if last.is_none_or(|last| *last < from) {
            return Some(Self { request, skip: Some((from, to)) });
        }
        if last.is_some_and(|last| *last < to) {
            (request.cursor, request.after) = (None, Some(to));
        }
        Some(Self { request, skip: None })
    }
}

/// Rotates the folders to begin with a random one: if they exceed a sweep's limit, all of them are still listed over
/// time.
fn begun_anywhere(services: &impl Services, mut folders: Vec<String>) -> Vec<String> {
    if folders.len() > 1 {
        let first = services.random_bits() as usize % folders.len();
        folders.rotate_left(first);
    }
    folders
}

/// Returns whether a folder may hold batches of the hours to look at, which span two days at midnight.
fn is_worth_a_look(folder: &str, since_ms: i64, now_ms: i64) -> bool {
    let days = time::day(since_ms - SWEEP_BACK_MS)..=time::day(now_ms);
    folder_day(folder).is_none_or(|day| days.contains(&day.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{FolderListing, is_worth_a_look};
    use crate::backend::{ListPage, ObjectHead};

    const DAY: &str = "logs/20260327/";
    /// 2026-03-27T21:30:00Z.
    const SINCE: i64 = 1_774_647_000_000;

    #[test]
    fn day_folder_is_listed_that_day_and_after() {
        // 2026-03-28T00:30:00Z.
        let now = 1_774_657_800_000;
        for (folder, worth) in [
            ("logs/http_requests/20260328/", true),
            ("logs/20260327/", true),
            ("logs/20260326/", false),
            ("logs/20260329/", false),
            ("logs/zone/", true),
            ("logs/2026/", true),
        ] {
            assert_eq!(is_worth_a_look(folder, SINCE, now), worth, "{folder}");
        }
    }

    /// Returns where the listing continues after a page with these last entries: the key to begin after, or the cursor.
    fn after(folder: &str, keys: &[&str], folders: &[&str]) -> (Option<String>, Option<String>) {
        let head = || ObjectHead { etag: "e".into(), size: 1, uploaded_ms: 0, rewrite: None };
        let page = ListPage {
            objects: keys.iter().map(|key| (format!("{folder}{key}"), head())).collect(),
            folders: folders.iter().map(|name| format!("{folder}{name}")).collect(),
            cursor: Some("next".into()),
        };
        let next = FolderListing::new(folder.into(), SINCE).after_page(&page).unwrap();
        (next.request.after, next.request.cursor)
    }

    #[test]
    fn only_old_stamps_of_a_day_are_skipped() {
        let (on, jump) = ((None, Some("next".into())), (Some("logs/20260327/20260327T183000Z".into()), None));
        for (keys, folders, expected) in [
            (&[][..], &["00-eu/", "02/"][..], &on),
            (&["0"], &["02/"], &on),
            (&[], &[], &on),
            (&["20260327T010000Z_a"], &["02/"], &jump),
            (&["20260327T010000Z_a"], &["20260327T02/"], &jump),
            (&["20260327T183000Z_a"], &[], &on),
            (&["20260327T010000Z_a"], &["zz/"], &on),
        ] {
            assert_eq!(after(DAY, keys, folders), *expected, "{keys:?} {folders:?}");
        }
        assert_eq!(after("logs/http_requests/", &["20260327T010000Z_a"], &[]), on, "a folder of no day");
    }

    #[test]
    fn listing_ends_with_its_last_page() {
        assert!(FolderListing::new(DAY.into(), SINCE).after_page(&ListPage::default()).is_none());
    }
}
