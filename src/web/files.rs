//! The files that are open: what the page is made of, its icon, and the note for robots.

use ::http::header::IF_NONE_MATCH;

use super::PageRoute;
use crate::http::entity_tag::EntityTagHasher;
use crate::http::media_type::TEXT;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::memory::ReservedBytes;
use crate::page::{ICON, PageAsset, asset_version};

/// What an address with the hash of its content is kept for.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// What robots may read: nothing.
const NO_ROBOTS: &[u8] = b"User-agent: *\nDisallow: /\n";

/// Answers a route that needs no settings and no caller; `None` for another route.
pub(crate) fn open_file<B>(
    route: PageRoute,
    request: &HttpRequest<B>,
    arguments: &[String],
) -> Option<Result<Reply, Problem>> {
    route.is_file().then(|| file_reply(route, request, arguments).ok_or_else(problems::no_such_path))
}

/// The file of a route; `None` where it does not exist.
fn file_reply<B>(route: PageRoute, request: &HttpRequest<B>, arguments: &[String]) -> Option<Reply> {
    match route {
        PageRoute::Robots => Some(Reply::new(200, TEXT, ReservedBytes::from_constant(NO_ROBOTS))),
        PageRoute::Icon => {
            Some(with_tag(Reply::new(200, "image/svg+xml", ReservedBytes::from_constant(ICON)), ICON, request))
        }
        PageRoute::Asset => asset_reply(request, arguments),
        _ => None,
    }
}

/// Answers with a file. Only under the address of its content it may be kept.
fn asset_reply<B>(request: &HttpRequest<B>, arguments: &[String]) -> Option<Reply> {
    let [version, name] = arguments else { return None };
    let asset = PageAsset::find(name)?;
    let reply = Reply::new(200, asset.media_type, ReservedBytes::from_constant(asset.bytes));
    let reply = if version == asset_version() { reply.with_replaced("cache-control", FOREVER) } else { reply };
    Some(with_tag(reply, asset.bytes, request))
}

fn with_tag<B>(reply: Reply, bytes: &[u8], request: &HttpRequest<B>) -> Reply {
    let tag = EntityTagHasher::default().with(bytes).finish();
    reply.with_entity_tag(tag, request.header(IF_NONE_MATCH).as_deref())
}
