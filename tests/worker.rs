//! The built Worker under the real runtime (workerd), driven over HTTP.
//!
//! What is tested here is what no native test can see: the bindings, the JavaScript face, SQLite inside of Durable
//! Objects, streams, memory. Each file is a topic, and each test starts one runtime of its own
//! (`local/harness.mjs`). They need `scripts/build`; without it they fail and say so.
//!
//! What always holds: no runtime outlives its test, and none reaches the network.

#![cfg(test)]

#[path = "mask/canaries.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "the tests of masking use all of it")]
mod canaries;
#[path = "worker/harness.rs"]
mod harness;
#[path = "access/issuer.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "the tests of assertions use all of it")]
mod issuer;
#[path = "worker/reply.rs"]
mod reply;

#[path = "worker/access.rs"]
mod access;
#[path = "worker/audit.rs"]
mod audit;
#[path = "worker/calendar.rs"]
mod calendar;
#[path = "worker/chaos.rs"]
mod chaos;
#[path = "worker/crash.rs"]
mod crash;
#[path = "worker/delivery.rs"]
mod delivery;
#[path = "worker/doors.rs"]
mod doors;
#[path = "worker/every_ray.rs"]
mod every_ray;
#[path = "worker/forms.rs"]
mod forms;
#[path = "worker/large.rs"]
mod large;
#[path = "worker/memory.rs"]
mod memory;
#[path = "worker/messages.rs"]
mod messages;
#[path = "worker/objects.rs"]
mod objects;
#[path = "worker/operations.rs"]
mod operations;
#[path = "worker/silence.rs"]
mod silence;
#[path = "worker/streams.rs"]
mod streams;
#[path = "worker/uploads.rs"]
mod uploads;
