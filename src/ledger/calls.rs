//! The calls to a ledger ([`crate::rpc`]): their names, bodies and answers, all JSON. `tests/it/ledger/story.txt` freezes
//! them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::books::{Batch, PayloadView, Totals};
use super::delivery::{Outcome, Payload, State, Why};
use super::ids::{DeliveryId, PackId, SourceId};
use super::plan::{Plan, Wish};
use crate::index::{Counts, ObjectVersion};
use crate::partner::OnUnknown;
use crate::rpc::calls;

calls! {
    "v1/begin": Begin => BeginAnswer,
    "v1/entries": Entries => Done,
    "v1/seal": Seal => SealAnswer,
    "v1/set-aside": SetAside => SetAsideAnswer,
    "v1/gone": Gone => GoneAnswer,
    "v1/missing": Missing => MissingAnswer,
    "v1/registered": Registered => Done,
    "v1/claim": Claim => ClaimAnswer,
    "v1/commit": Commit => CommitAnswer,
    "v1/split": Split => SplitAnswer,
    "v1/decide": Decide => DecideAnswer,
    "v1/bodies": Bodies => BodiesAnswer,
    "v1/removed": Removed => Done,
    "v1/nudge": Nudge => Done,
    "v1/totals": TotalsAsk => Totals,
    "v1/batches": BatchesAsk => BatchesAnswer,
    "v1/batch": BatchAsk => BatchAnswer,
}

/// Nothing more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// Someone is about to read an object: what is there to do?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The source.
    pub source: SourceId,
    /// The object version.
    pub object: ObjectVersion,
    /// The dataset that it is taken for.
    pub dataset: String,
    /// Whether it is to be indexed.
    pub index: bool,
    /// What is to go to the partner; `None`: nothing.
    pub deliver: Option<Wish>,
}

/// What is there to do with a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BeginAnswer {
    /// Something.
    Work(Work),
    /// Nothing: all that was asked for has been done. Deliveries whose message may be missing are told.
    Done,
    /// Nothing: this version was set aside.
    SetAside {
        /// The reason's code.
        code: String,
    },
    /// Nothing: a newer version is known.
    Superseded,
}

/// What is there to do with a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Whether to index it.
    pub index: bool,
    /// What to make payloads of.
    pub plan: Option<Plan>,
    /// Older versions of the object, with the shards that hold their rays.
    pub replaced: Vec<Replaced>,
    /// Whether the registry knows this ledger.
    pub registered: bool,
    /// Another plan's work was left unfinished and comes first; then ask again.
    pub more: bool,
    /// Most bytes of a pack, of whose bodies the ledger keeps the places; one of the version before keeps none.
    #[serde(default)]
    pub pack_bytes: usize,
}

/// An older version of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The source, by which its windows are named; a ledger of the version before names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// When it was written, in Unix milliseconds.
    pub uploaded_ms: i64,
    /// The shards that hold its rays.
    pub shards: Vec<String>,
}

/// The rays of a source are about to be written to these shards: whoever replaces it must drop them there, whether
/// it comes to a seal or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    /// The source.
    pub source: SourceId,
    /// The names of the shards.
    pub shards: Vec<String>,
}

/// Everything about a source has been done, and this is what it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The source.
    pub source: SourceId,
    /// What it holds, in lines.
    pub counts: Counts,
    /// Bytes inflated.
    pub inflated: u64,
    /// Whether its rays are in the index now; `None` where it was not to be indexed.
    pub indexed: Option<bool>,
    /// What was made of the plan, if there was one.
    pub plan: Option<SealedPlan>,
}

/// What was made of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPlan {
    /// Its number.
    pub number: u32,
    /// Records whose time is in its windows.
    pub in_window: u64,
    /// Records in its windows that do not go to the partner, by reason.
    pub filtered: BTreeMap<String, u64>,
    /// Lines of which a control character became a space.
    pub sanitised: u64,
    /// Its payloads.
    pub payloads: Vec<Payload>,
}

/// What a seal came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealAnswer {
    /// Whether it had been sealed before.
    pub already: bool,
    /// The payloads whose messages are to be sent.
    pub send: Vec<DeliveryId>,
}

/// The source is no batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// The source.
    pub source: SourceId,
    /// The reason's code.
    pub code: String,
    /// The reason in words.
    pub reason: String,
    /// Whether to read it again after all: the next `begin` starts over.
    pub replay: bool,
}

