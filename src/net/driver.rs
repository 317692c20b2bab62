//! The driver of one session: moves bytes between client and upstream as its [`Session`] says.

use std::collections::HashSet;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Sleep;
use uuid::Uuid;

use super::channel::Channel;
use super::claims::Claimed;
use super::flow::{Wants, poll_io};
use super::shared::{Live, Phase, Shared};
use super::upstream::Upstream;
use crate::audit::Event;
use crate::limits::{Line, Slot};
use crate::refusal::Refusal;
use crate::session::{Effect, Estimate, Gate, Need, Nonsense, Session};
use crate::transport::Stream;
use crate::warehouse::connect::CancelKey;
use crate::wire::reply::{self, Severity};

/// Bytes waiting for one side at which the other is not read any further.
pub(super) const BACKLOG_BYTES: usize = 256 * 1024;

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
pub enum End {
    #[error("the client said goodbye")]
    Terminated,
    #[error("the client closed the connection")]
    ClientClosed,
    #[error("the client's connection failed: {0}")]
    ClientFailed(io::Error),
    #[error("the upstream closed the connection")]
    UpstreamClosed,
    #[error("the upstream's connection failed: {0}")]
    UpstreamFailed(io::Error),
    #[error(transparent)]
    Nonsense(#[from] Nonsense),
    /// The client is told why.
    #[error("{}", .0.message)]
    Fatal(Refusal),
    #[error("the proxy is shutting down")]
    Drained,
}

/// A gate that a frame stands at: the frame itself stays at the front of the client's input.
#[derive(Debug)]
pub(super) struct OpenGate {
    pub gate: Gate,
    pub frame_bytes: usize,
    /// Whether what is written was looked up.
    pub inspected: bool,
    /// One for each statement looked at so far.
    pub estimates: Vec<Option<f64>>,
    /// An EXPLAIN is on its way.
    pub awaiting: bool,
    pub answered: Option<Estimate>,
}

/// What the rest of a frame that is larger than the buffer becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Pass,
    Drop,
}

#[derive(Debug)]
pub struct Driver {
    pub(super) shared: Arc<Shared>,
    /// The rules that the frame at hand is judged by.
    pub(super) live: Arc<Live>,
    pub(super) session: Session,
    pub(super) client: Channel<Stream>,
    pub(super) upstream: Upstream,
    pub(super) gate: Option<OpenGate>,
    /// Bytes still to come of the client's frame.
    pub(super) client_rest: (usize, Rest),
    /// Bytes still to come of the upstream's frame.
    pub(super) upstream_rest: (usize, Rest),
    /// What the upstream's next frame becomes, once its header was looked at.
    pub(super) need: Need,
    pub(super) seen_header: bool,
    /// The upstream itself told the client of the end.
    pub(super) session_was_told: bool,
    /// The client said goodbye while something ran, whose answer it is still told.
    pub(super) said_goodbye: bool,
    /// The upstream knows that nothing follows.
    pub(super) leaving: bool,
    /// The client's next frame waits for answers; Flush was sent to hasten them.
    pub(super) holding: bool,
    /// Held while anything of this session runs.
    pub(super) slot: Option<Slot>,
    pub(super) line: Line,
    pub(super) claimed: Claimed,
    /// Statements on their way that change definitions, by their records.
    pub(super) redefining: HashSet<Uuid>,
    /// One of them succeeded; it counts once its transaction is over.
    redefined: bool,
    cancel_key: CancelKey,
    cancels: mpsc::Receiver<oneshot::Sender<()>>,
    cancel_done: Option<oneshot::Receiver<()>>,
    /// The phase of the process as last seen, and the wait for another.
    phase: Phase,
    phases: watch::Receiver<Phase>,
    turn: Turn,
    /// Cancels and phases know this task's waker.
    listening: bool,
    timer: Pin<Box<Sleep>>,
}

/// What a driver is made of.
#[derive(Debug)]
pub struct Parts {
    pub shared: Arc<Shared>,
    pub session: Session,
    pub client: Channel<Stream>,
    pub upstream: Upstream,
    pub cancel_key: CancelKey,
    pub cancels: mpsc::Receiver<oneshot::Sender<()>>,
    pub phase: watch::Receiver<Phase>,
}

impl Driver {
    pub fn new(parts: Parts) -> Self {
        let Parts { shared, session, client, upstream, cancel_key, cancels, phase } = parts;
        let line = shared.admission.line(&session.principal().name);
        Self {
            live: shared.live(),
            claimed: Claimed::new(&shared.claims, session.identity().session),
            shared,
            session,
            client,
            upstream,
            gate: None,
            client_rest: (0, Rest::Pass),
            upstream_rest: (0, Rest::Pass),
            need: Need::Body,
            seen_header: false,
            session_was_told: false,
            said_goodbye: false,
            leaving: false,
            holding: false,
            slot: None,
            line,
            redefining: HashSet::new(),
            redefined: false,
            cancel_key,
            cancels,
            cancel_done: None,
            turn: Turn::of(phase.clone(), Phase::Serving),
            phase: Phase::Serving,
            phases: phase,
            listening: false,
            timer: Box::pin(tokio::time::sleep(std::time::Duration::from_secs(3600))),
        }
    }

