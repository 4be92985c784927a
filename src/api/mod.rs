//! The API of raydex: one file per resource, each answering its routes.
//!
//! `record_view` determines what a caller sees of a record, `record_writer` formats it, and `field_warnings` finds
//! fields of a request that exist nowhere; `range_scan` reads a time range, `response_stream` is the body of a stream over
//! one, which `range_stream` fills with records, `count_stream` with counts and `neighbour_stream` with the neighbours of a ray; `end_marker` ends streams; `views`, `ledgers`, `operation_reason`, `scan`
//! and `retry` are shared by several resources.
//!
//! # Invariants
//! A lookup reports its cost; an error never repeats anything that the client sent.

pub(crate) mod absence;
mod audit_export;
mod audit_figures;
pub(crate) mod audit_log;
mod audit_merge;
mod audit_read;
pub(crate) mod backfills;
pub(crate) mod batches;
pub(crate) mod completeness;
pub(crate) mod costs;
mod count_groups;
mod count_sink;
mod count_stream;
pub(crate) mod counts;
pub(crate) mod coverage;
mod cursors;
pub(crate) mod dead_letters;
pub(crate) mod deliveries;
mod end_marker;
pub(crate) mod erasures;
mod export_body;
mod family_wish;
pub(crate) mod field_subset;
pub(crate) mod field_warnings;
mod foreign_spans;
pub(crate) mod health;
pub(crate) mod ingest;
pub(crate) mod ledgers;
pub(crate) mod list_document;
pub(crate) mod logs;
pub(crate) mod metrics;
mod nearest_records;
mod neighbour_sink;
mod neighbour_stream;
pub(crate) mod neighbours;
pub(crate) mod openapi;
pub(crate) mod operation_reason;
pub(crate) mod partner;
pub(crate) mod payloads;
pub(crate) mod range_scan;
pub(crate) mod range_stream;
pub(crate) mod ray_diff;
mod ray_document;
pub(crate) mod ray_explain;
pub(crate) mod ray_har;
pub(crate) mod ray_list;
pub(crate) mod ray_otlp;
pub(crate) mod ray_story;
mod ray_tree;
pub(crate) mod rays;
mod record_deliveries;
pub(crate) mod record_view;
pub(crate) mod record_writer;
mod requested_key;
mod response_stream;
pub(crate) mod retry;
pub(crate) mod scan;
pub(crate) mod self_check;
mod silent_part;
pub(crate) mod stats;
pub(crate) mod time_range;
pub(crate) mod tokens;
pub(crate) mod trace_lookup;
pub(crate) mod trace_writer;
pub(crate) mod traces;
mod upload_gate;
pub(crate) mod views;
