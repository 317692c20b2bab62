//! An event as one line of the log; field names are the contract with whoever reads it.

use jiff::Timestamp;
use uuid::Uuid;

use super::chain::{HASH_FIELD, Hash};
use super::record::{EndUser, Event, OutcomeRecord, Protocol, SessionIdentity, StatementRecord};
use super::redact::redact;
use crate::policy::{Obligations, OnRows};

/// What every line has, given by the log.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// From 1, without gaps.
    pub seq: u64,
    /// UUIDv7.
    pub id: Uuid,
    pub time: Timestamp,
    pub node: &'a str,
}

/// Replaces `line` with the event's line, newline included; the answer is the line's hash.
///
/// The hash is over the line's bytes before `,"hash":"`; see [`super::chain`].
pub fn encode(line: &mut Vec<u8>, envelope: &Envelope<'_>, event: &Event, prev: &Hash) -> Hash {
    line.clear();
    let mut w = Writer(line);
    w.raw("{\"seq\":");
    w.raw(&envelope.seq.to_string());
    w.text("id", &envelope.id.to_string());
    w.text("time", &format!("{:.6}", envelope.time));
    w.text("event", name(event));
    w.text("node", envelope.node);
    w.optional("session", session(event).map(|id| id.to_string()).as_deref());
    body(&mut w, event);
    w.text("prev", prev.as_str());
    let hash = Hash::of(w.0);
    w.raw(HASH_FIELD);
    w.raw(hash.as_str());
    w.raw("\"}\n");
    hash
}

fn name(event: &Event) -> &'static str {
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

fn session(event: &Event) -> Option<Uuid> {
    match event {
        Event::Start { .. } | Event::Stop { .. } | Event::Rules { .. } => None,
        Event::Connect { identity, .. } => Some(identity.session),
        Event::Statement(record) => Some(record.identity.session),
        Event::Outcome(record) => Some(record.session),
        Event::LoginFailed { session, .. }
        | Event::Disconnect { session, .. }
        | Event::Cancel { session, .. } => Some(*session),
    }
}

fn body(w: &mut Writer<'_>, event: &Event) {
    match event {
        Event::Start { version, rules_generation, recovered_bytes } => {
            w.text("version", version);
            w.plain("rules_generation", rules_generation);
            w.plain("recovered_bytes", recovered_bytes);
        }
        Event::Stop { reason } | Event::Disconnect { reason, .. } => w.text("reason", reason),
        Event::Rules { generation, problems } => {
            w.plain("generation", generation);
            w.list("problems", problems);
        }
        Event::Connect { identity, application, upstream_user } => {
            w.identity(identity);
            w.text("application", application);
            w.text("upstream_user", upstream_user);
        }
        Event::LoginFailed { client, user, reason, .. } => {
            w.text("client", &client.to_string());
            w.text("user", user);
            w.text("reason", reason);
        }
        Event::Statement(record) => statement(w, record),
        Event::Outcome(record) => outcome(w, record),
        Event::Cancel { client, target, .. } => {
            w.text("client", &client.to_string());
            w.optional("target", target.map(|id| id.to_string()).as_deref());
        }
    }
}

fn statement(w: &mut Writer<'_>, record: &StatementRecord) {
    w.identity(&record.identity);
    w.end_user(record.end_user.as_ref());
    w.text("application", &record.application);
    w.text(
        "protocol",
        match record.protocol {
            Protocol::Simple => "simple",
            Protocol::Extended => "extended",
        },
    );
    w.text("sql", &redact(&record.sql));
    w.text("fingerprint", &record.fingerprint);
    w.text("class", record.facts.class.as_str());
    w.text("command", &record.facts.command);
    w.list("reads", record.facts.reads.iter().map(ToString::to_string));
    w.list("writes", record.facts.targets().iter().map(ToString::to_string));
    w.list("functions", &record.facts.functions);
    w.text("verdict", if record.code.is_none() { "allow" } else { "deny" });
    w.optional("code", record.code.map(|code| code.as_str()));
    w.optional("rule", record.rule.as_ref().map(ToString::to_string).as_deref());
    w.text("reason", &record.reason);
    w.obligations(&record.obligations);
    w.float("estimate", record.estimate);
}

