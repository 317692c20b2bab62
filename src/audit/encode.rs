//! An event as one line of the log; field names are the contract with whoever reads it.

use uuid::Uuid;

use super::chain::{HASH_FIELD, Hash};
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
    w.text("event", name(event));
    w.text("node", node);
    match session(event) {
        Some(session) => w.id("session", session),
        None => w.null("session"),
    }
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
    w.id("id", envelope.id);
    w.key("time");
    w.raw("\"");
    w.raw(envelope.second);
    w.micros(envelope.micros);
    w.raw("Z\"");
    w.0.extend_from_slice(body);
    w.text("prev", prev.as_str());
    let hash = Hash::of(w.0.get(start..).unwrap_or_default());
    w.raw(HASH_FIELD);
    w.raw(hash.as_str());
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

fn session(event: &Event<'_>) -> Option<Uuid> {
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

fn detail(w: &mut Writer<'_>, event: &Event<'_>) {
    match event {
        Event::Start { version, rules_generation, recovered_bytes } => {
            w.text("version", version);
            w.number("rules_generation", *rules_generation);
            w.number("recovered_bytes", *recovered_bytes);
        }
        Event::Stop { reason } => w.text("reason", reason),
        Event::Disconnect { reason, .. } => w.text("reason", reason),
        Event::Rules { generation, problems } => {
            w.number("generation", *generation);
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
            match target {
                Some(target) => w.id("target", *target),
                None => w.null("target"),
            }
        }
    }
}

fn statement(w: &mut Writer<'_>, record: &StatementRecord<'_>) {
    let StatementRecord { statement, .. } = record;
    w.identity(record.identity);
    w.end_user(record.end_user);
    w.text("application", record.application);
    w.text(
        "protocol",
        match record.protocol {
            Protocol::Simple => "simple",
            Protocol::Extended => "extended",
        },
    );
    w.text("sql", &redact(&statement.text));
    w.text("fingerprint", &statement.fingerprint);
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
    w.float("estimate", record.estimate);
}

fn outcome(w: &mut Writer<'_>, record: &OutcomeRecord) {
    w.id("statement", record.statement);
    w.number("rows", record.rows);
    w.number("bytes", record.bytes);
    w.number("duration_us", record.duration_us);
    w.text("sqlstate", &record.sqlstate);
    w.truth("truncated", record.truncated);
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    #[inline]
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    #[inline]
    fn key(&mut self, name: &str) {
        self.raw(if self.0.last() == Some(&b'{') { "\"" } else { ",\"" });
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
            None => self.null(name),
        }
    }

    fn null(&mut self, name: &str) {
        self.key(name);
        self.raw("null");
    }

    fn truth(&mut self, name: &str, value: bool) {
        self.key(name);
        self.raw(if value { "true" } else { "false" });
    }

    fn number(&mut self, name: &str, value: u64) {
        self.key(name);
        self.digits(value);
    }

    fn digits(&mut self, value: u64) {
        self.raw(itoa::Buffer::new().format(value));
    }

    /// Six digits.
    fn micros(&mut self, micros: u32) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(micros.min(999_999));
        self.raw("000000".get(digits.len()..).unwrap_or_default());
        self.raw(digits);
    }

    fn id(&mut self, name: &str, id: Uuid) {
        self.key(name);
        self.raw("\"");
        self.raw(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        self.raw("\"");
    }

    fn float(&mut self, name: &str, value: Option<f64>) {
        match value.filter(|value| value.is_finite()) {
            Some(value) => {
                self.key(name);
                self.raw(&value.to_string());
            }
            None => self.null(name),
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

    fn relations<'r>(&mut self, name: &str, relations: impl IntoIterator<Item = &'r Relation>) {
        self.list(name, relations.into_iter().map(ToString::to_string));
    }

    fn identity(&mut self, identity: &SessionIdentity) {
        let told = identity.told.get_or_init(|| {
            let mut told = Vec::new();
            let mut w = Writer(&mut told);
            w.text("principal", &identity.principal);
            w.text("auth", identity.auth);
            w.list("groups", &identity.groups);
            w.text("client", &identity.client.to_string());
            w.text("database", &identity.database);
            String::from_utf8_lossy(&told).into()
        });
        self.raw(told);
    }

    fn allowed(&mut self, facts: &Facts, permit: &Permit) {
        self.facts(facts);
        self.ruled(None, permit.rule(), permit.reason());
        self.obligations(permit.obligations());
    }

    fn facts(&mut self, facts: &Facts) {
        self.text("class", facts.class.as_str());
        self.text("command", &facts.command);
        self.relations("reads", &facts.reads);
        self.relations("writes", facts.targets());
        self.list("functions", &facts.functions);
    }

    fn ruled(&mut self, code: Option<Code>, rule: Option<&Place>, reason: &str) {
        self.text("verdict", if code.is_none() { "allow" } else { "deny" });
        self.optional("code", code.map(Code::as_str));
        self.optional("rule", rule.map(ToString::to_string).as_deref());
        self.text("reason", reason);
    }

    fn end_user(&mut self, end_user: Option<&EndUser>) {
        let Some(end_user) = end_user else { return self.null("end_user") };
        self.key("end_user");
        self.raw("{");
        self.text("name", &end_user.name);
        self.text("source", end_user.source);
        self.truth("verified", false);
        if end_user.spoof {
            self.truth("spoof", true);
        }
        self.raw("}");
    }

    fn obligations(&mut self, of: &Obligations) {
        self.key("obligations");
        self.raw("{");
        if let Some(rows) = of.rows {
            self.number("rows", rows.get());
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
                self.number(name, value.get());
            }
        }
        self.raw("}");
    }

    fn string(&mut self, value: &str) {
        self.raw("\"");
        let mut rest = value;
        while let Some(at) = first_escaped(rest.as_bytes()) {
            // What is escaped is ASCII, so that both sides of it are whole letters.
            let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.raw(plain);
            let mut letters = from.chars();
            match letters.next() {
                Some('"') => self.raw("\\\""),
                Some('\\') => self.raw("\\\\"),
                Some('\n') => self.raw("\\n"),
                Some('\r') => self.raw("\\r"),
                Some('\t') => self.raw("\\t"),
                Some(control) => self.raw(&format!("\\u{:04x}", u32::from(control))),
                None => {}
            }
            rest = letters.as_str();
        }
        self.raw(rest);
        self.raw("\"");
    }
}

/// Where the first byte stands that JSON does not take as it is.
fn first_escaped(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let (words, _) = bytes.as_chunks::<8>();
    // Eight at once: a borrow shows in the high bit of a byte below what is taken from it (Hacker's Delight, 6-1).
    let below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word;
    let plain = |word: &&[u8; 8]| {
        let word = u64::from_ne_bytes(**word);
        let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        (below(word, 0x20) | is(b'"') | is(b'\\')) & HIGH == 0
    };
    let plain = 8 * words.iter().take_while(plain).count();
    let escaped = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
    bytes.iter().skip(plain).position(escaped).map(|at| plain + at)
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
    fn what_json_escapes_is_found_wherever_it_stands() {
        for byte in 0..=255 {
            for at in 0..20 {
                let mut text = [b'\x7f'; 20];
                text[at] = byte;
                let escaped = byte < b' ' || byte == b'"' || byte == b'\\';
                assert_eq!(first_escaped(&text), escaped.then_some(at), "{byte} at {at}");
            }
        }
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
