//! The upstream login (PostgreSQL documentation, 55.2.1), with the SHA-256 digest of Redshift.

use std::io;

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::scram::{Exchange, ExchangeFault, KeyRing};
use crate::config::Secret;
use crate::wire::{Header, header};

const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// One message of a login.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// All messages of a login.
const MESSAGES_MAX: usize = 512;

/// A session that the upstream has opened.
#[derive(Debug)]
pub struct LoggedIn<S = crate::transport::Stream> {
    pub stream: S,
    pub parameters: Vec<(String, String)>,
    pub process_id: i32,
    pub secret: Bytes,
    /// Of ReadyForQuery.
    pub status: u8,
    /// Whole NoticeResponse frames.
    pub notices: Vec<Bytes>,
    /// Bytes read behind ReadyForQuery.
    pub leftover: BytesMut,
}

/// Why the upstream opened no session.
#[derive(Debug, thiserror::Error)]
pub enum LoginFault {
    /// The body of its ErrorResponse.
    #[error("the warehouse refused the login")]
    Refused(Bytes),
    #[error("the warehouse cannot be reached: {0}")]
    Io(#[from] io::Error),
    #[error("the warehouse did not answer in time")]
    Timeout,
    #[error("the warehouse asks for login method {0}, which is not spoken here")]
    Method(i32),
    #[error("the warehouse asks for the password in clear over a connection without TLS")]
    ClearPassword,
    #[error("the warehouse sent what is no login: {0}")]
    Nonsense(&'static str),
    #[error("the warehouse sent what is no login: {0}")]
    Scram(#[from] ExchangeFault),
    #[error("no randomness to be had")]
    Randomness,
}

/// Who logs in, and by what means.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    pub user: &'a str,
    pub password: &'a Secret,
    /// The password may be sent in clear.
    pub clear: bool,
    pub keys: &'a KeyRing,
}

/// Logs in over a stream that is connected.
pub async fn login<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    parameters: &[(String, String)],
    credentials: Credentials<'_>,
) -> Result<LoggedIn<S>, LoginFault> {
    let mut talk = Talk { stream, input: BytesMut::new(), left: MESSAGES_MAX };
    let mut hello = BytesMut::new();
    let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    frontend::startup_message([("user", credentials.user)].into_iter().chain(pairs), &mut hello)?;
    talk.say(&hello).await?;
    authenticate(&mut talk, credentials).await?;
    open(talk).await
}

/// Until AuthenticationOk.
async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
    talk: &mut Talk<S>,
    credentials: Credentials<'_>,
) -> Result<(), LoginFault> {
    let Credentials { user, password, clear, keys } = credentials;
    loop {
        let (tag, body) = talk.hear().await?;
        let (code, data) = match (tag, body.split_first_chunk::<4>()) {
            (b'R', Some((code, data))) => (i32::from_be_bytes(*code), data),
            (b'v' | b'N', _) => continue,
            _ => return Err(LoginFault::Nonsense("no authentication request")),
        };
        let mut answer = BytesMut::new();
        match code {
            0 => return Ok(()),
            3 if !clear => return Err(LoginFault::ClearPassword),
            3 => frontend::password_message(password.expose().as_bytes(), &mut answer)?,
            5 => {
                let salt = *data.first_chunk::<4>().ok_or(LoginFault::Nonsense("a short MD5 salt"))?;
                let hash = md5_hash(user.as_bytes(), password.expose().as_bytes(), salt);
                frontend::password_message(hash.as_bytes(), &mut answer)?;
            }
            10 => {
                scram(talk, data, password, keys).await?;
                continue;
            }
            13 => answer = redshift_digest(data, password)?,
            other => return Err(LoginFault::Method(other)),
        }
        talk.say(&answer).await?;
    }
}

/// SCRAM-SHA-256 without channel binding; the server's signature is checked.
async fn scram<S: AsyncRead + AsyncWrite + Unpin>(
    talk: &mut Talk<S>,
    mechanisms: &[u8],
    password: &Secret,
    keys: &KeyRing,
) -> Result<(), LoginFault> {
    if !mechanisms.split(|&b| b == 0).any(|mechanism| mechanism == SCRAM_SHA_256.as_bytes()) {
        return Err(LoginFault::Method(10));
    }
    let mut nonce = [0; 18];
    rand::fill(&mut nonce).map_err(|_| LoginFault::Randomness)?;
    let (exchange, first) = Exchange::start(STANDARD_NO_PAD.encode(nonce));
    let mut answer = BytesMut::new();
    frontend::sasl_initial_response(SCRAM_SHA_256, &first, &mut answer)?;
    talk.say(&answer).await?;
    let (proved, last) = exchange.prove(&talk.sasl(11).await?, password, keys)?;
    answer.clear();
    frontend::sasl_response(&last, &mut answer)?;
    talk.say(&answer).await?;
    proved.verify(&talk.sasl(12).await?)?;
    Ok(())
}