    /// Runs the session to its end and records it.
    pub async fn run(mut self: Box<Self>) -> End {
        let end = self.relay().await;
        let quiet = self.session.is_quiet();
        let at_work = (!self.session.is_idle() && !self.claimed.is_empty()) || !quiet;
        // What only reads is of use to nobody any more.
        let stopped = (!quiet && self.session.only_reads()).then(|| self.cancel_key.clone());
        self.session.end("08006", Instant::now());
        let _ = self.effects();
        self.tell_definitions();
        self.farewell(&end).await;
        if at_work {
            let held = (self.claimed, self.slot);
            tokio::spawn(outlast(self.shared, self.upstream, stopped, held));
        }
        end
    }

    async fn relay(&mut self) -> End {
        loop {
            if let Err(end) = self.advance().await {
                return end;
            }
            match self.wait().await {
                Ok(()) => {}
                // The server does as it is told.
                Err(End::UpstreamClosed | End::UpstreamFailed(_)) if self.leaving => return self.left(),
                Err(end) => return end,
            }
        }
    }

    /// Everything that can be done with the bytes at hand.
    async fn advance(&mut self) -> Result<(), End> {
        self.pump_upstream()?;
        self.effects()?;
        if self.session.is_quiet() {
            self.slot = None;
        }
        if self.session.is_idle() {
            self.tell_definitions();
            if self.gate.is_none() {
                self.claimed.release();
            }
        }
        self.pump_client().await?;
        self.effects()?;
        if self.phase != Phase::Serving {
            self.session.drain();
            if self.session.is_idle() && self.gate.is_none() {
                return Err(End::Drained);
            }
        }
        if self.client.has_ended() && self.gate.is_none() && self.is_spent() {
            if self.said_goodbye || (self.session.is_quiet() && !self.client.owes()) {
                return Err(self.left());
            }
            if !std::mem::replace(&mut self.leaving, true) {
                self.upstream.channel.finish();
            }
        }
        Ok(())
    }

    /// Why a session ends that its client has left.
    fn left(&self) -> End {
        if self.said_goodbye { End::Terminated } else { End::ClientClosed }
    }

