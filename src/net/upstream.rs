//! The way to the warehouse: the only place that writes to it.
//!
//! A statement goes on only as [`Approved`], which takes a permit of policy and a record of the audit
//! for each of its statements. Other frames go on only as [`Plain`], which holds no statement.

use bytes::{Buf, Bytes, BytesMut};

use super::channel::Channel;
use crate::audit::Recorded;
use crate::policy::Permit;
use crate::transport::Stream;
use crate::wire::reply;

/// A frame whose every statement was decided and recorded.
#[derive(Debug)]
#[must_use]
pub struct Approved<'a>(&'a [u8]);

impl<'a> Approved<'a> {
    /// `None` where a statement lacks its proof.
    pub fn new(frame: &'a [u8], statements: usize, proofs: &[(Permit, Recorded)]) -> Option<Self> {
        (statements > 0 && proofs.len() == statements).then_some(Self(frame))
    }
}

/// A frame of a kind that runs no statement by itself.
#[derive(Debug)]
#[must_use]
pub struct Plain<'a>(&'a [u8]);

impl<'a> Plain<'a> {
    /// `None` for Query, Execute, FunctionCall and what is not known.
    pub fn new(frame: &'a [u8]) -> Option<Self> {
        match frame.first()? {
            b'P' | b'B' | b'D' | b'C' | b'H' | b'S' | b'd' | b'c' | b'f' => Some(Self(frame)),
            _ => None,
        }
    }

    /// An empty query or the Execute of an empty text, which run nothing.
    pub fn empty(frame: &'a [u8]) -> Self {
        Self(frame)
    }
}

#[derive(Debug)]
pub struct Upstream {
    pub(super) channel: Channel<Stream>,
    /// Bytes at the front of the input that may go to the client as they are.
    pub(super) cleared: usize,
}

impl Upstream {
    pub fn new(stream: Stream, leftover: BytesMut) -> Self {
        Self { channel: Channel::new(stream, leftover), cleared: 0 }
    }

    pub fn forward(&mut self, approved: Approved<'_>) {
        self.channel.output.extend_from_slice(approved.0);
    }

    pub fn relay(&mut self, plain: Plain<'_>) {
        self.channel.output.extend_from_slice(plain.0);
    }

    /// A further part of a frame that [`Upstream::relay`] began.
    pub fn relay_rest(&mut self, part: &[u8]) {
        self.channel.output.extend_from_slice(part);
    }

    /// What Tollgate itself has to say: poison, EXPLAIN.
    pub fn say(&mut self, write: impl FnOnce(&mut BytesMut)) {
        write(&mut self.channel.output);
    }

    pub fn say_bytes(&mut self, bytes: &Bytes) {
        self.channel.output.extend_from_slice(bytes);
    }

    /// Answers that were not looked at yet.
    pub fn unseen(&self) -> &[u8] {
        self.channel.input.get(self.cleared..).unwrap_or_default()
    }

    /// The next bytes may go to the client.
    pub fn clear(&mut self, bytes: usize) {
        self.cleared = (self.cleared + bytes).min(self.channel.input.len());
    }

    /// The next bytes go nowhere. What stands before them moves to the client's output, as it must before
    /// anything is put there in their place.
    pub fn skip(&mut self, bytes: usize, client: &mut BytesMut) {
        self.settle(client);
        let input = &mut self.channel.input;
        input.advance(bytes.min(input.len()));
    }

    /// Moves what may go to the client into its output.
    pub fn settle(&mut self, client: &mut BytesMut) {
        let cleared = std::mem::take(&mut self.cleared);
        client.extend_from_slice(self.channel.input.get(..cleared).unwrap_or_default());
        self.channel.input.advance(cleared);
    }

    /// Asks for the answers so far.
    pub fn flush_answers(&mut self) {
        reply::flush(&mut self.channel.output);
    }

    pub fn backlog_bytes(&self) -> usize {
        self.channel.output.len()
    }
}
