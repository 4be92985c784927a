//! `GET /metrics`: the sums of the ledgers, why payloads wait, and the size of the audit log, in the text format of
//! Prometheus.
//!
//! # Invariants
//! Every count is present, zeroes too; an age is 0 where there is nothing that has one. No log line, object key or token appears.

use std::fmt::Display;
use std::io::Write;

use super::audit_figures::{AuditFigures, sum_chains};
use super::costs::{sees_callers, sum_costs, without_callers};
use super::stats::{SummedBooks, sum_books};
use crate::access::{Caller, Dollars};
use crate::audit::calls::{CallerCost, CostPage, WrittenCounts};
use crate::config::Config;
use crate::edge::DropReason;
use crate::http::{Problem, Reply};
use crate::ledger::books::{AgainTotals, ChangedLines, LedgerTotals, LineTotals};
use crate::ledger::breaker::BreakerState;
use crate::ledger::edge_sums::EdgeTotals;
use crate::ledger::freshness::{Freshness, LAG_STEPS_S};
use crate::ledger::health::{DeliveryHealth, POST_TIMES_MS, PostTimes};
use crate::ledger::inflated_sizes::{INFLATED_STEPS, InflatedSizes};
use crate::ledger::layout_doubts::LayoutDoubt;
use crate::ledger::self_check::{CanaryOutcome, SelfCheckReport};
use crate::limits::HOURS_READ;
use crate::memory::ReservedWriter;
use crate::services::Services;

