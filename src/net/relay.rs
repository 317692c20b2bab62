//! Upstream to client: frames by their headers, bodies only where the session needs them.

use std::time::Instant;

use super::driver::{BACKLOG_BYTES, Driver, End, Rest};
use crate::refusal::Refusal;
use crate::session::{Need, Nonsense, Relay, fields};
use crate::wire::{Header, header};

/// Frames up to this size are passed on whole.
const WHOLE_BYTES_MAX: usize = 16 * 1024;

impl Driver {
    /// Everything the upstream's input holds, as far as the client's output has room.
    pub(super) fn pump_upstream(&mut self) -> Result<(), End> {
        let now = Instant::now();
        while self.client.output.len() < BACKLOG_BYTES && !self.upstream.unseen().is_empty() {
            if self.upstream_rest.0 > 0 {
                self.relay_rest();
                continue;
            }
            if !self.seen_header {
                let rows = self.session.rows(self.upstream.unseen());
                self.upstream.clear(rows);
            }
            if !self.relay_frame(now)? {
                break;
            }
        }
        Ok(())
    }

    /// More of a frame whose header was seen.
    fn relay_rest(&mut self) {
        let (left, rest) = self.upstream_rest;
        let part = left.min(self.upstream.unseen().len());
        match rest {
            Rest::Pass => self.upstream.clear(part),
            Rest::Drop => self.upstream.skip(part, &mut self.client.output),
        }
        self.upstream_rest.0 = left - part;
    }

    /// The next frame; false where more of it is needed.
    fn relay_frame(&mut self, now: Instant) -> Result<bool, End> {
        let input = self.upstream.unseen();
        let nonsense = |tag: u8| End::Nonsense(Nonsense { tag });
        let Some(head) = header(input).map_err(|_| nonsense(input.first().copied().unwrap_or_default()))?
        else {
            return Ok(false);
        };
        // An ErrorResponse is held whole: a body that is not here yet is waited for, within its bound.
        if !self.seen_header {
            self.need = self.session.answer_header(head.tag, head.body_bytes)?;
            self.seen_header = true;
        }
        let relay = match &self.need {
            Need::Header(Relay::Pass) => Rest::Pass,
            Need::Header(_) => Rest::Drop,
            Need::Body => return self.relay_body(head, now),
        };
        // An upstream that dies within a row leaves the client between two frames, where it can be told.
        if head.frame_bytes() <= WHOLE_BYTES_MAX && self.upstream.unseen().len() < head.frame_bytes() {
            return Ok(false);
        }
        self.seen_header = false;
        // A Sync may have waited for it.
        self.holding &= head.tag != b'G';
        self.upstream_rest = (head.frame_bytes(), relay);
        self.relay_rest();
        Ok(true)
    }

    fn relay_body(&mut self, head: Header, now: Instant) -> Result<bool, End> {
        let max = self.shared.config.bounds.message_bytes_max.get();
        let Ok(head) = head.within(max) else { return Err(End::Nonsense(Nonsense { tag: head.tag })) };
        let Some(frame) = self.upstream.unseen().get(..head.frame_bytes()) else { return Ok(false) };
        let body = frame.get(Header::BYTES..).unwrap_or_default();
        if head.tag == b'E' {
            self.session_was_told |= fields(body).any(|(kind, value)| kind == b'V' && value == b"FATAL");
        }
        match self.session.answer(head.tag, body, now)? {
            Relay::Pass => self.upstream.clear(head.frame_bytes()),
            Relay::Drop => self.upstream.skip(head.frame_bytes(), &mut self.client.output),
            Relay::Replace(bytes) => {
                self.upstream.skip(head.frame_bytes(), &mut self.client.output);
                self.client.output.extend_from_slice(&bytes);
            }
        }
        self.seen_header = false;
        self.holding = false;
        Ok(true)
    }
}

/// The refusal for a message over its bound.
pub(super) fn too_large(bytes: usize, max: usize) -> Refusal {
    Refusal::fault("54000", format!("tollgate: message of {bytes} bytes is over the bound of {max}"))
        .with_hint("Send it in smaller parts, or load the data with COPY")
}
