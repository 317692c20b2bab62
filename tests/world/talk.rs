//! What an analyst says, frame by frame, and what comes back.

use std::io;

use crate::support::client::{Client, Frame, error_in};
use crate::support::say;

/// What became of what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Refused,
    Ran,
}

/// Frames, and how many ReadyForQuery they cause.
#[derive(Default, Clone)]
pub struct Saying {
    pub bytes: Vec<u8>,
    pub ready: usize,
    /// An error before the first ReadyForQuery makes the server skip the query that causes it.
    skips: bool,
}

impl Saying {
    pub fn query(mut self, sql: &str) -> Self {
        self.bytes.extend(say::message(b'Q', &[&raw(sql)[..], &[0]].concat()));
        self.ready += 1;
        self
    }

    pub fn parse(mut self, name: &str, sql: &str) -> Self {
        let body = [name.as_bytes(), &[0], &raw(sql), &[0, 0, 0]].concat();
        self.bytes.extend(say::message(b'P', &body));
        self
    }

    pub fn bind(mut self, portal: &str, statement: &str) -> Self {
        self.bytes.extend(say::bind(portal, statement, &[]));
        self
    }

    pub fn execute(mut self, portal: &str, rows: u32) -> Self {
        self.bytes.extend(say::execute(portal, rows));
        self
    }

    pub fn close(mut self, kind: u8, name: &str) -> Self {
        self.bytes.extend(say::close(kind, name));
        self
    }

    pub fn describe(mut self, kind: u8, name: &str) -> Self {
        self.bytes.extend(say::describe(kind, name));
        self
    }

    pub fn sync(mut self) -> Self {
        self.bytes.extend(say::sync());
        self.ready += 1;
        self
    }

    pub fn flush(mut self) -> Self {
        self.bytes.extend(say::flush());
        self
    }

    pub fn run(self, sql: &str) -> Self {
        self.parse("", sql).bind("", "").execute("", 0)
    }

    /// A query stands behind frames that no Sync ends.
    pub fn unsure(mut self) -> Self {
        self.skips = true;
        self
    }

    pub fn say(&self, client: &mut Client) -> io::Result<()> {
        client.send(&self.bytes)
    }

    pub fn hear(&self, client: &mut Client) -> io::Result<Vec<Frame>> {
        let mut frames = Vec::new();
        let mut ready = 0;
        while ready < self.ready {
            let Some(frame) = client.frame()? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            ready += usize::from(frame.tag == b'Z');
            if frame.tag == b'G' {
                // A row for whatever table it is. A Sync said before it was dropped by the server.
                client.send(&[say::copy_data("1\t1\n"), say::copy_done()].concat())?;
                if self.bytes.first() != Some(&b'Q') {
                    client.send(&say::sync())?;
                }
            }
            frames.push(frame);
            if self.skips && ready == 1 && error_in(&frames).is_some() {
                break;
            }
        }
        Ok(frames)
    }

    pub fn tell(&self, client: &mut Client) -> io::Result<Vec<Frame>> {
        self.say(client)?;
        self.hear(client)
    }
}

/// Bytes of a text in which signs stand for what a text cannot hold.
fn raw(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '␀' => bytes.push(0),
            '␊' => bytes.push(b'\n'),
            '␋' => bytes.push(0x0b),
            '␌' => bytes.push(0x0c),
            '␍' => bytes.push(b'\r'),
            '␚' => bytes.push(0xff),
            c => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Whether Tollgate or the server had the last word.
pub fn fate(frames: &[Frame]) -> Fate {
    match error_in(frames) {
        Some(error) if error.text().starts_with("tollgate:") => Fate::Refused,
        _ => Fate::Ran,
    }
}
