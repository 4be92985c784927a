//! The intake of one isolate: decides what becomes of each report of a request.
//!
//! # Invariants
//! Every report of a body is counted once. A body that is no JSON, or that was not read, counts as one.

use std::rc::Rc;

use serde_json::value::RawValue;

use super::answer::OriginAnswer;
use super::body::{ReportBody, ReportRequest, body_text, part_body};
use super::buffer::WindowBuffer;
use super::key_quotas::KeyQuotas;
use super::redact::redact;
use super::report::ReportValue;
use super::rule::CollectRule;
use super::settings::{CollectSettings, OriginUrl};
use super::window::ReportOrigin;
use crate::edge::counts::DropReason;
use crate::edge::quota::{KeyDigest, KeyQuota, MinuteQuotas};
use crate::limits::QUOTA_KEY_BYTES;
use crate::record::RayId;

/// The scope of keys that the origin is asked about: it has one answer for a key, whatever the route.
const ORIGIN_SCOPE: &str = "";

/// A question to the origin about the quota of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaQuestion {
    /// The key.
    pub key: KeyDigest,
    /// The address that answers.
    pub url: OriginUrl,
}

/// The settings and the reports of an isolate.
#[derive(Debug)]
pub struct ReportIntake {
    /// The settings.
    pub settings: Rc<CollectSettings>,
    /// The reports.
    pub windows: WindowBuffer,
    keys: KeyQuotas,
    minutes: MinuteQuotas,
}

/// What is the same for all reports of a request.
struct ReportContext<'a> {
    rule: &'a CollectRule,
    media_type: &'a str,
    key: &'a str,
    origin: Option<ReportOrigin>,
    now_ms: i64,
}

impl ReportIntake {
    /// Creates the intake of an isolate with this ID.
    #[must_use]
    pub fn new(settings: CollectSettings, isolate: String) -> Self {
        let windows = WindowBuffer::new(isolate, settings.form, settings.age_ms);
        Self { settings: Rc::new(settings), windows, keys: KeyQuotas::default(), minutes: MinuteQuotas::default() }
    }

    /// Takes the reports of a request, or counts why not. `random` has the lower bits of its ray if the platform gave none.
    /// Returns the question that is to be put to the origin now.
    pub fn collect(
        &mut self,
        request: &ReportRequest,
        body: ReportBody<'_>,
        random: u32,
        now_ms: i64,
    ) -> Option<QuotaQuestion> {
        let Self { settings, windows, keys, minutes } = self;
        let (usual, media_type) = (CollectRule::default(), request.media_type());
        let rule = settings.rule(&request.url).unwrap_or(&usual);
        let text = match body {
            ReportBody::Whole(bytes) => body_text(bytes).unwrap_or_default(),
            ReportBody::TooLarge => return drop_one(windows, DropReason::TooLarge),
            ReportBody::Broken => return drop_one(windows, DropReason::Invalid),
        };
        let parts = if rule.takes(&media_type) { part_body(&media_type, text) } else { None };
        let Some(parts) = parts else { return drop_one(windows, DropReason::Invalid) };
        let reports = u64::try_from(parts.len()).unwrap_or(u64::MAX);
        let key = key_of(rule, request);
        let (is_over, question) = judge_key(keys, settings, rule, &key, now_ms);
        let given = request.ray();
        // A clock that is before all rays gives none.
        let made = || RayId::at(now_ms, random).unwrap_or_else(|| RayId::from_bits(random.into()));
        let ray = given.unwrap_or_else(made);
        if is_over {
            windows.drop(DropReason::OverQuota, reports);
        } else if !rule.samples(ray) {
            windows.sample_out(reports);
        } else {
            let origin = settings.stores.then(|| ReportOrigin {
                ray,
                is_ray_made: given.is_none(),
                host: request.host().to_owned(),
                sample: rule.sample,
            });
            let context = ReportContext { rule, media_type: &media_type, key: &key, origin, now_ms };
            for part in parts {
                take_report(windows, minutes, settings, &context, part);
            }
        }
        question
    }

    /// Notes the origin's answer about a key; `None` if there was none.
    pub fn answer(&mut self, key: KeyDigest, answer: Option<&OriginAnswer>, now_ms: i64) {
        self.keys.answer(key, answer, now_ms);
    }
}

fn drop_one(windows: &mut WindowBuffer, reason: DropReason) -> Option<QuotaQuestion> {
    windows.drop(reason, 1);
    None
}

/// Returns the key of a request; empty if its rule has no quota, or the request no key.
fn key_of(rule: &CollectRule, request: &ReportRequest) -> String {
    let place = rule.quota.as_ref().map(|quota| &quota.place);
    let key = place.and_then(|place| place.find(&request.url, |name| request.header(name)));
    key.unwrap_or_default().into_owned()
}

/// Returns whether a key is over its quota, as far as is known, and the question to put to the origin.
fn judge_key(
    keys: &mut KeyQuotas,
    settings: &CollectSettings,
    rule: &CollectRule,
    key: &str,
    now_ms: i64,
) -> (bool, Option<QuotaQuestion>) {
    let is_key = rule.quota.is_some() && (1..=QUOTA_KEY_BYTES).contains(&key.len());
    let Some(url) = settings.quota_url.as_ref().filter(|_| is_key) else { return (false, None) };
    let digest = KeyDigest::new(ORIGIN_SCOPE, key);
    let verdict = keys.judge(digest, now_ms);
    let question = verdict.is_asked.then(|| QuotaQuestion { key: digest, url: url.for_key(key) });
    (verdict.is_over, question)
}

/// Takes one report, or counts why not.
fn take_report(
    windows: &mut WindowBuffer,
    minutes: &mut MinuteQuotas,
    settings: &CollectSettings,
    context: &ReportContext<'_>,
    part: Option<&RawValue>,
) {
    let ReportContext { rule, media_type, key, origin, now_ms } = context;
    let report = part.and_then(ReportValue::parse).filter(|report| rule.accepts_shape(report));
    let Some(mut report) = report else { return windows.drop(DropReason::Invalid, 1) };
    match rule.passes(&report) {
        Some(true) => {}
        Some(false) => return windows.drop(DropReason::Filtered, 1),
        None => return windows.drop(DropReason::Invalid, 1),
    }
    if let Some(KeyQuota { per_minute: Some(per_minute), .. }) = rule.quota
        && !minutes.take(KeyDigest::new(&rule.pattern, key), per_minute, *now_ms)
    {
        return windows.drop(DropReason::OverQuota, 1);
    }
    rule.strip(&mut report, media_type);
    redact(&mut report, &settings.redaction);
    windows.add(report.canonical(), origin.clone(), *now_ms);
}

#[cfg(test)]
mod tests;
