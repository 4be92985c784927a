//! The simulated world. `run.rs` schedules, `world.rs` is the platform, `post.rs` the way to the partner, `faults.rs` what
//! goes wrong, `traffic.rs` what comes in, `judge.rs` what must hold at the end, `life.rs` the exhaustive schedules.

pub(crate) mod faults;
pub(crate) mod judge;
pub(crate) mod life;
pub(crate) mod partner;
mod post;
pub(crate) mod random;
pub(crate) mod run;
mod task;
mod time;
mod traffic;
mod world;
