//! From a known principal to a session: the upstream's login, what is pinned, what the client is shown.

use std::sync::Arc;

use bytes::BytesMut;

use super::cancel::Place;
use super::greet::Greeting;
use super::login::Hello;
use super::upstream::Upstream;
use crate::audit::record::SessionIdentity;
use crate::config::{Config, PresentAs, UpstreamLogin};
use crate::policy::{Basis, Decision, Obligations, Principal, RuleSet, decide, obligations};
use crate::refusal::Refusal;
use crate::session::{Opening, Session, SessionBounds, fields};
use crate::sql::{Class, Facts, Scope, ScopeBounds, SessionChange};
use crate::warehouse::connect::CancelKey;
use crate::warehouse::login::{LoggedIn, LoginFault};
use crate::warehouse::warm::Wish;
use crate::wire::reply;

/// A session ready to run.
#[derive(Debug)]
pub struct Started {
    pub session: Session,
    pub upstream: Upstream,
    pub upstream_user: String,
    pub cancel_key: CancelKey,
    pub place: Place,
}

/// Startup parameters that speak of the connection, not of a setting; AWS drivers send most of them.
const NOT_SETTINGS: [&str; 16] = [
    "user",
    "database",
    "options",
    "replication",
    "client_protocol_version",
    "driver_version",
    "os_version",
    "driver_discovery_version",
    "plugin_name",
    "idp_type",
    "identity_namespace",
    "token_type",
    "idc_client_display_name",
    "provider_name",
    "token",
    "driver_token",
];

/// Logs in upstream for `principal` and writes the client's welcome to `out`.
pub async fn start(
    hello: &Hello,
    principal: Principal,
    greeting: &Greeting,
    out: &mut BytesMut,
) -> Result<Started, Refusal> {
    let shared = &greeting.shared;
    let config = &shared.config;
    let live = shared.live();
    let database = database(hello, config)?;
    let login = upstream_login(config, &principal, &live.rules)?;
    let settings = settings(hello)?;
    let limits = obligations(&principal, &live.rules);
    let path = search_path(&settings, config);
    let scope = Scope::new(&login.user, &database, &path, scope_bounds(config));
    judge(&settings, &principal, &live.rules)?;
    let mut parameters = pinned(&settings, &path, &limits);
    parameters.insert(0, ("database".to_owned(), database.clone()));
    let whose = format!("{:?} {}", principal.kind, principal.name);
    let wish = Wish { whose, login: login.clone(), parameters };
    let logged_in = shared.warehouse.session(&wish).await.map_err(|fault| told(&fault))?;
    let place = shared
        .sessions
        .enter(greeting.session, &principal, logged_in.process_id, hello.spoken())
        .map_err(|error| Refusal::fault("58000", format!("tollgate: {error}")))?;
    welcome(out, &logged_in, config, hello, &place);
    let application = settings.iter().find(|(name, _)| name == "application_name");
    let identity = SessionIdentity {
        session: greeting.session,
        principal: principal.name.clone(),
        auth: principal.auth.as_str(),
        groups: principal.groups.clone(),
        client: greeting.client,
        database,
        told: std::sync::OnceLock::new(),
    };
    let end_user_source = live.rules.accounts.get(&principal.name).and_then(|account| account.end_user);
    let session = Session::open(Opening {
        principal,
        identity: Arc::new(identity),
        end_user_source,
        application: application.map(|(_, value)| value.clone()).unwrap_or_default(),
        scope,
        bounds: session_bounds(config),
        memory: Arc::clone(&shared.memory),
    });
    let LoggedIn { stream, process_id, secret, leftover, .. } = logged_in;
    Ok(Started {
        session,
        upstream: Upstream::new(stream, leftover),
        upstream_user: login.user.clone(),
        cancel_key: CancelKey { process_id, secret },
        place,
    })
}

