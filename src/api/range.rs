//! The stream of a time range: what is read of the bucket, piece by piece, as the client takes it.
//!
//! What always holds: nothing is read before it is asked for, and one batch at a time; a stream that cannot go on ends
//! with a record that says so and where to go on, never in silence.

use std::collections::VecDeque;
use std::rc::Rc;

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::form::Form;
use super::retry::retry_while_out_of_memory;
use super::sight::Sight;
use super::times::Range;
use crate::backend::Bucket;
use crate::http::{Problem, Reply, problems};
use crate::ledger::calendar;
use crate::limits::{STREAM_BYTES, STREAM_PIECE};
use crate::memory::Reservation;
use crate::query::{Ask, Cursor, Ended, LogLine, QueryError, Run, Step, Told};
use crate::services::Services;

/// What a client of Logpull reads at the end of a stream that broke off.
const LOGPULL_BROKEN: &str = "Error streaming data.\n";

/// What is asked.
pub(crate) struct Question {
    /// What the caller sees, and through which filter.
    pub(crate) sight: Sight,
    /// From when to when.
    pub(crate) range: Range,
    /// Which part of the records.
    pub(crate) sample: Option<f64>,
    /// How many of them at most.
    pub(crate) limit: Option<u64>,
    /// Where an earlier stream ended.
    pub(crate) cursor: Option<String>,
    /// Of objects whose keys begin so alone; `{DATE}` stands for any day.
    pub(crate) prefix: Option<String>,
}

/// How a stream ends, and what stands between its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Lines of JSON; a last one that begins `{"raydex":` where something is to be said, or where it is asked for.
    Lines {
        /// Whether the summary stands there always.
        summary: bool,
    },
    /// Lines of text; a last one that begins `# raydex ` likewise.
    Text {
        /// Whether the summary stands there always.
        summary: bool,
    },
    /// One document in JSON, with the summary behind the records.
    Document,
    /// Lines of JSON as Logpull has them; where they break off, the line that Logpull ends with.
    Logpull,
}

/// What stands at the end of a stream.
#[derive(Serialize)]
struct Summary<'a> {
    /// Everything in the range was told.
    complete: bool,
    /// The answer's budget is used up before the range is.
    truncated: bool,
    /// Where to go on.
    cursor: Option<String>,
    /// Why it broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
    /// What was done.
    told: &'a Told,
    elapsed_ms: i64,
}

/// How a stream came to its end.
enum End {
    /// As the question's range or budget has it.
    Ended(Ended),
    /// It broke off.
    Broken(Box<Problem>, Cursor),
}

/// The part of the records that a text asks for: above 0, and 1 at most.
pub(crate) fn share_of(text: &str) -> Option<f64> {
    text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0)
}

/// Streams what the question asks for.
pub(crate) async fn stream<D: Services + 'static>(
    desk: &Rc<D>,
    question: Question,
    form: Form,
    tail: Tail,
    media_type: &'static str,
) -> Result<Reply, Problem> {
    let reservation = desk.memory().reservation();
    retry_while_out_of_memory(desk.as_ref(), &reservation, async || Ok(reservation.reserve(STREAM_BYTES)?)).await?;
    let Question { sight, range, sample, limit, cursor, prefix } = question;
    let from = cursor.map(|text| text.parse::<Cursor>()).transpose().map_err(|_| problems::bad_cursor())?;
    let ask = Ask {
        filter: sight.filter().cloned(),
        filters: false,
        prunable: sight.prunable(),
        sample,
        limit,
        from,
        ..Ask::all(sight.dataset(), range.start_ns, range.end_ns)
    };
    let started_ms = desk.now_ms();
    let run = Run::new(ask, started_ms).map_err(|_| problems::bad_cursor())?;
    let feed = Feed {
        desk: desk.clone(),
        run,
        sight,
        prefix,
        form,
        tail,
        started_ms,
        at: At::Start,
        is_first: true,
        _reservation: reservation,
    };
    let pieces = stream::unfold(feed, async |mut feed| feed.piece().await.map(|piece| (Ok(piece), feed)));
    Ok(Reply::stream(media_type, pieces.boxed_local()))
}

/// Where a stream is.
#[derive(PartialEq, Eq)]
enum At {
    Start,
    Records,
    End,
}

/// A stream under way.
struct Feed<D: Services> {
    desk: Rc<D>,
    run: Run<<D::Bucket as Bucket>::Body>,
    sight: Sight,
    prefix: Option<String>,
    form: Form,
    tail: Tail,
    started_ms: i64,
    at: At,
    /// No record was written yet.
    is_first: bool,
    _reservation: Reservation,
}

impl<D: Services> Feed<D> {
    /// The next piece, which is not empty; `None` at the end.
    async fn piece(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        if self.at == At::Start {
            self.begin(&mut out);
            self.at = At::Records;
            self.learn(&mut out).await;
        }
        while self.at == At::Records && out.len() < STREAM_PIECE {
            self.step(&mut out).await;
        }
        (!out.is_empty()).then_some(out)
    }

    fn begin(&self, out: &mut Vec<u8>) {
        if self.tail == Tail::Document {
            out.extend_from_slice(b"{\"records\":[");
        } else {
            self.form.begin(out);
        }
    }