/// Returns milliseconds as a number of seconds.
fn seconds(ms: i64) -> String {
    let text = format!("{}.{:03}", ms / 1000, ms % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The media type of the text format 0.0.4.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers with the sums of the newest ledgers and the state of the audit log.
pub(crate) async fn get_metrics(config: &Config, services: &impl Services, caller: &Caller) -> Result<Reply, Problem> {
    let SummedBooks {
        totals,
        delivery,
        freshness,
        edge,
        inflated,
        layout_doubts,
        ledgers,
        dead_letters,
        ignored_events,
        balanced,
        self_check,
        ..
    } = sum_books(config, services, HOURS_READ).await?;
    let audit = Box::pin(sum_chains(services)).await?;
    let costs = Box::pin(sum_costs(services)).await?;
    let mut page = MetricsPage(ReservedWriter::new(services.memory()));
    page.lines(&totals.lines, balanced);
    page.payloads(&totals);
    page.inflated(&inflated);
    page.again(&totals.again);
    page.changed(&totals.changed);
    page.ray_times(&totals, &layout_doubts);
    page.edge(&edge);
    page.single("raydex_dead_letters", "Dead letters that are neither redriven nor dismissed.", dead_letters);
    page.family("raydex_events_ignored", "Events for which there was nothing to do, by reason.");
    for (why, count) in ignored_events {
        page.labelled("raydex_events_ignored", "reason", &why, count);
    }
    page.delivery(&delivery, services.now_ms());
    page.freshness(&freshness, services.now_ms());
    let faults = config.delivery_faults.len();
    page.single("raydex_delivery_faults", "Faults of settings that stop delivery.", faults);
    page.post_times(&delivery.post_times);
    page.self_check(self_check.as_ref(), services.now_ms());
    page.audit(&audit);
    page.costs(&if sees_callers(caller) { costs } else { without_callers(&costs) });
    page.single("raydex_ledgers_scanned", "Ledgers that these figures were gathered from.", ledgers.scanned);
    page.single("raydex_ledgers", "Ledgers that exist.", ledgers.total);
    Ok(Reply::new(200, PROMETHEUS, page.0.finish()?))
}

/// A page of figures. One that does not fit in memory cannot be finished.
struct MetricsPage(ReservedWriter);

impl MetricsPage {
    /// The lines, by what became of them.
    fn lines(&mut self, lines: &LineTotals, balanced: bool) {
        self.family("raydex_lines", "Lines of sealed batches, by what became of them.");
        for (state, count) in [
            ("in", lines.lines_in),
            ("delivered", lines.delivered),
            ("confirmed", lines.confirmed),
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

    /// The lines that backfills deliver once more.
    fn again(&mut self, again: &AgainTotals) {
        self.family("raydex_lines_again", "Lines that backfills deliver once more, by what became of them.");
        for (state, count) in [
            ("in", again.lines_in),
            ("delivered", again.delivered),
            ("confirmed", again.confirmed),
            ("pending", again.pending),
            ("parked", again.parked),
            ("filtered", again.filtered.values().sum()),
        ] {
            self.labelled("raydex_lines_again", "state", state, count);
        }
    }

    /// The lines for the partner that differ from their records.
    fn changed(&mut self, changed: &ChangedLines) {
        let ChangedLines { sanitised, cut, defaulted } = *changed;
        self.family(
            "raydex_lines_changed",
            "Lines for the partner that differ from their records, by what was changed.",
        );
        for (what, count) in [("sanitised", sanitised), ("cut", cut), ("defaulted", defaulted)] {
            self.labelled("raydex_lines_changed", "what", what, count);
        }
    }

    /// How the rays agree with their records, by dataset.
    fn ray_times(&mut self, totals: &LedgerTotals, doubts: &[LayoutDoubt]) {
        let of_datasets = &totals.ray_times;
        self.family("raydex_rays_compared", "Rays whose time was compared with their record's, by dataset.");
        for (dataset, times) in of_datasets {
            self.labelled("raydex_rays_compared", "dataset", dataset, times.compared);
        }
        self.family("raydex_rays_skewed", "Rays whose time differs by more than 5 s from their record's, by dataset.");
        for (dataset, times) in of_datasets {
            self.labelled("raydex_rays_skewed", "dataset", dataset, times.clock_skewed);
        }
        self.family("raydex_layout_doubtful", "1 where most rays of a batch of the last hour are skewed, by dataset.");
        for dataset in of_datasets.keys() {
            let is_doubtful = doubts.iter().any(|doubt| doubt.dataset.name() == dataset);
            self.labelled("raydex_layout_doubtful", "dataset", dataset, u8::from(is_doubtful));
        }
    }

    /// The entries of the audit log, and what its objects wrote.
    fn audit(&mut self, audit: &AuditFigures) {
        self.family("raydex_audit_entries", "Entries of the audit log, by where they were put.");
        self.labelled("raydex_audit_entries", "place", "bucket", audit.in_bucket);
        self.labelled("raydex_audit_entries", "place", "object", audit.in_objects);
        let WrittenCounts { calls, commits, rows, entries } = audit.written;
        self.family("raydex_audit_written", "What the audit log's objects did since each was started, by kind.");
        for (kind, count) in [("calls", calls), ("commits", commits), ("rows", rows), ("entries", entries)] {
            self.labelled("raydex_audit_written", "kind", kind, count);
        }
        self.family("raydex_audit_chain_calls", "Calls to the object of a chain since it was started, by chain.");
        for (chain, calls) in (0_u8..).zip(&audit.calls) {
            self.labelled("raydex_audit_chain_calls", "chain", &chain.to_string(), *calls);
        }
    }

    /// What callers cost today. The name of those without a series of their own is empty.
    fn costs(&mut self, costs: &CostPage) {
        let CostPage { callers, others, .. } = costs;
        let rest = (String::new(), others.requests, others.cost);
        let series = callers.iter().map(|one| (one.actor.clone(), one.requests, one.cost)).chain([rest]);
        let series: Vec<_> = series.collect();
        self.family(
            "raydex_caller_requests_today",
            "Admitted requests since midnight UTC, by caller; of all others without.",
        );
        for (caller, requests, _) in &series {
            self.labelled("raydex_caller_requests_today", "caller", caller, *requests);
        }
        self.family("raydex_caller_cost_dollars_today", "Cost of these requests in US dollars, by caller.");
        for (caller, _, cost) in &series {
            self.labelled("raydex_caller_cost_dollars_today", "caller", caller, Dollars::from_nanos(*cost));
        }
        self.family("raydex_caller_budget_dollars", "Daily budget in US dollars, by caller.");
        for CallerCost { actor, budget, .. } in callers {
            if let Some(budget) = budget {
                self.labelled("raydex_caller_budget_dollars", "caller", actor, Dollars::from_nanos(*budget));
            }
        }
    }

    /// What the isolates of the edge logger counted.
    fn edge(&mut self, edge: &EdgeTotals) {
        let EdgeTotals { batches, missing_batches, counts } = *edge;
        self.single("raydex_edge_batches", "Batches of the edge logger with counts of their isolate.", batches);
        self.single(
            "raydex_edge_batches_missing",
            "Batches that are missing between others of their isolate and hour.",
            missing_batches,
        );
        self.family("raydex_edge_requests", "Requests that the edge logger saw, by what became of them.");
        for (state, count) in [
            ("seen", counts.seen),
            ("recorded", counts.recorded),
            ("merged", counts.merged),
            ("sampled_out", counts.sampled_out),
            ("dropped", counts.dropped()),
        ] {
            self.labelled("raydex_edge_requests", "state", state, count);
        }
        self.family("raydex_edge_requests_dropped", "Requests without a record, by reason.");
        for reason in DropReason::ALL.iter().copied() {
            self.labelled("raydex_edge_requests_dropped", "reason", reason.name(), counts.dropped.of(reason));
        }
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
        self.single("raydex_posts_not_sent", "Attempts whose body never left.", totals.posts.not_sent);
    }

    /// Why payloads wait.
    fn delivery(&mut self, health: &DeliveryHealth, now_ms: i64) {
        let age_s = |since_ms: Option<i64>| since_ms.map_or(0, |since_ms| (now_ms - since_ms).max(0) / 1000);
        self.family("raydex_breaker", "1 for the state of the partner's breaker.");
        for state in BreakerState::ALL {
            self.labelled("raydex_breaker", "state", state.name(), u64::from(health.breaker.state == state));
        }
        let open_s = age_s(health.breaker.since_ms);
        self.single(
            "raydex_breaker_open_seconds",
            "Time since the partner's breaker opened; 0 if it is closed.",
            open_s,
        );
        let (reason, status) = health
            .breaker
            .reason
            .as_deref()
            .map_or(("none", 0), |reason| (reason, health.breaker.status.unwrap_or_default()));
        self.family("raydex_breaker_status", "HTTP status of the failure that the breaker waits out; 0 without one.");
        self.labelled("raydex_breaker_status", "reason", reason, status);
        self.single("raydex_ledgers_held", "Ledgers that hold payloads because of the breaker.", health.held_ledgers);
        self.single(
            "raydex_payloads_paced",
            "Payloads that wait for their turn at a given rate.",
            health.paced_payloads,
        );
        self.single(
            "raydex_payloads_stopped",
            "Payloads that wait for their stopped backfill.",
            health.stopped_payloads,
        );
        let (code, status) = health
            .last_refusal
            .as_ref()
            .map_or(("none", 0), |refusal| (refusal.code.as_str(), refusal.status.unwrap_or_default()));
        self.family("raydex_last_refusal_status", "HTTP status of the partner's last refusal; 0 if there is none.");
        self.labelled("raydex_last_refusal_status", "code", code, status);
        let refused_s = age_s(health.last_refusal.as_ref().map(|refusal| refusal.at_ms));
        self.single("raydex_last_refusal_age_seconds", "Time since that refusal; 0 if there is none.", refused_s);
        let oldest_s = age_s(health.oldest_pending.as_ref().map(|pending| pending.since_ms));
        self.single("raydex_oldest_pending_seconds", "Time for which the oldest payload has been pending.", oldest_s);
    }

    /// How fresh the partner's lines are.
    fn freshness(&mut self, freshness: &Freshness, now_ms: i64) {
        let age_s = freshness.oldest_line_ms.map_or(0, |at_ms| (now_ms - at_ms).max(0) / 1000);
        self.single(
            "raydex_oldest_pending_line_seconds",
            "Time since the request of the oldest pending line; 0 if none is.",
            age_s,
        );
        self.family(
            "raydex_delivery_lag_seconds",
            "Time within which this share of the delivered lines arrived after their request.",
        );
        for (share, name) in [(50, "0.5"), (99, "0.99")] {
            self.labelled("raydex_delivery_lag_seconds", "quantile", name, freshness.lags.within_s(share).unwrap_or(0));
        }
        self.family(
            "raydex_delivery_lag_lines",
            "Delivered lines, by the seconds within which they arrived after their request.",
        );
        let mut sum = 0;
        for (step, lines) in LAG_STEPS_S.iter().zip(freshness.lags.0) {
            sum += lines;
            self.labelled("raydex_delivery_lag_lines", "le", &step.to_string(), sum);
        }
    }

    /// How much text batches hold.
    fn inflated(&mut self, sizes: &InflatedSizes) {
        let naming = ("raydex_batch_inflated_bytes", "Size of the inflated text of each sealed batch.");
        self.histogram(naming, INFLATED_STEPS, &sizes.counts, sizes.sum);
    }

    /// How long the last POST of each payload took.
    fn post_times(&mut self, times: &PostTimes) {
        let help = "Time of the last POST of each payload, until the partner's answer or its time limit.";
        let naming = ("raydex_post_duration_seconds", help);
        self.histogram(naming, POST_TIMES_MS.map(seconds), &times.counts, seconds(times.sum_ms));
    }

    /// What the deployment found when it last checked itself.
    fn self_check(&mut self, report: Option<&SelfCheckReport>, now_ms: i64) {
        let age_s = |since_ms: Option<i64>| since_ms.map_or(0, |since_ms| (now_ms - since_ms).max(0) / 1000);
        let checked_s = report.map_or(-1, |report| age_s(Some(report.at_ms)));
        self.single(
            "raydex_self_check_age_seconds",
            "Time since the last self-check; -1 before the first one.",
            checked_s,
        );
        let found = report.and_then(|report| report.swept).unwrap_or_default();
        self.single(
            "raydex_sweep_found",
            "Objects without an outcome ten minutes after they were written, of the last sweep.",
            found.announced,
        );
        self.single(
            "raydex_parse_lag_seconds",
            "Time since the oldest of these was written; 0 if there is none.",
            age_s(found.oldest_ms),
        );
        let canaries = report.map(|report| report.canaries.as_slice()).unwrap_or_default();
        self.family("raydex_canary", "1 for what the lookups of the canary found, by dataset and outcome.");
        for canary in canaries {
            for outcome in CanaryOutcome::ALL {
                let (dataset, name) = (canary.dataset.name(), outcome.name());
                let is_it = u64::from(canary.outcome == outcome);
                let _written = writeln!(self.0, "raydex_canary{{dataset=\"{dataset}\",outcome=\"{name}\"}} {is_it}");
            }
        }
        self.family(
            "raydex_canary_lookup_ms",
            "Time of the slowest lookup of the canary, in milliseconds, by dataset.",
        );
        for canary in canaries {
            self.labelled(
                "raydex_canary_lookup_ms",
                "dataset",
                canary.dataset.name(),
                canary.slowest_ms.unsigned_abs(),
            );
        }
        self.family("raydex_newest_batch_age_seconds", "Time since the newest indexed batch was written, by dataset.");
        for canary in canaries {
            let age_s = age_s(Some(canary.uploaded_ms)).unsigned_abs();
            self.labelled("raydex_newest_batch_age_seconds", "dataset", canary.dataset.name(), age_s);
        }
        self.family(
            "raydex_index_delay_seconds",
            "Time from the writing of this batch to its place in the index, by dataset.",
        );
        for canary in canaries {
            let delay_s = ((canary.sealed_ms - canary.uploaded_ms).max(0) / 1000).unsigned_abs();
            self.labelled("raydex_index_delay_seconds", "dataset", canary.dataset.name(), delay_s);
        }
    }

    /// Begins a metric family. All but histograms are gauges: the values cover the ledgers that were read, so they may decrease.
    fn family(&mut self, name: &str, help: &str) {
        let _written = write!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n");
    }

    /// Writes the numbers of values by their upper bounds, with the sum of the values; the last number may be of those beyond all
    /// bounds.
    fn histogram(
        &mut self,
        (name, help): (&str, &str),
        bounds: impl IntoIterator<Item = impl Display>,
        counts: &[u64],
        sum: impl Display,
    ) {
        let _written = write!(self.0, "# HELP {name} {help}\n# TYPE {name} histogram\n");
        let mut within = 0;
        for (bound, count) in bounds.into_iter().zip(counts) {
            within += count;
            let _written = writeln!(self.0, "{name}_bucket{{le=\"{bound}\"}} {within}");
        }
        let all: u64 = counts.iter().sum();
        let _written = writeln!(self.0, "{name}_bucket{{le=\"+Inf\"}} {all}");
        let _written = write!(self.0, "{name}_sum {sum}\n{name}_count {all}\n");
    }

    fn labelled(&mut self, name: &str, label: &str, value: &str, count: impl Display) {
        // Reasons and states are our own words, without quotes and backslashes; names of callers with such are kept by their hash.
        let _written = writeln!(self.0, "{name}{{{label}=\"{value}\"}} {count}");
    }

    fn single(&mut self, name: &str, help: &str, count: impl Display) {
        self.family(name, help);
        let _written = writeln!(self.0, "{name} {count}");
    }
}
