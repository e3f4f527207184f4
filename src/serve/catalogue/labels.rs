//! The closed label sets of the catalogue. Each is looked up by index, without hashing.

use crate::{LabelSet, LabelValue};

/// What a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum BatchType {
    /// Context encoding: the prefill of prompts.
    #[label("CE")]
    Prefill,
    /// Token generation: one decode step.
    #[label("TG")]
    Decode,
}

/// Whether a chat request is the first of its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum Turn {
    /// Not a chat, or not known: without the label.
    #[label("")]
    Unknown,
    /// It has no earlier turns.
    First,
    /// It sends earlier turns again.
    Later,
}

/// A phase of the start-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum Component {
    /// Not told apart: without the label.
    #[label("")]
    Unknown,
    /// Building the graph.
    Build,
    /// Compiling it.
    Compile,
    /// Initialising the model.
    Init,
    /// Capturing device graphs.
    GraphCapture,
    /// Pinning host memory.
    PinnedMemory,
    /// Starting worker processes.
    Spawn,
    /// All of it.
    Total,
}

/// Where cached prompt tokens came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum CacheTier {
    /// The device's own prefix cache.
    #[label("g0")]
    Device,
    /// Any tier beyond it.
    External,
}

/// A kind of media in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum MediaKind {
    /// A still image.
    Image,
    /// A video.
    Video,
}

/// How media were handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum MediaSource {
    /// In the request's body.
    Inline,
    /// By address.
    Url,
    /// As a file of the server.
    File,
}

/// Why media were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum MediaRejection {
    /// The host's name has no address.
    DnsFailure,
    /// The host answered with an error.
    FetchStatus,
    /// The host was too slow.
    FetchTimeout,
    /// The connection failed.
    FetchTransport,
    /// One redirect after the other.
    TooManyRedirects,
    /// A redirect that leads nowhere.
    BadRedirect,
    /// An address that must not be asked on a client's behalf.
    SsrfBlocked,
    /// A scheme that is not supported.
    BadScheme,
    /// Not an address.
    MalformedUrl,
    /// An address without a host.
    NoHost,
    /// A file address that is not allowed.
    BadFileUri,
    /// More bytes than a request may bring.
    OverBudget,
    /// More pixels than may be decoded.
    DecodeTooLarge,
    /// Too many images in a request.
    TooManyImages,
    /// Too many videos in a request.
    TooManyVideos,
    /// Bytes that are no image or video.
    Undecodable,
    /// A data address that cannot be read.
    BadDataUri,
}

/// What a chat request asks about tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum ToolChoice {
    /// The model may call one.
    Auto,
    /// The model must call one.
    Required,
    /// The model must call a certain one.
    Named,
}

/// How a tool call breaks its declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum ToolCallError {
    /// Its arguments are no JSON.
    InvalidJson,
    /// No such tool was declared.
    UnknownTool,
    /// Its arguments are not what the schema asks for.
    SchemaMismatch,
}

/// What form an answer must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Any JSON object.
    JsonObject,
    /// What a schema says.
    JsonSchema,
}

/// Which grammar was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum Grammar {
    /// That of the declared tools.
    ToolGrammar,
    /// That of the asked response format.
    JsonSchema,
}

/// How an answer breaks the form that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum ResponseError {
    /// It is no JSON.
    InvalidJson,
    /// It is not what the schema asks for.
    SchemaMismatch,
}

/// Who encoded a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum ChatEncoder {
    /// The model's own encoder.
    Custom,
    /// The general one.
    Fallback,
}

/// Why a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum Finish {
    /// The model was done, or reached a stop word.
    Stop,
    /// It reached the largest number of tokens.
    Length,
    /// The client went away, or the server gave it up.
    Abort,
    /// It failed.
    Error,
}

/// What a request can be judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum Objective {
    /// Time to the first token.
    Ttft,
    /// Mean time per output token after the first.
    Tpot,
    /// Time from arrival to the last token.
    E2e,
}

/// Whether an engine is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum SleepState {
    /// It is.
    Awake,
    /// It sleeps, and its weights are in the host's memory.
    WeightsOffloaded,
    /// It sleeps, and nothing is kept.
    DiscardAll,
}

/// What is asked of the sleep mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum SleepOperation {
    /// Go to sleep.
    Sleep,
    /// Give the KV cache's memory back.
    ReleaseKvCacheMemory,
    /// Wake up.
    Wake,
}

/// A step of an update of the weights while the server runs, as for reinforcement learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum WeightOperation {
    /// Sets up the transfer.
    Init,
    /// Begins an update.
    Start,
    /// Begins an update of the draft model.
    StartDraft,
    /// Brings weights.
    Update,
    /// Ends an update.
    Finish,
}

/// How far a request is that waits for keys and values from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum KvFetchStage {
    /// Its load has not begun.
    WaitingToStart,
    /// Its load is under way.
    InProgress,
    /// Its load is done, and it waits for a place in a batch.
    CompletedWaiting,
}

/// What became of a block that the simple offload was to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum StoreOutcome {
    /// It is stored.
    Stored,
    /// The pool was full.
    DroppedCpuFull,
    /// Its request was gone.
    DroppedRequestGone,
    /// It was the block that stands for none.
    DroppedNullBlock,
    /// It had no hash to be found by.
    DroppedNotHashed,
    /// The pool had it.
    SkippedAlreadyCached,
    /// It was being stored.
    SkippedInFlight,
}

/// When a load's blocks are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum LoadPhase {
    /// When it was handed to the workers.
    Issued,
    /// When it ended well.
    Completed,
}

/// Why a late-bound measurement was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, LabelValue)]
#[non_exhaustive]
pub enum Refusal {
    /// No instrument has this name.
    UnknownName,
    /// The value is not one that the instrument takes: negative for a counter, or a fraction of an event.
    WrongValue,
    /// The value is not a number, or infinite.
    NotFinite,
    /// Not the labels that the instrument has, or not one of a label's values.
    WrongAttributes,
}

macro_rules! label_sets {
    ($($set:ident { $($label:ident: $value:ty),+ })+) => {
        $(
            #[derive(Clone, Copy, Debug, LabelSet)]
            pub(crate) struct $set { $(pub(crate) $label: $value),+ }
        )+
    };
}

label_sets! {
    ByBatch { batch_type: BatchType }
    ByTurn { turn: Turn }
    ByComponent { component: Component }
    ByTier { tier: CacheTier }
    ByKind { media_kind: MediaKind }
    BySource { source: MediaSource }
    ByKindAndSource { media_kind: MediaKind, source: MediaSource }
    ByRejection { reason: MediaRejection }
    ByChoice { choice: ToolChoice }
    ByToolCallError { outcome: ToolCallError }
    ByFormat { kind: ResponseFormat }
    ByGrammar { kind: Grammar }
    ByResponseError { outcome: ResponseError }
    ByEncoder { outcome: ChatEncoder }
    ByFinish { finished_reason: Finish }
    ByObjective { objective: Objective }
    BySleepState { sleep_state: SleepState }
    BySleepOperation { operation: SleepOperation }
    ByWeightOperation { operation: WeightOperation }
    ByKvFetchStage { stage: KvFetchStage }
    ByStoreOutcome { outcome: StoreOutcome }
    ByLoadPhase { phase: LoadPhase }
    ByRefusal { reason: Refusal }
}
