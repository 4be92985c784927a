//! `GET /metrics`: the sums of the ledgers, why payloads wait, and the size of the audit log, in the text format of
//! Prometheus.
//!
//! # Invariants
//! Every count is present, zeroes too; an age is 0 where there is nothing that has one. No log line, object key or token appears.

use std::fmt::Write;

use super::stats::{SummedBooks, sum_books};
use crate::audit::AUDIT;
use crate::audit::calls::ReadEntries;
use crate::http::{Problem, Reply, problems};
use crate::ledger::books::{LedgerTotals, LineTotals};
use crate::ledger::breaker::BreakerState;
use crate::ledger::health::DeliveryHealth;
use crate::limits::LEDGERS_READ;
use crate::rpc;
use crate::services::Services;

/// The media type of the text format 0.0.4.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers with the sums of the newest ledgers and the state of the audit log.
pub(crate) async fn get_metrics(services: &impl Services) -> Result<Reply, Problem> {
    let SummedBooks { totals, delivery, ledgers, dead_letters, ignored_events, balanced } =
        sum_books(services, LEDGERS_READ).await?;
    let audit = rpc::call(services.audit_log(), AUDIT, &ReadEntries::default()).await;
    let audit = audit.map_err(|_| problems::unavailable())?;
    let mut page = MetricsPage(String::new());
    page.lines(&totals.lines, balanced);
    page.payloads(&totals);
    page.single("raydex_dead_letters", "Dead letters that are not redriven.", dead_letters);
    page.family("raydex_events_ignored", "Events for which there was nothing to do, by reason.");
    for (why, count) in ignored_events {
        page.labelled("raydex_events_ignored", "reason", &why, count);
    }
    page.delivery(&delivery, services.now_ms());
    page.family("raydex_audit_entries", "Entries of the audit log, by where they were put.");
    let in_bucket = audit.kept_from.saturating_sub(1);
    page.labelled("raydex_audit_entries", "place", "bucket", in_bucket);
    page.labelled("raydex_audit_entries", "place", "object", audit.head.seq.saturating_sub(in_bucket));
    page.single("raydex_ledgers_scanned", "Ledgers that these figures were gathered from.", ledgers.scanned);
    page.single("raydex_ledgers", "Ledgers that exist.", ledgers.total);
    Ok(Reply::new(200, PROMETHEUS, page.0.into_bytes()))
}

/// A page of figures. Writing to a string cannot fail.
struct MetricsPage(String);

impl MetricsPage {
    /// The lines, by what became of them.
    fn lines(&mut self, lines: &LineTotals, balanced: bool) {
        self.family("raydex_lines", "Lines of sealed batches, by what became of them.");
        for (state, count) in [
            ("in", lines.lines_in),
            ("delivered", lines.delivered),
            ("pending", lines.pending),
            ("parked", lines.parked),
            ("rejected", lines.rejected.values().sum()),
            ("filtered", lines.filtered.values().sum()),
        ] {
            self.labelled("raydex_lines", "state", state, count);
        }
        self.family("raydex_lines_rejected", "Lines that are not records, by reason.");
        lines.rejected.iter().for_each(|(why, count)| self.labelled("raydex_lines_rejected", "reason", why, *count));
        self.family("raydex_lines_filtered", "Records that do not go to the partner, by reason.");
        lines.filtered.iter().for_each(|(why, count)| self.labelled("raydex_lines_filtered", "reason", why, *count));
        self.single("raydex_lines_unaccounted", "Lines without a known outcome; must be 0.", lines.unaccounted);
        self.single("raydex_balanced", "1 where the books of every ledger balance.", i64::from(balanced));
    }

    /// The batches and payloads by state, and the attempts.
    fn payloads(&mut self, totals: &LedgerTotals) {
        self.family("raydex_batches", "Batches, by state.");
        totals.batches.iter().for_each(|(state, count)| self.labelled("raydex_batches", "state", state, *count));
        self.family("raydex_payloads", "Payloads, by state.");
        totals.payloads.iter().for_each(|(state, count)| self.labelled("raydex_payloads", "state", state, *count));
        self.single("raydex_posts_attempts", "Attempts to send.", totals.posts.attempts);
        self.single(
            "raydex_posts_unknown_outcomes",
            "Attempts with an unknown outcome.",
            totals.posts.unknown_outcomes,
        );
    }

    /// Why payloads wait.
    fn delivery(&mut self, health: &DeliveryHealth, now_ms: i64) {
        let age_s = |since_ms: Option<i64>| since_ms.map_or(0, |since_ms| (now_ms - since_ms).max(0) / 1000);
        self.family("raydex_breakers", "Ledgers, by the state of their breaker.");
        for state in BreakerState::ALL {
            let count = health.breakers.get(state.name()).copied().unwrap_or_default();
            self.labelled("raydex_breakers", "state", state.name(), count);
        }
        let open_s = age_s(health.breaker.since_ms);
        self.single("raydex_breaker_open_seconds", "Time since the first open breaker opened; 0 if none is.", open_s);
        let (code, status) = health
            .last_refusal
            .as_ref()
            .map_or(("none", 0), |refusal| (refusal.code.as_str(), refusal.status.unwrap_or_default()));
        self.family("raydex_last_refusal_status", "HTTP status of the partner's last refusal; 0 if there is none.");
        self.labelled("raydex_last_refusal_status", "code", code, status.into());
        let refused_s = age_s(health.last_refusal.as_ref().map(|refusal| refusal.at_ms));
        self.single("raydex_last_refusal_age_seconds", "Time since that refusal; 0 if there is none.", refused_s);
        let oldest_s = age_s(health.oldest_pending.as_ref().map(|pending| pending.since_ms));
        self.single("raydex_oldest_pending_seconds", "Time for which the oldest payload has been pending.", oldest_s);
    }

    /// Begins a metric family. All are gauges: the values cover the ledgers that were read, so they may decrease.
    fn family(&mut self, name: &str, help: &str) {
        let _written = write!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n");
    }

    fn labelled(&mut self, name: &str, label: &str, value: &str, count: u64) {
        // Reasons and states are our own words, without quotes and backslashes.
        let _written = writeln!(self.0, "{name}{{{label}=\"{value}\"}} {count}");
    }

    fn single(&mut self, name: &str, help: &str, count: impl std::fmt::Display) {
        self.family(name, help);
        let _written = writeln!(self.0, "{name} {count}");
    }
}
