//! The ID that a request names, as a ray or as a trace.
//!
//! # Invariants
//! Sixteen digits with zeros before them, as tools with trace IDs of 128 bits show a ray, are the ray; where a route finds traces too
//! and has no such ray, they are the trace.

use crate::http::{Problem, problems};
use crate::record::{RayKey, ray_from_user};

/// Reads the ID of a ray, for an answer that only requests have; of a trace ID the problem is `of_trace`, whether a span has it or not.
///
/// # Errors
/// The [`Problem`] of a text that is no ray.
pub(super) fn parse_ray(text: &str, of_trace: impl FnOnce() -> Problem) -> Result<RayKey, Problem> {
    let key = ray_from_user(text).map_err(|_| problems::not_a_ray())?.unpadded();
    if key.is_trace_id() { Err(of_trace()) } else { Ok(key) }
}

/// Finds what an ID names: returns the ray or the trace that it is, with what `find` found of that.
///
/// # Errors
/// The [`Problem`] that `find` has.
pub(super) async fn find_named<T>(
    key: RayKey,
    find: impl AsyncFn(&RayKey) -> Result<T, Problem>,
) -> Result<(RayKey, T), Problem> {
    let of_ray = match key.padded_ray().map(RayKey::Ray) {
        None => None,
        Some(ray) => match find(&ray).await {
            Err(problem) if problem.status == 404 => Some(problem),
            found => return Ok((ray, found?)),
        },
    };
    match (find(&key).await, of_ray) {
        // The records that are asked for have no trace IDs.
        (Err(problem), Some(of_ray)) if problem.status == 400 => Err(of_ray),
        (found, _) => Ok((key, found?)),
    }
}
