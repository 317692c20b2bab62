//! A client of raw frames on a blocking socket.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use super::{READY as PATIENCE, say};

/// One message of the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    pub tag: u8,
    pub body: Vec<u8>,
}

impl Frame {
    /// A field of an ErrorResponse or NoticeResponse; empty where there is none.
    pub fn field(&self, kind: u8) -> String {
        let mut fields = self.body.split(|byte| *byte == 0);
        let found = fields.find(|field| field.first() == Some(&kind));
        found.map(|field| String::from_utf8_lossy(&field[1..]).into_owned()).unwrap_or_default()
    }

    pub fn sqlstate(&self) -> String {
        self.field(b'C')
    }

    pub fn text(&self) -> String {
        self.field(b'M')
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.tag as char, self.body.escape_ascii())
    }
}

pub struct Client {
    stream: TcpStream,
    /// The body of BackendKeyData.
    pub key: Vec<u8>,
    /// The body of NegotiateProtocolVersion.
    pub negotiated: Option<Vec<u8>>,
}

/// What kept a client from its session.
#[derive(Debug)]
pub enum NoSession {
    /// The server's ErrorResponse.
    Refused(Frame),
    Lost(io::Error),
}

impl From<io::Error> for NoSession {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl Client {
    /// A connection on which nothing was said.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, key: Vec::new(), negotiated: None })
    }

    pub fn log_in(port: u16, user: &str, password: &str, database: &str) -> Result<Self, NoSession> {
        let mut client = Self::connect(port)?;
        client.send(&say::startup(say::PROTOCOL_3_0, user, database))?;
        client.authenticate(password)?;
        Ok(client)
    }

    /// From behind the startup message to the first ReadyForQuery.
    pub fn authenticate(&mut self, password: &str) -> Result<(), NoSession> {
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        loop {
            let frame = self.frame()?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            match (frame.tag, frame.body.first_chunk::<4>()) {
                (b'R', Some([0, 0, 0, 10])) => {
                    let first = scram.message();
                    let length = (first.len() as u32).to_be_bytes();
                    self.send(&say::message(b'p', &[b"SCRAM-SHA-256\0", &length[..], first].concat()))?;
                }
                (b'R', Some([0, 0, 0, 11])) => {
                    scram.update(&frame.body[4..])?;
                    self.send(&say::message(b'p', scram.message()))?;
                }
                (b'R', Some([0, 0, 0, 12])) => scram.finish(&frame.body[4..])?,
                (b'K', _) => self.key = frame.body,
                (b'v', _) => self.negotiated = Some(frame.body),
                (b'E', _) => return Err(NoSession::Refused(frame)),
                (b'Z', _) => return Ok(()),
                _ => {}
            }
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Whether something waits to be read, or the connection has ended.
    pub fn is_answered(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let answered = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).unwrap();
        answered
    }

    /// The next frame; `None` at the end of the connection.
    pub fn frame(&mut self) -> io::Result<Option<Frame>> {
        let mut head = [0; 5];
        if self.stream.read(&mut head[..1])? == 0 {
            return Ok(None);
        }
        self.stream.read_exact(&mut head[1..])?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body)?;
        Ok(Some(Frame { tag: head[0], body }))
    }

    /// Frames up to and with the first of type `tag`.
    pub fn until(&mut self, tag: u8) -> io::Result<Vec<Frame>> {
        let mut frames = Vec::new();
        loop {
            let Some(frame) = self.frame()? else {
                let told = format!("ended before `{}`: {frames:?}", tag as char);
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, told));
            };
            let last = frame.tag == tag;
            frames.push(frame);
            if last {
                return Ok(frames);
            }
        }
    }

    /// A simple query and its whole answer.
    pub fn query(&mut self, sql: &str) -> io::Result<Vec<Frame>> {
        self.send(&say::query(sql))?;
        self.until(b'Z')
    }

    /// The first column of the first row of a query that must go well.
    #[track_caller]
    pub fn value(&mut self, sql: &str) -> String {
        let frames = self.query(sql).unwrap();
        let row = frames.iter().find(|frame| frame.tag == b'D');
        let row = row.unwrap_or_else(|| panic!("`{sql}` gave no row: {frames:?}"));
        let length = i32::from_be_bytes(row.body[2..6].try_into().unwrap());
        let length = usize::try_from(length).unwrap_or_default();
        String::from_utf8(row.body[6..6 + length].to_vec()).unwrap()
    }

    /// The error of a query that must fail.
    #[track_caller]
    pub fn error(&mut self, sql: &str) -> Frame {
        let frames = self.query(sql).unwrap();
        error_in(&frames).unwrap_or_else(|| panic!("`{sql}` did not fail: {frames:?}"))
    }

    /// A statement without rows that must go well.
    #[track_caller]
    pub fn run(&mut self, sql: &str) {
        let frames = self.query(sql).unwrap();
        assert!(error_in(&frames).is_none(), "`{sql}` failed: {frames:?}");
    }

    /// Everything up to the connection's end, however it ends.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => rest,
            Err(error) => panic!("the connection did not end: {error}"),
        }
    }

    /// No more is sent; answers are still read.
    pub fn close_write(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
}

pub fn error_in(frames: &[Frame]) -> Option<Frame> {
    frames.iter().find(|frame| frame.tag == b'E').cloned()
}

pub fn tags(frames: &[Frame]) -> String {
    frames.iter().map(|frame| frame.tag as char).collect()
}
