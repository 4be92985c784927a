//! The durable buffer of the edge logger: what isolates hand over, under faults and kills, against an independent count of lines.

mod kills;
mod messages;
mod rows;
mod world;

use super::support;
