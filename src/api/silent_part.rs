//! Why a part of the deployment does not answer, as far as its answer says.

use crate::access::ChainNumber;
use crate::audit::AUDIT;
use crate::audit::calls::ReadEntries;
use crate::audit::chains::chain_object;
use crate::backend::CallError;
use crate::ledger::calls::GetTotals;
use crate::ledger::ids::REGISTRY;
use crate::ledger::registry::ListLedgers;
use crate::limits::HEALTH_HOURS;
use crate::rpc::{self, is_object_too_new};
use crate::services::Services;

/// Says what is wrong by the text of an error.
pub(super) fn describe_silence(error: Option<&str>) -> &'static str {
    if error.is_some_and(is_object_too_new) {
        "object_too_new: a newer raydex wrote a part of it; deploy that one again"
    } else {
        "it does not answer"
    }
}

/// Says why a chain of the audit log does not answer.
pub(super) async fn describe_audit_log(services: &impl Services) -> &'static str {
    let (log, memory) = (services.audit_log(), services.memory());
    let first = match rpc::call_held(log, memory, AUDIT, &ReadEntries::default()).await {
        Ok(first) => first,
        Err(error) => return describe(Some(error)),
    };
    for chain in ChainNumber::first(first.chains) {
        if let Err(error) = rpc::call_held(log, memory, &chain_object(chain), &ReadEntries::default()).await {
            return describe(Some(error));
        }
    }
    describe(None)
}

/// Says why the registry, or one of the newest ledgers, does not answer.
pub(super) async fn describe_ledgers(services: &impl Services) -> &'static str {
    let (ledgers, memory) = (services.ledgers(), services.memory());
    let known = match rpc::call_held(ledgers, memory, REGISTRY, &ListLedgers { limit: HEALTH_HOURS }).await {
        Ok(known) => known,
        Err(error) => return describe(Some(error)),
    };
    for name in &known.names {
        if let Err(error) = rpc::call_held(ledgers, memory, name, &GetTotals {}).await {
            return describe(Some(error));
        }
    }
    describe(None)
}

fn describe(error: Option<CallError>) -> &'static str {
    describe_silence(error.map(|error| error.to_string()).as_deref())
}
