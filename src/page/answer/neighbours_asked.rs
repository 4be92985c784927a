//! Which neighbours of a ray a page shows, and what it reads of them.

/// What neighbours have in common with a ray.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NeighbourKind {
    /// The client's address.
    Client,
    /// The page, without its query.
    #[default]
    Path,
    /// The site and the status.
    Status,
}

impl NeighbourKind {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Client, Self::Path, Self::Status];

    /// Returns the name in the parameter `by`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Path => "path",
            Self::Status => "status",
        }
    }

    /// Returns the kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The neighbours that a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighboursAsked {
    /// What they have in common with the ray.
    pub by: NeighbourKind,
    /// How long before and after it, in seconds.
    pub within_s: i64,
}

impl NeighboursAsked {
    /// The times around a ray that the page offers, in seconds.
    pub(super) const OFFERED_S: [i64; 4] = [10, 60, 300, 3_600];

    /// The fields of each neighbour that the page reads.
    pub const FIELDS: &'static str = "ClientRequestMethod,ClientRequestHost,ClientRequestPath,EdgeResponseStatus,ClientIP,CacheCacheStatus,\
         EdgeStartTimestamp,EdgeEndTimestamp,EdgeTimeToFirstByteMs,OriginResponseDurationMs";
}
