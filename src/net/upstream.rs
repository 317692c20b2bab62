//! The way to the warehouse: the only place that writes to it.
//!
//! A statement goes on only as [`Approved`], which takes a permit of policy and a record of the audit
//! for each of its statements. Other frames go on only as [`Plain`], which holds no statement.

use bytes::{Bytes, BytesMut};

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
}

impl Upstream {
    pub fn new(stream: Stream, leftover: BytesMut) -> Self {
        Self { channel: Channel::new(stream, leftover) }
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

    /// Asks for the answers so far.
    pub fn flush_answers(&mut self) {
        reply::flush(&mut self.channel.output);
    }

    pub fn backlog_bytes(&self) -> usize {
        self.channel.output.len()
    }
}
