//! The head of an answer: the sentence, the request, and when it was.

use super::facts::{ray_in_path, url_of};
use super::ray_links::RayLinks;
use super::ray_records::RayRecords;
use super::sentence::{request_duration, sentence};
use super::texts::{InstantText, ShownText, duration_text};
use super::waterfall::tone_of;
use crate::record::Timestamp;
use crate::story::TimingUnit;

/// The most characters of the address in a head.
const URL_CHARACTERS: usize = 600;

/// What an answer begins with.
#[derive(Debug)]
pub(super) struct AnswerHead {
    /// The ray.
    pub(super) ray: String,
    /// The same in a path.
    pub(super) path: String,
    /// What happened, in words.
    pub(super) sentence: String,
    /// The status; empty if it is not known.
    pub(super) status: String,
    /// What the status is drawn as.
    pub(super) tone: &'static str,
    /// The method; empty if it is not known.
    pub(super) method: String,
    /// The address, as far as it is known.
    pub(super) url: ShownText,
    /// When it began; empty texts if that is not known.
    pub(super) time: InstantText,
    /// Its duration; empty if it is not known.
    pub(super) lasted: String,
}

impl AnswerHead {
    /// Reads the head from the records of the ray, whose own clock says `ray_time`.
    pub(super) fn new(records: &RayRecords<'_>, ray_time: Option<&str>, links: RayLinks<'_>, now_ms: i64) -> Self {
        let ray = records.ray.as_str();
        let request = records.request();
        let any = request.or_else(|| records.all.first());
        let status = any.and_then(|facts| facts.positive("EdgeResponseStatus"));
        let text = |name: &str| any?.text(name).map(|text| ShownText::new(&text, 40).text);
        let url = any.and_then(url_of).unwrap_or_default();
        let start = request.and_then(|facts| facts.nanoseconds("EdgeStartTimestamp", TimingUnit::Instant));
        let start = start.map(|ns| ns.div_euclid(1_000_000));
        let start = start.or_else(|| Timestamp::parse(ray_time?).map(Timestamp::unix_ms));
        let unknown = InstantText { machine: String::new(), text: "not known".to_owned(), relative: String::new() };
        Self {
            ray: ray.to_owned(),
            path: ray_in_path(ray),
            sentence: sentence(records, links),
            status: status.map(|status| status.to_string()).unwrap_or_default(),
            tone: status.map(tone_of).unwrap_or_default(),
            method: text("ClientRequestMethod").unwrap_or_default(),
            url: ShownText::new(&url, URL_CHARACTERS),
            time: start.map_or(unknown, |start| InstantText::new(start, now_ms)),
            lasted: request.and_then(request_duration).map(duration_text).unwrap_or_default(),
        }
    }

    /// Returns method and address.
    pub(super) fn request_line(&self) -> String {
        format!("{} {}", self.method, self.url.text).trim().to_owned()
    }
}