/// Redshift's method 13: SHA-256 (algorithm 0) of the salted password's hash and both nonces; no user name.
fn redshift_digest(data: &[u8], password: &Secret) -> Result<BytesMut, LoginFault> {
    let mut data = Fields(data);
    if data.int32()? != 0 {
        return Err(LoginFault::Nonsense("an unknown digest algorithm"));
    }
    let salt = data.bytes()?;
    let server_nonce = data.bytes()?;
    let mut client_nonce = [0; 32];
    rand::fill(&mut client_nonce).map_err(|_| LoginFault::Randomness)?;
    Ok(digest_answer(password.expose(), salt, server_nonce, &client_nonce))
}

fn digest_answer(password: &str, salt: &[u8], server_nonce: &[u8], client_nonce: &[u8]) -> BytesMut {
    let sha256 = |parts: &[&[u8]]| {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        context.finish()
    };
    let stored = sha256(&[password.as_bytes(), salt]);
    let answer = sha256(&[stored.as_ref(), server_nonce, client_nonce]);
    let mut out = BytesMut::new();
    let length = 4 + 4 + answer.as_ref().len() + 4 + client_nonce.len();
    out.put_u8(b'd');
    out.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
    for part in [answer.as_ref(), client_nonce] {
        out.put_i32(i32::try_from(part.len()).unwrap_or(i32::MAX));
        out.extend_from_slice(part);
    }
    out
}

/// From AuthenticationOk to ReadyForQuery.
async fn open<S: AsyncRead + AsyncWrite + Unpin>(mut talk: Talk<S>) -> Result<LoggedIn<S>, LoginFault> {
    let mut parameters = Vec::new();
    let mut notices = Vec::new();
    let mut key = None;
    loop {
        let (tag, body) = talk.hear().await?;
        match tag {
            b'S' => parameters.push(parameter(&body)?),
            b'K' => {
                let (process_id, secret) =
                    body.split_first_chunk::<4>().ok_or(LoginFault::Nonsense("a short cancel key"))?;
                if !(4..=256).contains(&secret.len()) {
                    return Err(LoginFault::Nonsense("a cancel key of odd length"));
                }
                key = Some((i32::from_be_bytes(*process_id), Bytes::copy_from_slice(secret)));
            }
            b'N' => {
                let mut frame = BytesMut::with_capacity(body.len() + Header::BYTES);
                frame.put_u8(b'N');
                frame.put_i32(i32::try_from(body.len() + 4).unwrap_or(i32::MAX));
                frame.extend_from_slice(&body);
                notices.push(frame.freeze());
            }
            b'v' => {}
            b'Z' => {
                let status = *body.first().ok_or(LoginFault::Nonsense("an empty ReadyForQuery"))?;
                let (process_id, secret) = key.ok_or(LoginFault::Nonsense("no cancel key"))?;
                let Talk { stream, input: leftover, .. } = talk;
                return Ok(LoggedIn { stream, parameters, process_id, secret, status, notices, leftover });
            }
            _ => return Err(LoginFault::Nonsense("an unexpected message")),
        }
    }
}

/// The name and value of a ParameterStatus.
pub(super) fn parameter(body: &[u8]) -> Result<(String, String), LoginFault> {
    let mut texts = body.split(|&b| b == 0).map(|text| String::from_utf8_lossy(text).into_owned());
    match (texts.next(), texts.next()) {
        (Some(name), Some(value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(LoginFault::Nonsense("a malformed parameter")),
    }
}

/// One side of a login's exchange.
struct Talk<S> {
    stream: S,
    input: BytesMut,
    /// Messages that may still come.
    left: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    async fn say(&mut self, bytes: &[u8]) -> Result<(), LoginFault> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// The next message; an ErrorResponse is the end.
    async fn hear(&mut self) -> Result<(u8, Bytes), LoginFault> {
        self.left = self.left.checked_sub(1).ok_or(LoginFault::Nonsense("no end"))?;
        loop {
            let head = header(&self.input).map_err(|_| LoginFault::Nonsense("a malformed message"))?;
            if let Some(head) = head {
                let head =
                    head.within(MESSAGE_BYTES_MAX).map_err(|_| LoginFault::Nonsense("a message too long"))?;
                if self.input.len() >= head.frame_bytes() {
                    self.input.advance(Header::BYTES);
                    let body = self.input.split_to(head.body_bytes).freeze();
                    return if head.tag == b'E' {
                        Err(LoginFault::Refused(body))
                    } else {
                        Ok((head.tag, body))
                    };
                }
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(LoginFault::Io(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    async fn sasl(&mut self, wanted: i32) -> Result<Bytes, LoginFault> {
        let (tag, mut body) = self.hear().await?;
        if tag != b'R' || body.len() < 4 || body.get_i32() != wanted {
            return Err(LoginFault::Nonsense("not the next step of SCRAM"));
        }
        Ok(body)
    }
}

/// Lengths and bytes of method 13.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn int32(&mut self) -> Result<i32, LoginFault> {
        let (value, rest) =
            self.0.split_first_chunk::<4>().ok_or(LoginFault::Nonsense("a short digest request"))?;
        self.0 = rest;
        Ok(i32::from_be_bytes(*value))
    }

    fn bytes(&mut self) -> Result<&'a [u8], LoginFault> {
        let length = usize::try_from(self.int32()?).map_err(|_| LoginFault::Nonsense("a negative length"))?;
        let (value, rest) =
            self.0.split_at_checked(length).ok_or(LoginFault::Nonsense("a short digest request"))?;
        self.0 = rest;
        Ok(value)
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