    /// Waits until bytes move, the clock strikes, or someone asks for something. Cancel safe.
    async fn wait(&mut self) -> Result<(), End> {
        self.arm();
        if self.session.is_quiet() {
            self.client.rest();
            self.upstream.channel.rest();
        }
        let wants = self.wants();
        poll_fn(|cx| self.poll_wait(cx, wants)).await
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>, wants: Wants) -> Poll<Result<(), End>> {
        if let Poll::Ready(moved) = poll_io(cx, &mut self.client, &mut self.upstream, wants) {
            return Poll::Ready(moved);
        }
        if self.session.deadline().is_some() && self.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(self.session.tick(Instant::now()).map_err(End::Fatal));
        }
        if let Some(done) = &mut self.cancel_done
            && Pin::new(done).poll(cx).is_ready()
        {
            self.cancel_done = None;
            self.session.cancel_ended();
            return Poll::Ready(Ok(()));
        }
        self.poll_called(cx)
    }

    /// Whether another asks for a cancel or the process's phase has changed. What has nothing is polled
    /// once: the task's waker stays with it.
    fn poll_called(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let turned = self.phases.has_changed().unwrap_or(true);
        if std::mem::replace(&mut self.listening, true) && self.cancels.is_empty() && !turned {
            return Poll::Pending;
        }
        if let Poll::Ready(Some(asked)) = self.cancels.poll_recv(cx) {
            self.listening = false;
            self.cancel(Some(asked));
            return Poll::Ready(Ok(()));
        }
        self.phase = ready!(self.turn.0.as_mut().poll(cx));
        self.phases.mark_unchanged();
        self.turn = Turn::of(self.phases.clone(), self.phase);
        self.listening = false;
        Poll::Ready(if self.phase == Phase::Stopping { Err(End::Drained) } else { Ok(()) })
    }

    /// Which side may be read: the one whose bytes at hand are used up but for a frame's beginning. Decided
    /// before anything is written, or a slow reader would let the other side's bytes pile up.
    fn wants(&self) -> Wants {
        let room = self.client.output.len() + self.upstream.cleared < BACKLOG_BYTES;
        let stuck =
            self.gate.is_some() || self.holding || !room || self.upstream.backlog_bytes() >= BACKLOG_BYTES;
        Wants {
            client: !self.client.has_ended() && (!stuck || self.client.input.len() < BACKLOG_BYTES),
            upstream: room,
        }
    }

    /// The timer strikes at the deadline of what runs, or before it and is set again: deadlines come and go
    /// with every statement, and most move on long before.
    fn arm(&mut self) {
        let Some(deadline) = self.session.deadline() else { return };
        let deadline = tokio::time::Instant::from_std(deadline);
        if self.timer.is_elapsed() || deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
    }

    /// Carries out what the session asked for beside the relay.
    pub(super) fn effects(&mut self) -> Result<(), End> {
        while let Some(effect) = self.session.effect() {
            match effect {
                Effect::Outcome(outcome) => {
                    self.redefined |=
                        self.redefining.remove(&outcome.statement) && outcome.sqlstate == "00000";
                    crate::telemetry::outcome(&outcome);
                    self.shared.record_soon(&Event::Outcome(&outcome));
                }
                Effect::Cancel => self.cancel(None),
                Effect::Estimated(estimate) => {
                    if let Some(open) = &mut self.gate {
                        open.awaiting = false;
                        open.answered = Some(estimate);
                    }
                }
                Effect::Say(bytes) => self.upstream.say_bytes(&bytes),
            }
        }
        Ok(())
    }

    /// Asks for another snapshot of the catalog where this session changed what it holds.
    fn tell_definitions(&mut self) {
        self.redefining.clear();
        if std::mem::take(&mut self.redefined) {
            self.shared.definitions.notify_one();
        }
    }

    /// Stops what runs upstream; a cancel never outlives it, since nothing is passed on until it is through.
    fn cancel(&mut self, asked: Option<oneshot::Sender<()>>) {
        if self.session.is_quiet() || self.cancel_done.is_some() {
            // Nothing runs, or its end is already asked for: the one who asked is answered by the drop.
            return;
        }
        let (done, through) = oneshot::channel();
        self.cancel_done = Some(through);
        self.session.cancel_begun();
        let (shared, key) = (Arc::clone(&self.shared), self.cancel_key.clone());
        tokio::spawn(async move {
            if let Err(error) = shared.warehouse.cancel(&key).await {
                tracing::warn!(%error, "a cancel did not reach the upstream");
            }
            let _ = done.send(());
            drop(asked);
        });
    }

    /// The last words to both sides.
    async fn farewell(&mut self, end: &End) {
        let last = match end {
            End::Fatal(refusal) => Some(refusal.clone()),
            End::Drained => Some(Refusal::fault("57P03", "tollgate: this proxy is shutting down")),
            End::UpstreamClosed | End::UpstreamFailed(_) => {
                Some(Refusal::fault("08006", "tollgate: the warehouse closed the connection"))
            }
            End::Nonsense(_) => Some(Refusal::fault(
                "08P01",
                "tollgate: the warehouse sent what this proxy does not understand",
            )),
            End::Terminated | End::ClientClosed | End::ClientFailed(_) => None,
        };
        self.upstream.settle(&mut self.client.output);
        if let Some(refusal) = last
            && !self.session_was_told
            && self.upstream_rest.0 == 0
        {
            reply::error(&mut self.client.output, Severity::Fatal, &refusal);
        }
        self.upstream.say(reply::terminate);
        let grace = self.shared.config.bounds.handshake;
        let _ = tokio::time::timeout(grace, async {
            if !matches!(end, End::ClientFailed(_)) {
                let _ = self.client.flush().await;
                self.client.shutdown().await;
            }
            let _ = self.upstream.channel.flush().await;
            self.upstream.channel.shutdown().await;
        })
        .await;
    }
}

/// The wait for the process's next phase. Made once: one that is begun anew at every turn costs more.
struct Turn(Pin<Box<dyn Future<Output = Phase> + Send>>);

impl Turn {
    fn of(mut phases: watch::Receiver<Phase>, seen: Phase) -> Self {
        Self(Box::pin(async move {
            // A process that is gone has stopped.
            phases.wait_for(|phase| *phase > seen).await.map_or(Phase::Stopping, |phase| *phase)
        }))
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Turn")
    }
}

/// Keeps what a session that has gone holds until the server has ended what it still works at; a key stops it.
async fn outlast(
    shared: Arc<Shared>,
    mut upstream: Upstream,
    stopped: Option<CancelKey>,
    held: (Claimed, Option<Slot>),
) {
    let gone = async {
        if let Some(key) = stopped
            && let Err(error) = shared.warehouse.cancel(&key).await
        {
            tracing::warn!(%error, "a cancel did not reach the upstream");
        }
        while upstream.channel.read().await.is_ok_and(|read| read > 0) {
            upstream.channel.input.clear();
        }
    };
    // A server that is lost for so long has lost the work too.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(6 * 3600), gone).await;
    drop(held);
}
