//! `tollgate demo --check`: plays the examples against the running demo.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;

use tokio::sync::mpsc;
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres::{AsyncMessage, Client, Config, SimpleQueryMessage};

use super::examples::{EXAMPLES, Example, Expected, Sender};
use super::state::State;
use super::tls::Tls;

/// Notices kept between two statements; further ones are dropped.
const NOTICES_MAX: usize = 16;
const MESSAGE_SHOWN_MAX: usize = 60;

/// Why the examples could not be played.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("no demo runs on port {port}: cannot read `{path}`")]
    NotRunning { port: u16, path: PathBuf, source: io::Error },
    #[error("cannot read the demo's certificate authority `{path}`")]
    Authority { path: PathBuf, source: io::Error },
    #[error("cannot log in to the demo as `{user}`")]
    Login { user: String, source: tokio_postgres::Error },
}

/// What became of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Ran { rows: u64, notices: usize },
    Refused { sqlstate: String, message: String },
    Lost { reason: String },
}

struct Session {
    client: Client,
    notices: mpsc::Receiver<String>,
}

/// Plays the examples against the demo on `port` and prints a table of what was expected and seen.
/// Returns whether all agree.
pub async fn check(port: u16) -> Result<bool, CheckError> {
    let path = State::path(port);
    let state = State::read(&path).map_err(|source| CheckError::NotRunning { port, path, source })?;
    let mut redash = log_in(&state, Sender::Redash).await?;
    let mut ana = log_in(&state, Sender::Ana).await?;
    println!("{:<5} {:<18} {:<7} {:<42} seen", "", "example", "as", "expected");
    let mut all_agree = true;
    for example in &EXAMPLES {
        let session = match example.sender {
            Sender::Redash => &mut redash,
            Sender::Ana => &mut ana,
        };
        let seen = play(session, example).await;
        let agrees = agrees(example.expected, &seen);
        all_agree &= agrees;
        let verdict = if agrees { "ok" } else { "WRONG" };
        let sender = sender_name(example.sender);
        println!(
            "{verdict:<5} {:<18} {sender:<7} {:<42} {seen}",
            example.title,
            example.expected.to_string()
        );
    }
    println!("{}", if all_agree { "all examples did what was said" } else { "some examples did otherwise" });
    Ok(all_agree)
}

const fn sender_name(sender: Sender) -> &'static str {
    match sender {
        Sender::Redash => "redash",
        Sender::Ana => "ana",
    }
}

async fn log_in(state: &State, sender: Sender) -> Result<Session, CheckError> {
    let tls = Tls::trusting(&state.ca)
        .map_err(|source| CheckError::Authority { path: state.ca.clone(), source })?;
    let (user, password) = match sender {
        Sender::Redash => ("redash", state.accounts.get("redash").map(String::as_str).unwrap_or_default()),
        Sender::Ana => (state.person.name.as_str(), state.person.token.as_str()),
    };
    let (client, mut connection) = Config::new()
        .host("localhost")
        .hostaddr(std::net::Ipv4Addr::LOCALHOST.into())
        .port(state.port)
        .user(user)
        .password(password)
        .dbname(&state.database)
        .application_name("tollgate demo --check")
        .ssl_mode(SslMode::Require)
        .channel_binding(ChannelBinding::Disable)
        .connect(tls)
        .await
        .map_err(|source| CheckError::Login { user: user.to_owned(), source })?;
    let (sender, notices) = mpsc::channel(NOTICES_MAX);
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notice(notice) = message {
                // Full: the count of notices already says what is asked of it.
                let _ = sender.try_send(notice.message().to_owned());
            }
        }
    });
    Ok(Session { client, notices })
}

async fn play(session: &mut Session, example: &Example) -> Seen {
    if let Some(before) = example.before
        && let Err(error) = session.client.simple_query(before).await
    {
        return seen_error(&error);
    }
    while session.notices.try_recv().is_ok() {}
    let messages = match session.client.simple_query(example.sql).await {
        Ok(messages) => messages,
        Err(error) => return seen_error(&error),
    };
    let mut returned = 0;
    let mut tagged = 0;
    for message in &messages {
        match message {
            SimpleQueryMessage::Row(_) => returned += 1,
            SimpleQueryMessage::CommandComplete(rows) => tagged = *rows,
            _ => {}
        }
    }
    let mut notices = 0;
    while session.notices.try_recv().is_ok() {
        notices += 1;
    }
    Seen::Ran { rows: if returned > 0 { returned } else { tagged }, notices }
}

fn seen_error(error: &tokio_postgres::Error) -> Seen {
    match error.as_db_error() {
        Some(refusal) => Seen::Refused {
            sqlstate: refusal.code().code().to_owned(),
            message: refusal.message().to_owned(),
        },
        None => Seen::Lost { reason: error.to_string() },
    }
}

fn agrees(expected: Expected, seen: &Seen) -> bool {
    match (expected, seen) {
        (Expected::Runs { rows }, Seen::Ran { rows: got, notices }) => rows == *got && *notices == 0,
        (Expected::Cut { rows }, Seen::Ran { rows: got, notices }) => rows == *got && *notices > 0,
        (Expected::Refused { sqlstate, message }, Seen::Refused { sqlstate: code, message: text }) => {
            sqlstate == code && text.starts_with(message)
        }
        (Expected::Runs { .. } | Expected::Cut { .. }, Seen::Refused { .. })
        | (Expected::Refused { .. }, Seen::Ran { .. })
        | (_, Seen::Lost { .. }) => false,
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs { rows } => write!(f, "runs, {rows} rows"),
            Self::Cut { rows } => write!(f, "runs, {rows} rows and a notice"),
            Self::Refused { sqlstate, .. } => write!(f, "refused, {sqlstate}"),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ran { rows, notices: 0 } => write!(f, "ran, {rows} rows"),
            Self::Ran { rows, .. } => write!(f, "ran, {rows} rows and a notice"),
            Self::Refused { sqlstate, message } => {
                write!(
                    f,
                    "refused, {sqlstate} {}",
                    message.chars().take(MESSAGE_SHOWN_MAX).collect::<String>()
                )
            }
            Self::Lost { reason } => write!(f, "connection lost: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(sqlstate: &str, message: &str) -> Seen {
        Seen::Refused { sqlstate: sqlstate.to_owned(), message: message.to_owned() }
    }

    #[test]
    fn a_refusal_agrees_by_state_and_start_of_message() {
        let expected = Expected::Refused { sqlstate: "42501", message: "tollgate: writing" };
        assert!(agrees(expected, &refused("42501", "tollgate: writing to official schema")));
        assert!(!agrees(expected, &refused("42501", "permission denied for schema orders")));
        assert!(!agrees(expected, &refused("42P01", "tollgate: writing to official schema")));
        assert!(!agrees(expected, &Seen::Ran { rows: 0, notices: 0 }));
    }

    #[test]
    fn a_cut_result_needs_its_notice() {
        let expected = Expected::Cut { rows: 1000 };
        assert!(agrees(expected, &Seen::Ran { rows: 1000, notices: 1 }));
        assert!(!agrees(expected, &Seen::Ran { rows: 1000, notices: 0 }));
        assert!(!agrees(expected, &Seen::Ran { rows: 1001, notices: 1 }));
    }
}
