//! What an answer left out, and how to get it.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::limits::MCP_NAMES_LEFT_OUT;

/// What an answer left out; what is zero is not written.
#[derive(Debug, Default, Serialize)]
pub(super) struct LeftOut {
    #[serde(skip_serializing_if = "crate::rpc::is_default")]
    pub(super) tree_nodes: usize,
    #[serde(skip_serializing_if = "crate::rpc::is_default")]
    pub(super) records: usize,
    /// Records that are too large to be read beside the tree, so that their number is not known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) all_records: bool,
    #[serde(skip_serializing_if = "crate::rpc::is_default")]
    pub(super) payloads: usize,
    /// Fields of records that are in the answer.
    #[serde(skip_serializing_if = "crate::rpc::is_default")]
    pub(super) fields: usize,
    #[serde(skip_serializing_if = "crate::rpc::is_default")]
    pub(super) cut_values: usize,
    /// Rows of counts, and the records that they count.
    #[serde(skip_serializing_if = "crate::rpc::is_default")]
    pub(super) rows: usize,
    #[serde(skip_serializing_if = "crate::rpc::is_default")]
    pub(super) counted_records: usize,
    #[serde(skip_serializing_if = "crate::rpc::is_default")]
    pub(super) gaps: usize,
    #[serde(skip_serializing_if = "crate::rpc::is_default")]
    pub(super) warnings: usize,
    /// Some of the fields, by names that lists of the datasets have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    field_names: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

impl LeftOut {
    /// Mentions fields by their names, which are JSON.
    pub(super) fn name_fields<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        for name in names {
            let is_known = self.field_names.iter().any(|known| known.get() == name);
            if self.field_names.len() < MCP_NAMES_LEFT_OUT
                && !is_known
                && let Ok(name) = RawValue::from_string(name.to_owned())
            {
                self.field_names.push(name);
            }
        }
    }

    /// Whether nothing was left out.
    const fn is_empty(&self) -> bool {
        let Self { tree_nodes, records, all_records, payloads, fields, cut_values, rows, gaps, warnings, .. } = self;
        let counts = *tree_nodes + *records + *payloads + *fields + *cut_values + *rows + *gaps + *warnings;
        counts == 0 && !*all_records
    }

    /// Returns it as JSON with what to do to see more; `None` if nothing was left out.
    pub(super) fn json(mut self, hint: &'static str) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        self.hint = Some(hint);
        serde_json::to_string(&self).ok()
    }
}
