//! The client's login: who is there, by SCRAM, by password or by token.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Buf;

use super::channel::Channel;
use super::greet::{Greeting, Unmet};
use super::shared::unix_now;
use crate::audit::Event;
use crate::config::ListenTls;
use crate::identity::{LoginError, Method, ScramServer};
use crate::policy::Principal;
use crate::refusal::Refusal;
use crate::transport::Stream;
use crate::wire::{Header, Minor, header, reply};

/// A token may be long; nothing else a client says before it is known is.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The startup message.
#[derive(Debug)]
pub struct Hello {
    pub tls: bool,
    pub major: u16,
    pub minor: u16,
    pub parameters: Vec<(String, String)>,
}

impl Hello {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The minor version that the session speaks.
    pub fn spoken(&self) -> Minor {
        Minor::of(self.minor)
    }

    /// An AWS driver, which knows neither SASL nor NegotiateProtocolVersion.
    pub fn is_aws_driver(&self) -> bool {
        self.parameter("driver_version").is_some()
    }
}

/// Who the client is, or the refusal it is told.
pub async fn login(
    channel: &mut Channel<Stream>,
    hello: &Hello,
    greeting: &Greeting,
) -> Result<Principal, Unmet> {
    acceptable(hello, greeting)?;
    negotiate(channel, hello);
    let live = greeting.shared.live();
    let user = hello.parameter("user").unwrap_or_default();
    let method = live.directory.method(user, hello.tls, hello.is_aws_driver());
    let outcome = match method {
        Method::Scram => scram(channel, hello, greeting).await?,
        Method::Password | Method::TokenPassword => {
            reply::authentication(&mut channel.output, 3, &[]);
            let answer = answer(channel).await?;
            match password(&answer) {
                Some(password) => live.directory.check_password(user, password, unix_now()),
                None => Err(LoginError::new(user, "the password is not a text")),
            }
        }
        Method::Refused(reason) => Err(LoginError::new(user, reason)),
    };
    match outcome {
        Ok(principal) => Ok(principal),
        Err(error) => Err(failed(error, user, greeting).await),
    }
}

/// Versions and TLS, before anything is asked of the client.
fn acceptable(hello: &Hello, greeting: &Greeting) -> Result<(), Unmet> {
    let refused = |refusal| Err(Unmet::Refused(refusal));
    if hello.major != 3 {
        let text = format!(
            "unsupported frontend protocol {}.{}: server supports 3.0 to 3.2",
            hello.major, hello.minor
        );
        return refused(Refusal::fault("0A000", text));
    }
    let required = matches!(greeting.shared.config.tls, ListenTls::On { required: true, .. });
    if required && !hello.tls {
        let refusal = Refusal::fault("28000", "tollgate: this connection is not encrypted")
            .with_hint("Connect with TLS: sslmode=require or stricter");
        return refused(refusal);
    }
    if hello.parameter("replication").is_some_and(|value| !matches!(value, "false" | "off" | "no" | "0")) {
        return refused(Refusal::fault("0A000", "tollgate: replication connections are not allowed"));
    }
    Ok(())
}

/// Minor versions and protocol options that are not spoken here are told so, as PostgreSQL does.
fn negotiate(channel: &mut Channel<Stream>, hello: &Hello) {
    let unknown: Vec<String> = hello
        .parameters
        .iter()
        .map(|(name, _)| name)
        // Drivers that ask for compression take its absence for a no, and choke on being told.
        .filter(|name| name.starts_with("_pq_.") && name.as_str() != "_pq_.compression")
        .cloned()
        .collect();
    if hello.minor > Minor::MAX.number() || !unknown.is_empty() {
        reply::negotiate(&mut channel.output, hello.spoken(), &unknown);
    }
}

/// SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677).
async fn scram(
    channel: &mut Channel<Stream>,
    hello: &Hello,
    greeting: &Greeting,
) -> Result<Result<Principal, LoginError>, Unmet> {
    let live = greeting.shared.live();
    let user = hello.parameter("user").unwrap_or_default();
    reply::authentication(&mut channel.output, 10, b"SCRAM-SHA-256\0\0");
    let first = answer(channel).await?;
    let Some(first) = sasl_initial(&first) else {
        return Ok(Err(LoginError::new(user, "no SCRAM-SHA-256 was offered in return")));
    };
    let mut nonce = [0; 18];
    if rand::fill(&mut nonce).is_err() {
        return Err(Unmet::Refused(Refusal::fault("58000", "tollgate: no randomness to be had")));
    }
    let nonce = STANDARD_NO_PAD.encode(nonce);
    let verifier = live.directory.scram(user);
    let (server, server_first) = match ScramServer::start(&verifier, first, &nonce) {
        Ok(started) => started,
        Err(error) => return Ok(Err(LoginError::new(user, error))),
    };
    reply::authentication(&mut channel.output, 11, &server_first);
    let last = answer(channel).await?;
    let principal = live.directory.principal_of_account(user);
    match (server.finish(&last), principal) {
        (Ok(server_final), Some(principal)) => {
            reply::authentication(&mut channel.output, 12, &server_final);
            Ok(Ok(principal))
        }
        (Ok(_), None) => Ok(Err(LoginError::new(user, "no such account"))),
        (Err(error), _) => Ok(Err(LoginError::new(user, error))),
    }
}

/// The client's next password message; its body.
async fn answer(channel: &mut Channel<Stream>) -> Result<Vec<u8>, Unmet> {
    channel.flush().await?;
    loop {
        let protocol = |text: &str| Unmet::Refused(Refusal::fault("08P01", text));
        let head = header(&channel.input).map_err(|fault| protocol(&fault.to_string()))?;
        if let Some(head) = head {
            if head.tag != b'p' {
                return Err(protocol("expected a password message"));
            }
            let head = head.within(ANSWER_BYTES_MAX).map_err(|fault| protocol(&fault.to_string()))?;
            if let Some(body) = channel.input.get(Header::BYTES..head.frame_bytes()) {
                let body = body.to_vec();
                channel.input.advance(head.frame_bytes());
                return Ok(body);
            }
        }
        if channel.read().await? == 0 {
            return Err(Unmet::Nothing);
        }
    }
}

fn password(body: &[u8]) -> Option<&str> {
    std::str::from_utf8(body.strip_suffix(&[0])?).ok().filter(|text| !text.contains('\0'))
}

/// The data of a SASLInitialResponse for SCRAM-SHA-256.
fn sasl_initial(body: &[u8]) -> Option<&[u8]> {
    let rest = body.strip_prefix(b"SCRAM-SHA-256\0")?;
    let (length, data) = rest.split_first_chunk::<4>()?;
    (usize::try_from(i32::from_be_bytes(*length)).ok()? == data.len()).then_some(data)
}

/// Recorded with its reason; the client sees one text for all of them.
async fn failed(error: LoginError, user: &str, greeting: &Greeting) -> Unmet {
    crate::telemetry::login_failed();
    let event = Event::LoginFailed {
        session: greeting.session,
        client: greeting.client,
        user: user.chars().take(256).collect(),
        reason: error.reason().to_owned(),
    };
    if let Err(error) = greeting.shared.record(&event).await {
        tracing::error!(%error, "a failed login could not be recorded");
    }
    Unmet::Refused(Refusal::fault("28P01", error.client_message()))
}