/// What setting aside came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAsideAnswer {
    /// Whether it is set aside now; a sealed source stays sealed.
    pub set_aside: bool,
}

/// The object at this key is there no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// The key.
    pub key: String,
    /// Whether the entries of the versions were dropped.
    pub forgotten: bool,
}

/// The versions of an object that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneAnswer {
    /// Those with rays in the index.
    pub versions: Vec<Replaced>,
}

/// Which of these sources has nobody begun or finished?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The sources.
    pub sources: Vec<SourceId>,
}

/// The answer to [`Missing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingAnswer {
    /// Those that are missing.
    pub sources: Vec<SourceId>,
}

/// The registry knows this ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {}

/// Someone wants to send a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The payload.
    pub id: DeliveryId,
    /// Who: the same caller gets the same answer again.
    pub claimant: String,
    /// Where to, as a fingerprint.
    pub endpoint: String,
    /// What to do where nobody can say whether the partner has it.
    pub on_unknown: OnUnknown,
    /// Whether the claimant reads bodies out of packs; one of the version before does not, and would find none.
    #[serde(default)]
    pub packs: bool,
}

/// What a claim came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "claim", rename_all = "snake_case")]
pub enum ClaimAnswer {
    /// It is the claimant's.
    Yes {
        /// What fences it.
        token: u32,
        /// The payload.
        payload: Payload,
        /// Which attempt this is, from 1.
        attempt: u32,
    },
    /// Not now; the ledger sees to it.
    Wait {
        /// Until then, in Unix milliseconds.
        until_ms: i64,
        /// Why.
        why: Why,
    },
    /// It is at rest.
    Settled {
        /// Where.
        state: State,
    },
    /// The ledger knows of no such payload.
    NoSuch,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The payload.
    pub id: DeliveryId,
    /// The token of the claim.
    pub token: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a commit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitAnswer {
    /// Whether it counted.
    pub counted: bool,
    /// Where the payload stands now; `None` where there is none.
    pub state: Option<State>,
}

/// A payload was too large; these are its halves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The payload.
    pub id: DeliveryId,
    /// The token of the claim.
    pub token: u32,
    /// Its halves.
    pub halves: Vec<Payload>,
}

/// What a split came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitAnswer {
    /// The halves whose messages are to be sent.
    pub send: Vec<DeliveryId>,
}

/// A person decides about a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decide {
    /// The payload.
    pub id: DeliveryId,
    /// What is to happen.
    pub decision: Decision,
    /// Why.
    pub reason: String,
}

/// What a person can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Send it now, whatever the breaker says; one that was delivered too.
    Resend,
    /// Let a parked one go on by itself.
    Release,
    /// Never send a parked one.
    Drop,
}

/// What a decision came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecideAnswer {
    /// Where the payload stood; `None` where there is none.
    pub before: Option<State>,
    /// Where it stands.
    pub state: Option<State>,
    /// The message to send.
    pub send: Vec<DeliveryId>,
}

/// Which bodies are of no use any more?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bodies {
    /// Those of payloads that came to rest before this instant.
    pub before_ms: i64,
}

/// The answer to [`Bodies`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodiesAnswer {
    /// Payloads whose bodies lie alone, with the hashes of these.
    pub bodies: Vec<(DeliveryId, String)>,
    /// Packs, of no use to any of their payloads.
    #[serde(default)]
    pub packs: Vec<PackId>,
}

/// The bodies of these payloads and these packs were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// The payloads.
    pub ids: Vec<DeliveryId>,
    /// The packs.
    #[serde(default)]
    pub packs: Vec<PackId>,
}

/// Sets the alarm, in case it was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nudge {}

/// Asks for the books of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalsAsk {}

/// Asks for sources, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchesAsk {
    /// Only those in this state.
    pub state: Option<String>,
    /// At most so many.
    pub limit: u64,
}

/// The answer to [`BatchesAsk`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchesAnswer {
    /// The sources.
    pub batches: Vec<Batch>,
}

/// Asks for one source with its payloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAsk {
    /// The source.
    pub source: SourceId,
}

/// The answer to [`BatchAsk`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchAnswer {
    /// The source; `None` where the ledger knows of none.
    pub batch: Option<Batch>,
    /// The shards that hold its rays.
    pub shards: Vec<String>,
    /// Its books.
    pub totals: Totals,
    /// Its plans.
    pub plans: Vec<Plan>,
    /// Its payloads.
    pub payloads: Vec<PayloadView>,
}
