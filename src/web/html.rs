//! Templates as replies.

use std::fmt;

use askama::Template;

use crate::http::Reply;
use crate::memory::{MemoryBudget, OutOfMemory, ReservedBytes, ReservedWriter};

/// Takes text as a template writes it.
struct HtmlWriter {
    writer: ReservedWriter,
    out_of_memory: Option<OutOfMemory>,
}

impl fmt::Write for HtmlWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.writer.push(text.as_bytes()).map_err(|error| {
            self.out_of_memory = Some(error);
            fmt::Error
        })
    }
}

/// Renders a page.
///
/// # Errors
/// [`OutOfMemory`] if it does not fit.
pub(super) fn page_reply(memory: &MemoryBudget, status: u16, page: &impl Template) -> Result<Reply, OutOfMemory> {
    let mut html = HtmlWriter { writer: ReservedWriter::new(memory), out_of_memory: None };
    // A template has no other error than that of its writer.
    if page.render_into(&mut html).is_err() {
        return Err(html.out_of_memory.unwrap_or(OutOfMemory::TooLarge));
    }
    Ok(Reply::page(status, html.writer.finish()?))
}

/// Renders a page that the base amount of a request covers; without a body where it is longer than such a page may be.
pub(super) fn small_page_reply(status: u16, page: &impl Template) -> Reply {
    let text = page.render().unwrap_or_default();
    Reply::page(status, ReservedBytes::small(text.as_bytes()))
}
