//! An event as one line of the log; field names are the contract with whoever reads it.

use uuid::Uuid;

use super::chain::{HASH_FIELD, Hash};
use super::json::{Writer, key};
use super::record::{EndUser, Event, OutcomeRecord, Protocol, Ruling, SessionIdentity, StatementRecord};
use super::redact::redact;
use crate::policy::{Obligations, OnRows, Permit, Place};
use crate::refusal::Code;
use crate::sql::{Facts, Relation};

/// What every line has, given by the log.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// From 1, without gaps.
    pub seq: u64,
    /// UUIDv7.
    pub id: Uuid,
    /// RFC 3339, UTC, up to the point: `2026-11-23T10:15:00.`
    pub second: &'a str,
    pub micros: u32,
}

/// Replaces `body` with what a line says of its event, from `"event":` up to `,"prev":`, which hangs on the event alone.
pub fn encode(body: &mut Vec<u8>, event: &Event<'_>, node: &str) {
    body.clear();
    let mut w = Writer(body);
    w.word(key!("event"), name(event));
    w.text(key!("node"), node);
    detail(&mut w, event);
}

/// Appends the line of an encoded event, newline included; the answer is the line's hash.
///
/// The hash is over the line's bytes before `,"hash":"`; see [`super::chain`].
pub fn link(lines: &mut Vec<u8>, envelope: &Envelope<'_>, body: &[u8], prev: &Hash) -> Hash {
    let start = lines.len();
    let mut w = Writer(lines);
    w.raw("{\"seq\":");
    w.digits(envelope.seq);
    w.id(key!("id"), envelope.id);
    w.raw(key!("time"));
    w.raw("\"");
    w.raw(envelope.second);
    w.micros(envelope.micros);
    w.raw("Z\"");
    w.0.extend_from_slice(body);
    w.raw(key!("prev"));
    w.raw("\"");
    w.0.extend_from_slice(prev.digits());
    w.raw("\"");
    let hash = Hash::of(w.0.get(start..).unwrap_or_default());
    w.raw(HASH_FIELD);
    w.0.extend_from_slice(hash.digits());
    w.raw("\"}\n");
    hash
}

