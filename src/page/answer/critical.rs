//! The critical path of a tree of requests: what the slowest way through it consists of.
//!
//! # Invariants
//! Each nanosecond of the request at the top belongs to exactly one ray of the path: the one that ended last of those that
//! were running below the ray before. What a request does after its parent ended is on no path.

/// When a request ran, and below which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestSpan {
    /// Its start, in nanoseconds.
    pub(super) start: i64,
    /// Its end; not before its start.
    pub(super) end: i64,
    /// The position of the request that waited for it, which is before its own.
    pub(super) parent: Option<usize>,
}

/// Returns for each request the nanoseconds for which the one at `top` waited for it and for nothing below it: 0 for those
/// that are not on the path.
pub(super) fn critical_path(spans: &[RequestSpan], top: usize) -> Vec<i64> {
    let mut critical = vec![0; spans.len()];
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    for (at, span) in spans.iter().enumerate() {
        if let Some(of_parent) = span.parent.filter(|parent| *parent < at).and_then(|parent| children.get_mut(parent)) {
            of_parent.push(at);
        }
    }
    let mut open: Vec<(usize, i64, i64)> = spans.get(top).map(|span| (top, span.start, span.end)).into_iter().collect();
    while let Some((at, from, until)) = open.pop() {
        let mut below: Vec<(usize, &RequestSpan)> =
            children.get(at).into_iter().flatten().filter_map(|child| Some((*child, spans.get(*child)?))).collect();
        below.sort_by_key(|(child, span)| (std::cmp::Reverse(span.end.min(until)), *child));
        let (mut left, mut own) = (until, 0_i64);
        for (child, of_child) in below {
            let end = of_child.end.min(until);
            let start = of_child.start.max(from);
            // What was still running when the next one began did not hold it up.
            if start < end && end <= left {
                own += left - end;
                left = start;
                open.push((child, start, end));
            }
        }
        if let Some(critical) = critical.get_mut(at) {
            *critical = own + (left - from);
        }
    }
    critical
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};

    use super::{RequestSpan, critical_path};

    const fn span(start: i64, end: i64, parent: Option<usize>) -> RequestSpan {
        RequestSpan { start, end, parent }
    }

    #[test]
    fn path_follows_what_ended_last() {
        let spans = [
            span(0, 100, None),
            span(10, 60, Some(0)),
            span(20, 90, Some(0)),
            span(30, 80, Some(2)),
            span(5, 15, Some(0)),
        ];
        assert_eq!(critical_path(&spans, 0), [20, 0, 20, 50, 10]);
    }

    #[test]
    fn late_children_count_until_their_parent_ends() {
        let spans = [span(0, 10, None), span(5, 50, Some(0)), span(20, 30, Some(1)), span(12, 20, Some(0))];
        assert_eq!(critical_path(&spans, 0), [5, 5, 0, 0]);
        assert_eq!(critical_path(&spans, 1), [0, 35, 10, 0]);
        assert_eq!(critical_path(&[], 0), Vec::<i64>::new());
    }

    /// Trees of up to twenty requests, in any order of times.
    fn trees() -> impl Strategy<Value = Vec<RequestSpan>> {
        proptest::collection::vec((0_i64..100, 0_i64..100, 0_usize..20), 1..20).prop_map(|rows| {
            let of_row = |(at, (start, lasts, parent)): (usize, (i64, i64, usize))| {
                span(start, start + lasts, (at > 0).then(|| parent % at))
            };
            rows.into_iter().enumerate().map(of_row).collect()
        })
    }

    proptest! {
        #[test]
        fn path_adds_up_to_the_top(spans in trees()) {
            let critical = critical_path(&spans, 0);
            prop_assert_eq!(critical.iter().sum::<i64>(), spans[0].end - spans[0].start);
            for (at, on_path) in critical.iter().enumerate() {
                prop_assert!(*on_path >= 0 && *on_path <= spans[at].end - spans[at].start);
            }
        }
    }
}
