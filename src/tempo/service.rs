//! What says that raydex is there and which API it speaks, and errors in the form that Grafana shows.

use serde_json::json;

use crate::http::media_type::TEXT;
use crate::http::{Problem, Reply};
use crate::memory::{MemoryBudget, OutOfMemory};

/// The version of Tempo whose API is answered: the first one with traces of the second version.
const API_VERSION: &str = "2.7.0";

/// Answers the question of whether anyone is there.
pub(crate) fn answer_echo() -> Reply {
    Reply::small(200, TEXT, b"echo")
}

/// Answers with the version of the API, and raydex's own.
pub(crate) fn build_info(memory: &MemoryBudget) -> Result<Reply, OutOfMemory> {
    Reply::json(
        memory,
        &json!({ "version": API_VERSION, "branch": "", "revision": "", "raydex": env!("CARGO_PKG_VERSION") }),
    )
}

/// Converts a problem to a sentence in plain text.
pub(crate) fn problem_reply(problem: &Problem) -> Reply {
    let words = problem.words();
    let words = if problem.code == "ray_not_found" { format!("Trace not found: {words}\n") } else { words + "\n" };
    let reply = Reply::small(problem.status, TEXT, words.as_bytes());
    let reply = match problem.retry_after() {
        Some(seconds) => reply.with_header("retry-after", seconds),
        None => reply,
    };
    match problem.status {
        401 => reply.with_header("www-authenticate", "Bearer"),
        405 => reply.with_header("allow", "GET, HEAD"),
        _ => reply,
    }
}