fn name(event: &Event<'_>) -> &'static str {
    match event {
        Event::Start { .. } => "start",
        Event::Stop { .. } => "stop",
        Event::Rules { .. } => "rules",
        Event::Connect { .. } => "connect",
        Event::LoginFailed { .. } => "login_failed",
        Event::Statement(_) => "statement",
        Event::Outcome(_) => "outcome",
        Event::Disconnect { .. } => "disconnect",
        Event::Cancel { .. } => "cancel",
    }
}

fn detail(w: &mut Writer<'_>, event: &Event<'_>) {
    match event {
        Event::Start { version, rules_generation, recovered_bytes } => {
            w.null(key!("session"));
            w.text(key!("version"), version);
            w.number(key!("rules_generation"), *rules_generation);
            w.number(key!("recovered_bytes"), *recovered_bytes);
        }
        Event::Stop { reason } => {
            w.null(key!("session"));
            w.text(key!("reason"), reason);
        }
        Event::Rules { generation, problems } => {
            w.null(key!("session"));
            w.number(key!("generation"), *generation);
            w.list(key!("problems"), problems);
        }
        Event::Connect { identity, application, upstream_user } => {
            w.identity(identity);
            w.text(key!("application"), application);
            w.text(key!("upstream_user"), upstream_user);
        }
        Event::LoginFailed { session, client, user, reason } => {
            w.id(key!("session"), *session);
            w.text(key!("client"), &client.to_string());
            w.text(key!("user"), user);
            w.text(key!("reason"), reason);
        }
        Event::Statement(record) => statement(w, record),
        Event::Outcome(record) => outcome(w, record),
        Event::Disconnect { session, reason } => {
            w.id(key!("session"), *session);
            w.text(key!("reason"), reason);
        }
        Event::Cancel { session, client, target } => {
            w.id(key!("session"), *session);
            w.text(key!("client"), &client.to_string());
            match target {
                Some(target) => w.id(key!("target"), *target),
                None => w.null(key!("target")),
            }
        }
    }
}

fn statement(w: &mut Writer<'_>, record: &StatementRecord<'_>) {
    let StatementRecord { statement, .. } = record;
    w.identity(record.identity);
    w.end_user(record.end_user);
    w.text(key!("application"), record.application);
    let protocol = match record.protocol {
        Protocol::Simple => "simple",
        Protocol::Extended => "extended",
    };
    w.word(key!("protocol"), protocol);
    w.text(key!("sql"), &redact(&statement.text));
    w.text(key!("fingerprint"), &statement.fingerprint);
    let facts = &statement.facts;
    match &record.ruling {
        Ruling::Allowed(permit) => {
            let write = || {
                let mut told = Vec::new();
                Writer(&mut told).allowed(facts, permit);
                String::from_utf8_lossy(&told).into()
            };
            match permit.told(facts, write) {
                Some(told) => w.raw(told),
                None => w.allowed(facts, permit),
            }
        }
        Ruling::Denied { code, rule, reason } => {
            w.facts(facts);
            w.ruled(Some(*code), *rule, reason);
            w.raw(",\"obligations\":{}");
        }
    }
    w.float(key!("estimate"), record.estimate);
}

fn outcome(w: &mut Writer<'_>, record: &OutcomeRecord) {
    w.session(&record.identity);
    w.id(key!("statement"), record.statement);
    w.number(key!("rows"), record.rows);
    w.number(key!("bytes"), record.bytes);
    w.number(key!("duration_us"), record.duration_us);
    w.text(key!("sqlstate"), &record.sqlstate);
    w.truth(key!("truncated"), record.truncated);
}

/// Of a session's key and id.
const SESSION_BYTES: usize = key!("session").len() + "\"\"".len() + uuid::fmt::Hyphenated::LENGTH;

fn told(identity: &SessionIdentity) -> &str {
    identity.told.get_or_init(|| {
        let mut told = Vec::new();
        let mut w = Writer(&mut told);
        w.id(key!("session"), identity.session);
        w.text(key!("principal"), &identity.principal);
        w.text(key!("auth"), identity.auth);
        w.list(key!("groups"), &identity.groups);
        w.text(key!("client"), &identity.client.to_string());
        w.text(key!("database"), &identity.database);
        String::from_utf8_lossy(&told).into()
    })
}

impl Writer<'_> {
    fn relations<'r>(&mut self, key: &str, relations: impl IntoIterator<Item = &'r Relation>) {
        self.list(key, relations.into_iter().map(ToString::to_string));
    }

    /// Session and all that does not change within it.
    fn identity(&mut self, identity: &SessionIdentity) {
        self.raw(told(identity));
    }

    /// The session alone, with which that begins.
    fn session(&mut self, identity: &SessionIdentity) {
        self.raw(told(identity).get(..SESSION_BYTES).unwrap_or_default());
    }

    fn allowed(&mut self, facts: &Facts, permit: &Permit) {
        self.facts(facts);
        self.ruled(None, permit.rule(), permit.reason());
        self.obligations(permit.obligations());
    }

    fn facts(&mut self, facts: &Facts) {
        self.text(key!("class"), facts.class.as_str());
        self.text(key!("command"), &facts.command);
        self.relations(key!("reads"), &facts.reads);
        self.relations(key!("writes"), facts.targets());
        self.list(key!("functions"), &facts.functions);
    }

    fn ruled(&mut self, code: Option<Code>, rule: Option<&Place>, reason: &str) {
        self.text(key!("verdict"), if code.is_none() { "allow" } else { "deny" });
        self.optional(key!("code"), code.map(Code::as_str));
        self.optional(key!("rule"), rule.map(ToString::to_string).as_deref());
        self.text(key!("reason"), reason);
    }

    fn end_user(&mut self, end_user: Option<&EndUser>) {
        let Some(end_user) = end_user else { return self.null(key!("end_user")) };
        self.raw(key!("end_user"));
        self.raw("{\"name\":");
        self.string(&end_user.name);
        self.text(key!("source"), end_user.source);
        self.truth(key!("verified"), false);
        if end_user.spoof {
            self.truth(key!("spoof"), true);
        }
        self.raw("}");
    }

    fn obligations(&mut self, of: &Obligations) {
        self.raw(key!("obligations"));
        self.raw("{");
        let first = self.0.len();
        if let Some(rows) = of.rows {
            self.number(key!("rows"), rows.get());
            let on_rows = match of.on_rows {
                OnRows::Truncate => "truncate",
                OnRows::Error => "error",
            };
            self.text(key!("on_rows"), on_rows);
        }
        if of.cost.is_some() {
            self.float(key!("cost"), of.cost);
        }
        for (key, value) in
            [(key!("bytes"), of.bytes), (key!("seconds"), of.seconds), (key!("concurrent"), of.concurrent)]
        {
            if let Some(value) = value {
                self.number(key, value.get());
            }
        }
        // No comma stands before the first.
        if self.0.len() > first {
            self.0.remove(first);
        }
        self.raw("}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use super::*;
    use crate::sql::{Class, Statement};

    fn encoded(event: &Event<'_>) -> String {
        let second = "1970-01-01T00:00:00.";
        let envelope = Envelope { seq: 7, id: Uuid::from_u128(1), second, micros: 42 };
        let mut line = b"before".to_vec();
        let mut body = Vec::new();
        encode(&mut body, event, "n\n1");
        let hash = link(&mut line, &envelope, &body, &Hash::first());
        let line = String::from_utf8(line.split_off(6)).unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
        line.replace(hash.as_str(), "H").replace(Hash::first().as_str(), "P")
    }

    #[test]
    fn a_statement_has_the_field_names_of_the_contract() {
        let mut facts = Facts::plain(Class::Write, "INSERT");
        facts.writes.insert(Relation::new("orders", "daily"));
        let identity = SessionIdentity {
            session: Uuid::from_u128(2),
            principal: "ana".into(),
            auth: "scram",
            groups: vec!["bi".into()],
            client: "127.0.0.1:5000".parse().unwrap(),
            database: "dev".into(),
            told: OnceLock::new(),
        };
        let event = Event::Statement(StatementRecord {
            identity: &identity,
            end_user: Some(&EndUser { name: "eva".into(), source: "redash_comment", spoof: false }),
            application: "redash",
            protocol: Protocol::Simple,
            statement: &Statement {
                text: "select \"x\\\u{1}\"\u{e9}".into(),
                facts: Arc::new(facts),
                fingerprint: "00ff".into(),
            },
            ruling: Ruling::Denied { code: Code::OfficialWrite, rule: None, reason: "official" },
            estimate: Some(1.5),
        });
        let expected = concat!(
            r#"{"seq":7,"id":"00000000-0000-0000-0000-000000000001","time":"1970-01-01T00:00:00.000042Z","#,
            r#""event":"statement","node":"n\n1","session":"00000000-0000-0000-0000-000000000002","#,
            r#""principal":"ana","auth":"scram","groups":["bi"],"client":"127.0.0.1:5000","database":"dev","#,
            r#""end_user":{"name":"eva","source":"redash_comment","verified":false},"#,
            r#""application":"redash","protocol":"simple","sql":"select \"x\\\u0001\"é","fingerprint":"00ff","#,
            r#""class":"write","command":"INSERT","reads":[],"writes":["orders.daily"],"functions":[],"#,
            r#""verdict":"deny","code":"official_write","rule":null,"reason":"official","#,
            r#""obligations":{},"estimate":1.5,"prev":"P","hash":"H"}"#,
            "\n"
        );
        assert_eq!(encoded(&event), expected);
    }
}
