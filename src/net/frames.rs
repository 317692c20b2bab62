//! Client to upstream: frames cut, decoded and judged; those that hold no statement go on.

use bytes::Buf;

use super::driver::{BACKLOG_BYTES, Driver, End, OpenGate, Rest};
use super::relay::too_large;
use super::shared::unix_now;
use super::upstream::Plain;
use crate::policy::{Basis, Principal};
use crate::refusal::Refusal;
use crate::session::{Refused, Step};
use crate::wire::message::decode;
use crate::wire::{Frontend, Header, MessageFault, header, reply};

impl Driver {
    /// Every frame at hand, until one has to wait.
    pub(super) async fn pump_client(&mut self) -> Result<(), End> {
        loop {
            if self.said_goodbye {
                self.client.input.clear();
                return Ok(());
            }
            if self.gate.is_some() {
                if !self.advance_gate().await? {
                    return Ok(());
                }
                continue;
            }
            if self.upstream.backlog_bytes() >= BACKLOG_BYTES
                || self.client.output.len() >= BACKLOG_BYTES
                || self.client.input.is_empty()
            {
                return Ok(());
            }
            if self.client_rest.0 > 0 {
                self.pass_rest();
                continue;
            }
            if !self.client_frame().await? {
                return Ok(());
            }
        }
    }

    /// No whole frame is left, nor a part that could still go on.
    pub(super) fn is_spent(&self) -> bool {
        let input = &self.client.input;
        if self.client_rest.0 > 0 {
            return input.is_empty();
        }
        !matches!(header(input), Ok(Some(head)) if input.len() >= head.frame_bytes())
    }

    /// More of a frame whose header was seen.
    fn pass_rest(&mut self) {
        let (left, rest) = self.client_rest;
        let part = left.min(self.client.input.len());
        if rest == Rest::Pass
            && let Some(bytes) = self.client.input.get(..part)
        {
            self.upstream.relay_rest(bytes);
        }
        self.client.input.advance(part);
        self.client_rest.0 = left - part;
    }

    /// The next frame; false where it has to wait.
    async fn client_frame(&mut self) -> Result<bool, End> {
        let head = match header(&self.client.input) {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(false),
            Err(fault) => return Err(End::Fatal(Refusal::fault("08P01", fault.to_string()))),
        };
        if head.tag == b'd' {
            return Ok(self.copy_data(head));
        }
        let max = self.bytes_max(head.tag);
        if head.within(max).is_err() {
            let refusal = too_large(head.body_bytes, max);
            let asked = self.session.asked_for_fault();
            let in_query = head.tag == b'Q';
            self.client_rest = (head.frame_bytes(), Rest::Drop);
            if self.session.is_skipping() {
                return Ok(true);
            }
            let refused = Refused { refusal, asked, protests: Vec::new(), in_query };
            self.refuse(refused, 0).await;
            return Ok(true);
        }
        if self.client.input.len() < head.frame_bytes() {
            return Ok(false);
        }
        self.whole_frame(head).await
    }

    fn bytes_max(&self, tag: u8) -> usize {
        match tag {
            b'Q' | b'P' => self.shared.config.bounds.statement_bytes_max.get(),
            _ => self.shared.config.bounds.message_bytes_max.get(),
        }
    }

    /// CopyData goes on as it comes; its size is nobody's business.
    fn copy_data(&mut self, head: Header) -> bool {
        let rest = match self.session.judge(Frontend::CopyData, &Basis::of(&self.live.rules), 0) {
            Step::Pass => Rest::Pass,
            Step::Hold => return false,
            _ => Rest::Drop,
        };
        self.client_rest = (head.frame_bytes(), rest);
        true
    }

    async fn whole_frame(&mut self, head: Header) -> Result<bool, End> {
        let frame_bytes = head.frame_bytes();
        if !matches!(head.tag, b'S' | b'H' | b'c' | b'f' | b'D' | b'C') {
            self.live = self.shared.live();
        }
        let Some(frame) = self.client.input.get(..frame_bytes) else { return Ok(false) };
        let body = frame.get(Header::BYTES..).unwrap_or_default();
        let step = match decode(head.tag, body) {
            Ok(message) => {
                let catalog = self.shared.catalog.load();
                let own_backend = |who: &Principal, process_id| self.shared.sessions.owns(who, process_id);
                let now = unix_now();
                let basis = Basis {
                    rules: &self.live.rules,
                    generation: Some(self.live.generation),
                    catalog: catalog.as_ref(),
                    sized: self.shared.sizes_hold(now),
                    own_backend: &own_backend,
                };
                self.session.judge(message, &basis, now)
            }
            Err(fault) => return self.bad_message(head, fault).await,
        };
        match step {
            Step::Pass => {
                let plain = Plain::new(frame).unwrap_or_else(|| Plain::empty(frame));
                self.upstream.relay(plain);
                self.client.input.advance(frame_bytes);
            }
            Step::Gate(gate) => {
                let gate = *gate;
                self.gate = Some(OpenGate {
                    gate,
                    frame_bytes,
                    inspected: false,
                    estimates: Vec::new(),
                    awaiting: false,
                    answered: None,
                });
            }
            Step::Refuse(refused) => self.refuse(*refused, frame_bytes).await,
            Step::Hold => {
                if !self.holding {
                    self.holding = true;
                    self.upstream.flush_answers();
                }
                return Ok(false);
            }
            Step::Skip => self.client.input.advance(frame_bytes),
            Step::Terminate if self.session.is_quiet() => return Err(End::Terminated),
            Step::Terminate => {
                self.said_goodbye = true;
                self.leaving = true;
                self.client.input.advance(frame_bytes);
                self.upstream.say(reply::terminate);
            }
            Step::Fatal(refusal) => return Err(End::Fatal(refusal)),
        }
        Ok(true)
    }

    async fn bad_message(&mut self, head: Header, fault: MessageFault) -> Result<bool, End> {
        let sqlstate = match fault {
            MessageFault::Encoding => "22021",
            MessageFault::Layout => "08P01",
            MessageFault::UnknownTag(_) => {
                return Err(End::Fatal(Refusal::fault("08P01", fault.to_string())));
            }
        };
        if !matches!(head.tag, b'Q' | b'P' | b'B' | b'E' | b'D' | b'C' | b'H') {
            return Err(End::Fatal(Refusal::fault(sqlstate, fault.to_string())));
        }
        if self.session.is_skipping() {
            self.client.input.advance(head.frame_bytes());
            return Ok(true);
        }
        let asked = self.session.asked_for_fault();
        let refusal = Refusal::fault(sqlstate, fault.to_string());
        let refused = Refused { refusal, asked, protests: Vec::new(), in_query: head.tag == b'Q' };
        self.refuse(refused, head.frame_bytes()).await;
        Ok(true)
    }
}
