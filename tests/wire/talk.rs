//! Scripts of frontend messages, and the two ends they are played to.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tollgate::config::Secret;
use tollgate::warehouse::login::{Credentials, login};
use tollgate::warehouse::scram::KeyRing;
use tollgate::wire::header;

use crate::support::say;

pub type Frame = (u8, Vec<u8>);

/// What a script's last answer says.
const END: &str = "the end of the script";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a script's bytes reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In one write.
    Glued,
    /// A write for each message.
    Apart,
    /// A write for each byte.
    Dribbled,
    /// Every Sync, and every Query that no failed pipeline can swallow, is answered before the next message goes.
    InTurn,
}

/// Messages to say, one after the other.
#[derive(Clone, Default)]
pub struct Script {
    pub name: String,
    pub messages: Vec<Vec<u8>>,
}

impl Script {
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), messages: Vec::new() }
    }

    pub fn say(mut self, message: Vec<u8>) -> Self {
        self.messages.push(message);
        self
    }

    pub fn query(self, sql: &str) -> Self {
        self.say(say::query(sql))
    }

    pub fn parse(self, name: &str, sql: &str) -> Self {
        self.say(say::parse(name, sql))
    }

    pub fn bind(self, portal: &str, statement: &str) -> Self {
        self.say(say::bind(portal, statement, &[]))
    }

    pub fn raw(self, tag: u8, body: &[u8]) -> Self {
        self.say(say::message(tag, body))
    }

    pub fn describe(self, kind: u8, name: &str) -> Self {
        self.say(say::describe(kind, name))
    }

    pub fn close(self, kind: u8, name: &str) -> Self {
        self.say(say::close(kind, name))
    }

    pub fn execute(self, portal: &str, rows_max: u32) -> Self {
        self.say(say::execute(portal, rows_max))
    }

    pub fn flush(self) -> Self {
        self.say(say::flush())
    }

    pub fn sync(self) -> Self {
        self.say(say::sync())
    }

    /// Parse, Bind, Describe, Execute of one statement.
    pub fn run(self, sql: &str) -> Self {
        self.parse("", sql).bind("", "").describe(b'P', "").execute("", 0)
    }

    /// The messages as a reader sees them.
    pub fn text(&self) -> String {
        let mut text = format!("script `{}`:\n", self.name);
        for message in &self.messages {
            let body: String = message[5..].iter().take(200).map(|b| b.escape_ascii().to_string()).collect();
            let _ = writeln!(text, "  {} {body}", message[0] as char);
        }
        text
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

pub struct Talk {
    stream: TcpStream,
    input: BytesMut,
}

impl Talk {
    pub async fn open(address: SocketAddr, user: &str, password: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let parameters = [("database".to_owned(), "dev".to_owned())];
        let (password, keys) = (Secret::new(password), KeyRing::default());
        let credentials = Credentials { user, password: &password, clear: false, keys: &keys };
        let opened = login(stream, &parameters, credentials).await.unwrap();
        Self { stream: opened.stream, input: opened.leftover }
    }

    /// The next frame; `None` where the connection is closed or nothing comes.
    async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(head) = header(&self.input).unwrap()
                && self.input.len() >= head.frame_bytes()
            {
                self.input.advance(5);
                let body = self.input.split_to(head.body_bytes).to_vec();
                let body = match head.tag {
                    b'E' => without_source(&body),
                    b'T' => without_tables(body),
                    _ => body,
                };
                return Some((head.tag, body));
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await;
            if !matches!(read, Ok(Ok(read)) if read > 0) {
                return None;
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) {
        // A server that has closed the connection shows it in what is read.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Everything that is answered, up to the end or the connection's.
    pub async fn play(&mut self, script: &Script, way: Way) -> Vec<Frame> {
        let end = [say::sync(), say::query("ROLLBACK"), say::query(&format!("SELECT '{END}'"))];
        let mut frames = Vec::new();
        match way {
            Way::Glued => self.write(&[script.messages.concat(), end.concat()].concat()).await,
            Way::Apart => {
                for message in script.messages.iter().chain(&end) {
                    self.write(message).await;
                    tokio::task::yield_now().await;
                }
            }
            Way::Dribbled => {
                for byte in script.messages.iter().chain(&end).flatten() {
                    self.write(&[*byte]).await;
                    tokio::task::yield_now().await;
                }
            }
            Way::InTurn => {
                let mut pipeline = false;
                for message in &script.messages {
                    self.write(message).await;
                    let answered = message[0] == b'S' || (message[0] == b'Q' && !pipeline);
                    if answered && !self.ready(&mut frames).await {
                        return frames;
                    }
                    pipeline = !answered;
                }
                self.write(&end.concat()).await;
            }
        }
        while let Some(frame) = self.frame().await {
            let last = frame.0 == b'D' && frame.1.ends_with(END.as_bytes());
            frames.push(frame);
            if last {
                break;
            }
        }
        // The tag of the last query and ReadyForQuery.
        for _ in 0..2 {
            frames.extend(self.frame().await);
        }
        frames
    }

    /// Hears up to ReadyForQuery or CopyInResponse.
    async fn ready(&mut self, frames: &mut Vec<Frame>) -> bool {
        while let Some(frame) = self.frame().await {
            let tag = frame.0;
            frames.push(frame);
            if matches!(tag, b'Z' | b'G') {
                return true;
            }
        }
        false
    }
}

/// An error without the server's own file, line and routine, which Tollgate's answers to the use of unknown
/// or taken names do not have.
fn without_source(body: &[u8]) -> Vec<u8> {
    let kept = tollgate::session::fields(body).filter(|(kind, _)| !matches!(kind, b'F' | b'L' | b'R'));
    kept.flat_map(|(kind, value)| [&[kind], value, &[0]].concat()).collect()
}

/// A RowDescription without the OIDs of the tables its columns are from: each end makes temporary tables of
/// its own.
fn without_tables(mut body: Vec<u8>) -> Vec<u8> {
    let mut at = 2;
    while let Some(length) = body.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0)) {
        at += length + 1;
        body[at..at + 4].fill(0);
        at += 18;
    }
    body
}

/// Frames as a reader sees them, long bodies cut.
pub fn shown(frames: &[Frame]) -> String {
    let text = |(tag, body): &Frame| {
        let body: String = String::from_utf8_lossy(body).chars().take(120).collect();
        format!("{} {body:?}", *tag as char)
    };
    frames.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// Tags, and the state in place of ReadyForQuery's.
pub fn shape(frames: &[Frame]) -> String {
    frames.iter().map(|(tag, body)| if *tag == b'Z' { body[0] as char } else { *tag as char }).collect()
}
