//! A POST as a task makes it: it comes late, goes wrong, or is refused.

use raydex::backend::{PartnerClient, PartnerPost, PostAnswer, PostError};

use super::faults::Fault;
use super::partner::OutageKind;
use super::setting::POST_MS;
use super::world::Isolate;

impl PartnerClient for Isolate {
    async fn post(&self, post: &PartnerPost) -> Result<PostAnswer, PostError> {
        let changed = self.falsify_post(post);
        let answer = self.exchange(changed.as_ref().unwrap_or(post)).await;
        self.falsify_answer(answer)
    }

    async fn can_connect(&self, _: &str) -> bool {
        self.platform.time.give_way().await;
        let latency = self.platform.random.borrow_mut().between(5, 400);
        self.platform.time.sleep(latency).await;
        let now_ms = self.platform.time.now_ms();
        self.platform.partner.borrow().moods.failure(now_ms) != Some(OutageKind::Closed)
    }

    async fn read_clock(&self, _: &str) -> Option<i64> {
        None
    }
}

impl Isolate {
    /// The POST as it arrives, and the answer as the partner gives it.
    async fn exchange(&self, post: &PartnerPost) -> Result<PostAnswer, PostError> {
        let time = self.platform.time.clone();
        let failure = self.platform.partner.borrow().moods.failure(time.now_ms());
        if failure == Some(OutageKind::Closed) {
            time.give_way().await;
            return Err(PostError::Unknown("refused".into()));
        }
        let number = self.platform.partner.borrow_mut().look(post, time.now_ms());
        if let Some(kind) = failure {
            return self.fail(kind).await;
        }
        self.posts.borrow_mut().push(number);
        time.give_way().await;
        let (fault, way) = {
            let random = &mut self.platform.random.borrow_mut();
            let mut faults = self.platform.faults.borrow_mut();
            (faults.next(random, POST_MS - 1), random.below(12))
        };
        let latency = self.platform.random.borrow_mut().between(5, 400);
        time.sleep(latency).await;
        match fault {
            None => Ok(self.take(number)),
            Some(Fault::Fails) => self.refuse(number, way),
            Some(Fault::FailsButHappened) => {
                self.doubt_post(number);
                let _answer = self.take(number);
                time.sleep(POST_MS - latency).await;
                Err(PostError::Unknown("no answer".into()))
            }
            Some(Fault::CrashBefore) => self.crash().await,
            Some(Fault::CrashAfter) => {
                let _answer = self.take(number);
                self.crash().await
            }
            // Late, but in time: no excuse for anything.
            Some(Fault::SlowBefore(ms) | Fault::SlowAfter(ms)) => {
                time.sleep(ms - latency.min(ms)).await;
                Ok(self.take(number))
            }
        }
    }

    /// The partner fails as a whole: nothing is stored.
    async fn fail(&self, kind: OutageKind) -> Result<PostAnswer, PostError> {
        let time = self.platform.time.clone();
        match kind {
            OutageKind::Status(status) => {
                time.sleep(50).await;
                Ok(PostAnswer { status, retry_after: None, body: Vec::new() })
            }
            OutageKind::Closed | OutageKind::Silent => {
                time.sleep(POST_MS).await;
                Err(PostError::Unknown("no answer".into()))
            }
        }
    }

    /// The partner takes a POST, as far as it likes it.
    fn take(&self, number: usize) -> PostAnswer {
        let mut partner = self.platform.partner.borrow_mut();
        let status = match () {
            () if partner.is_poisoned(number) => 400,
            () if partner.is_too_large(number) => 413,
            () => 200,
        };
        partner.seen[number].stored = status == 200;
        PostAnswer { status, retry_after: None, body: Vec::new() }
    }

    /// Something goes wrong at the partner's; nothing is stored, and mostly it says so.
    fn refuse(&self, number: usize, way: usize) -> Result<PostAnswer, PostError> {
        let answer = |status, retry_after: Option<&str>| {
            Ok(PostAnswer { status, retry_after: retry_after.map(str::to_owned), body: Vec::new() })
        };
        match way {
            0 => answer(429, Some("7")),
            1 => answer(503, Some("120")),
            2 => answer(401, None),
            3 => answer(404, None),
            4 => answer(502, None),
            5 => Err(PostError::NotSent("refused".into())),
            6 => {
                self.doubt_post(number);
                Err(PostError::Unknown("reset".into()))
            }
            7 => answer(302, None),
            _ => answer(500, None),
        }
    }
}