    /// Asks the calendar which shards hold anything: a range may go back years, with a shard for every eleven minutes.
    async fn learn(&mut self, out: &mut Vec<u8>) {
        // Before it is asked: what is told while it answers is of the present then.
        let now_ms = self.desk.now_ms();
        match calendar::look(self.desk.ledgers(), self.sight.dataset(), self.run.to_come()).await {
            Ok(calendar) => self.run.learn(calendar, now_ms),
            Err(_) => self.end(out, End::Broken(Box::new(problems::unavailable()), self.run.cursor())),
        }
    }

    /// Reads on, and writes what came.
    async fn step(&mut self, out: &mut Vec<u8>) {
        let (desk, sight) = (self.desk.as_ref(), &self.sight);
        // What the caller sees of each line, in their order; nothing where it is the line itself.
        let mut seen = VecDeque::new();
        let mut keep = |line: &[u8]| match sight.see(line) {
            None => false,
            Some(std::borrow::Cow::Borrowed(_)) => {
                seen.push_back(None);
                true
            }
            Some(std::borrow::Cow::Owned(masked)) => {
                seen.push_back(Some(masked));
                true
            }
        };
        let clock = || desk.now_ms();
        match self.run.next(desk.batch_store(), desk.shards(), &clock, &mut keep).await {
            Ok(Step::Lines(lines)) => {
                for line in lines {
                    let masked = seen.pop_front().flatten();
                    self.write(out, &line, masked.as_deref());
                }
            }
            Ok(Step::Unknown) => self.learn(out).await,
            Ok(Step::End(ended)) => self.end(out, End::Ended(ended)),
            Err(QueryError::Backend { cursor, .. }) => {
                self.end(out, End::Broken(Box::new(problems::unavailable()), cursor));
            }
            Err(QueryError::Unreadable { cursor, .. }) => {
                self.end(out, End::Broken(Box::new(problems::batch_unreadable()), cursor));
            }
        }
    }

    fn write(&mut self, out: &mut Vec<u8>, line: &LogLine, masked: Option<&[u8]>) {
        if self.prefix.as_deref().is_some_and(|prefix| !begins_so(&line.object.key, prefix)) {
            return;
        }
        if self.tail == Tail::Document {
            out.extend_from_slice(if self.is_first { b"\n" } else { b",\n" });
            let start = out.len();
            if self.form.write_object(out, masked.unwrap_or(&line.bytes)).is_err() {
                out.truncate(start);
                out.extend_from_slice(b"null");
            }
        } else {
            self.form.write(out, masked.unwrap_or(&line.bytes));
        }
        self.is_first = false;
    }

    /// Writes how it ended.
    fn end(&mut self, out: &mut Vec<u8>, end: End) {
        self.at = At::End;
        let told = *self.run.told();
        let lost = told.objects_gone + told.objects_unreadable > 0;
        let (truncated, complete, cursor, error) = match end {
            End::Ended(Ended::Complete) => (false, !lost, None, None),
            End::Ended(Ended::Limit(cursor)) => (false, false, Some(cursor), None),
            End::Ended(Ended::Budget(cursor)) => (true, false, Some(cursor), None),
            End::Broken(problem, cursor) => (true, false, Some(cursor), Some(*problem)),
        };
        let must_say = truncated || lost;
        let elapsed_ms = self.desk.now_ms() - self.started_ms;
        let cursor = cursor.map(|cursor| cursor.to_string());
        let summary = Summary { complete, truncated, cursor, error, told: &told, elapsed_ms };
        let json = serde_json::to_string(&summary).unwrap_or_default();
        let said = match self.tail {
            Tail::Document => format!("\n],\"raydex\":{json}}}\n"),
            Tail::Lines { summary } if summary || must_say => format!("{{\"raydex\":{json}}}\n"),
            Tail::Text { summary } if summary || must_say => format!("# raydex {json}\n"),
            Tail::Logpull if must_say => LOGPULL_BROKEN.into(),
            Tail::Lines { .. } | Tail::Text { .. } | Tail::Logpull => String::new(),
        };
        out.extend_from_slice(said.as_bytes());
    }
}

/// Whether a key begins as the prefix says, in which `{DATE}` stands for the eight digits of a day.
fn begins_so(key: &str, prefix: &str) -> bool {
    let Some((before, behind)) = prefix.split_once("{DATE}") else { return key.starts_with(prefix) };
    let Some(rest) = key.strip_prefix(before) else { return false };
    let Some((day, rest)) = rest.split_at_checked(8) else { return false };
    day.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with(behind)
}

#[cfg(test)]
mod tests {
    use super::begins_so;

    #[test]
    fn a_prefix_names_any_day() {
        let key = "logs/http_requests/20260328/20260328T084200Z_x.log.gz";
        for (prefix, fits) in [
            ("logs/", true),
            ("logs/http_requests/{DATE}", true),
            ("logs/{DATE}", false),
            ("logs/http_requests/{DATE}/2026", true),
            ("logs/http_requests/{DATE}/2027", false),
            ("other/{DATE}", false),
        ] {
            assert_eq!(begins_so(key, prefix), fits, "{prefix}");
        }
        assert!(!begins_so("logs/é", "logs/{DATE}"));
    }
}