/// Only the configured database is served; PostgreSQL's words for any other.
fn database(hello: &Hello, config: &Config) -> Result<String, Refusal> {
    let served = &config.upstream.database;
    match hello.parameter("database") {
        None | Some("") => Ok(served.clone()),
        Some(asked) if asked == served => Ok(served.clone()),
        Some(asked) => Err(Refusal::fault("3D000", format!("database \"{asked}\" does not exist"))
            .with_hint(format!("Tollgate serves the database \"{served}\""))),
    }
}

fn upstream_login<'a>(
    config: &'a Config,
    principal: &Principal,
    rules: &RuleSet,
) -> Result<&'a UpstreamLogin, Refusal> {
    config
        .upstream
        .logins
        .iter()
        .find(|login| crate::policy::matches(&login.subject, principal, rules))
        .ok_or_else(|| {
            Refusal::fault("28000", format!("tollgate: no upstream login is set for \"{}\"", principal.name))
                .with_hint("Ask the data team to name one in `upstream.logins`")
        })
}

/// The settings that the startup message asks for, `options` among them, with folded names.
fn settings(hello: &Hello) -> Result<Vec<(String, String)>, Refusal> {
    let mut settings = Vec::new();
    for (name, value) in &hello.parameters {
        let name = name.to_ascii_lowercase();
        if name == "options" {
            settings.extend(options(value)?);
        } else if !NOT_SETTINGS.contains(&name.as_str()) && !name.starts_with("_pq_.") {
            settings.push((name, value.clone()));
        }
    }
    Ok(settings)
}

/// `-c name=value` and `--name=value`, with blanks escaped by a backslash (PostgreSQL, `options`).
fn options(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let fault =
        |word: &str| Refusal::fault("22023", format!("tollgate: startup option `{word}` is not understood"));
    let mut found = Vec::new();
    let mut words = option_words(text).into_iter();
    while let Some(word) = words.next() {
        let setting = if word == "-c" {
            words.next().ok_or_else(|| fault(&word))?
        } else if let Some(setting) = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            setting.to_owned()
        } else {
            return Err(fault(&word));
        };
        let (name, value) = setting.split_once('=').ok_or_else(|| fault(&setting))?;
        found.push((name.replace('-', "_").to_ascii_lowercase(), value.to_owned()));
    }
    Ok(found)
}

fn option_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.extend(letters.next()),
            blank if blank.is_ascii_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The path every session begins with: the client's, where it asks for one that parses, or the configured.
fn search_path(settings: &[(String, String)], config: &Config) -> Vec<String> {
    match settings.iter().rev().find(|(name, _)| name == "search_path") {
        Some((_, value)) => value
            .split(',')
            .map(|entry| entry.trim().trim_matches('"').to_ascii_lowercase())
            .filter(|entry| !entry.is_empty())
            .collect(),
        None => config.session.search_path.clone(),
    }
}

/// Settings of the startup message are held to the same rules as SET.
fn judge(settings: &[(String, String)], principal: &Principal, rules: &RuleSet) -> Result<(), Refusal> {
    for (name, value) in settings {
        // Letters, digits and few signs: nothing that could be read otherwise when it is quoted below.
        let plain = value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') && !value.contains(['\'', '\\']);
        let cased = value.contains('"') && value.contains(|c: char| c.is_ascii_uppercase());
        if name == "search_path" && (!plain || cased) {
            return Err(Refusal::fault("22023", "tollgate: startup search_path is not understood"));
        }
        let mut facts = Facts::plain(Class::Session, "SET");
        let change = SessionChange { setting: name.clone(), values: vec![value.clone()], local: false };
        facts.session.push(change);
        if let Decision::Deny(denial) = decide(principal, &facts, &Basis::of(rules)) {
            let mut refusal = denial.refusal;
            refusal.sqlstate = "28000";
            return Err(refusal);
        }
    }
    Ok(())
}