fn outcome(w: &mut Writer<'_>, record: &OutcomeRecord) {
    w.text("statement", &record.statement.to_string());
    w.plain("rows", record.rows);
    w.plain("bytes", record.bytes);
    w.plain("duration_us", record.duration_us);
    w.text("sqlstate", &record.sqlstate);
    w.plain("truncated", record.truncated);
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn key(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.raw(",");
        }
        self.raw("\"");
        self.raw(name);
        self.raw("\":");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        self.string(value);
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.plain(name, "null"),
        }
    }

    fn plain(&mut self, name: &str, value: impl ToString) {
        self.key(name);
        self.raw(&value.to_string());
    }

    fn float(&mut self, name: &str, value: Option<f64>) {
        match value.filter(|value| value.is_finite()) {
            Some(value) => self.plain(name, value),
            None => self.plain(name, "null"),
        }
    }

    fn list<S: AsRef<str>>(&mut self, name: &str, values: impl IntoIterator<Item = S>) {
        self.key(name);
        self.raw("[");
        for (n, value) in values.into_iter().enumerate() {
            if n > 0 {
                self.raw(",");
            }
            self.string(value.as_ref());
        }
        self.raw("]");
    }

    fn identity(&mut self, identity: &SessionIdentity) {
        self.text("principal", &identity.principal);
        self.text("auth", identity.auth);
        self.list("groups", &identity.groups);
        self.text("client", &identity.client.to_string());
        self.text("database", &identity.database);
    }

    fn end_user(&mut self, end_user: Option<&EndUser>) {
        let Some(end_user) = end_user else { return self.plain("end_user", "null") };
        self.key("end_user");
        self.raw("{");
        self.text("name", &end_user.name);
        self.text("source", end_user.source);
        self.plain("verified", false);
        if end_user.spoof {
            self.plain("spoof", true);
        }
        self.raw("}");
    }

    fn obligations(&mut self, of: &Obligations) {
        self.key("obligations");
        self.raw("{");
        if let Some(rows) = of.rows {
            self.plain("rows", rows);
            self.text(
                "on_rows",
                match of.on_rows {
                    OnRows::Truncate => "truncate",
                    OnRows::Error => "error",
                },
            );
        }
        if of.cost.is_some() {
            self.float("cost", of.cost);
        }
        for (name, value) in [("bytes", of.bytes), ("seconds", of.seconds), ("concurrent", of.concurrent)] {
            if let Some(value) = value {
                self.plain(name, value);
            }
        }
        self.raw("}");
    }

    fn string(&mut self, value: &str) {
        self.raw("\"");
        for chunk in value.split_inclusive(|c: char| c < ' ' || c == '"' || c == '\\') {
            let Some(last) = chunk.chars().last().filter(|c| *c < ' ' || *c == '"' || *c == '\\') else {
                self.raw(chunk);
                continue;
            };
            self.raw(chunk.strip_suffix(last).unwrap_or_default());
            match last {
                '"' => self.raw("\\\""),
                '\\' => self.raw("\\\\"),
                '\n' => self.raw("\\n"),
                '\r' => self.raw("\\r"),
                '\t' => self.raw("\\t"),
                control => self.raw(&format!("\\u{:04x}", u32::from(control))),
            }
        }
        self.raw("\"");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::refusal::Code;
    use crate::sql::{Class, Facts, Relation};

    fn encoded(event: &Event) -> String {
        let envelope = Envelope { seq: 7, id: Uuid::from_u128(1), time: Timestamp::UNIX_EPOCH, node: "n\n1" };
        let mut line = Vec::new();
        let hash = encode(&mut line, &envelope, event, &Hash::first());
        let line = String::from_utf8(line).unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
        line.replace(hash.as_str(), "H").replace(Hash::first().as_str(), "P")
    }

    #[test]
    fn a_statement_has_the_field_names_of_the_contract() {
        let mut facts = Facts::plain(Class::Write, "INSERT");
        facts.writes.insert(Relation::new("orders", "daily"));
        let event = Event::Statement(Box::new(StatementRecord {
            identity: Arc::new(SessionIdentity {
                session: Uuid::from_u128(2),
                principal: "ana".into(),
                auth: "scram",
                groups: vec!["bi".into()],
                client: "127.0.0.1:5000".parse().unwrap(),
                database: "dev".into(),
            }),
            end_user: Some(EndUser { name: "eva".into(), source: "redash_comment", spoof: false }),
            application: "redash".into(),
            protocol: Protocol::Simple,
            sql: "select \"x\\\"".into(),
            fingerprint: "00ff".into(),
            facts: Arc::new(facts),
            code: Some(Code::OfficialWrite),
            rule: None,
            reason: "official".into(),
            obligations: Obligations::default(),
            estimate: Some(1.5),
        }));
        let expected = concat!(
            r#"{"seq":7,"id":"00000000-0000-0000-0000-000000000001","time":"1970-01-01T00:00:00.000000Z","#,
            r#""event":"statement","node":"n\n1","session":"00000000-0000-0000-0000-000000000002","#,
            r#""principal":"ana","auth":"scram","groups":["bi"],"client":"127.0.0.1:5000","database":"dev","#,
            r#""end_user":{"name":"eva","source":"redash_comment","verified":false},"#,
            r#""application":"redash","protocol":"simple","sql":"select \"x\\\"","fingerprint":"00ff","#,
            r#""class":"write","command":"INSERT","reads":[],"writes":["orders.daily"],"functions":[],"#,
            r#""verdict":"deny","code":"official_write","rule":null,"reason":"official","#,
            r#""obligations":{},"estimate":1.5,"prev":"P","hash":"H"}"#,
            "\n"
        );
        assert_eq!(encoded(&event), expected);
    }
}