/// Startup parameters for the upstream: what the client may set, then what Tollgate pins. Given at
/// startup they are what RESET returns to.
fn pinned(settings: &[(String, String)], path: &[String], limits: &Obligations) -> Vec<(String, String)> {
    const PINNED: [&str; 4] =
        ["search_path", "client_encoding", "standard_conforming_strings", "statement_timeout"];
    let mut parameters: Vec<(String, String)> =
        settings.iter().filter(|(name, _)| !PINNED.contains(&name.as_str())).cloned().collect();
    let quoted: Vec<String> =
        path.iter().map(|entry| format!("\"{}\"", entry.replace('"', "\"\""))).collect();
    parameters.push(("search_path".to_owned(), quoted.join(", ")));
    parameters.push(("client_encoding".to_owned(), "UTF8".to_owned()));
    // A client's own was held against the limit with its other settings.
    if let Some(own) = settings.iter().rev().find(|(name, _)| name == "statement_timeout") {
        parameters.push(own.clone());
    } else if let Some(seconds) = limits.seconds {
        // The wall behind Tollgate's own clock, which strikes first.
        let milliseconds = seconds.get().saturating_mul(1000).saturating_add(5000).min(i32::MAX as u64);
        parameters.push(("statement_timeout".to_owned(), milliseconds.to_string()));
    }
    parameters
}

fn scope_bounds(config: &Config) -> ScopeBounds {
    let bounds = &config.bounds;
    ScopeBounds {
        prepared_max: bounds.prepared_max.get(),
        cursors_max: bounds.portals_max.get(),
        temp_relations_max: bounds.temp_relations_max.get(),
        savepoints_max: bounds.portals_max.get(),
    }
}

fn session_bounds(config: &Config) -> SessionBounds {
    let bounds = &config.bounds;
    SessionBounds {
        prepared_max: bounds.prepared_max.get(),
        portals_max: bounds.portals_max.get(),
        pipeline_max: bounds.pipeline_max.get(),
    }
}

/// AuthenticationOk, the upstream's parameters, the client's own cancel key, ReadyForQuery.
fn welcome(out: &mut BytesMut, logged_in: &LoggedIn, config: &Config, hello: &Hello, place: &Place) {
    reply::authentication(out, 0, &[]);
    let redshift = match config.session.present_as {
        PresentAs::Upstream => false,
        PresentAs::Redshift => true,
        PresentAs::Auto => hello.is_aws_driver(),
    };
    for (name, value) in &logged_in.parameters {
        let shown = match name.as_str() {
            "server_version" if redshift => "8.0.2",
            // Never announced: it changes the shape of RowDescription.
            "server_protocol_version" => continue,
            _ => value,
        };
        reply::parameter_status(out, name, shown);
    }
    reply::backend_key(out, place.process_id, &place.secret);
    for notice in &logged_in.notices {
        out.extend_from_slice(notice);
    }
    reply::ready(out, logged_in.status);
}

/// The upstream's own refusal where it gave one; otherwise what kept it from answering.
fn told(fault: &LoginFault) -> Refusal {
    crate::telemetry::upstream_failed();
    match fault {
        LoginFault::Refused(body) => {
            let text = |wanted: u8| {
                fields(body)
                    .find(|(kind, _)| *kind == wanted)
                    .map(|(_, v)| String::from_utf8_lossy(v).into_owned())
            };
            let message = text(b'M').unwrap_or_else(|| "login refused".to_owned());
            tracing::warn!(sqlstate = text(b'C'), "the warehouse refused a login");
            Refusal::fault("08004", format!("tollgate: the warehouse refused the session: {message}"))
                .with_hint("Try again; if it goes on, tell the data team")
        }
        other => {
            tracing::warn!(fault = %other, "no session upstream");
            Refusal::fault("08001", format!("tollgate: {other}"))
                .with_hint("Try again; if it goes on, tell the data team")
        }
    }
}
