//! Where statements go, and as whom.

use std::time::Duration;

use super::load::{Reader, duration};
use super::{UpstreamConfig, UpstreamLogin, UpstreamTls};
use crate::document::{self, Fields, Problems, Value};
use crate::policy::{Subject, parse_subject};

impl Reader<'_> {
    pub(super) fn upstream(&mut self, value: &Value) -> Option<UpstreamConfig> {
        let mut fields = Fields::of(value, "upstream", &mut self.problems);
        let host =
            fields.need("host", &mut self.problems).and_then(|value| self.problems.text(value, "host"));
        let port =
            self.or(fields.take("port"), "port", |text| text.parse().ok().filter(|port| *port > 0), 5439);
        let database = fields.need("database", &mut self.problems);
        let database = database.and_then(|value| self.problems.text(value, "database"));
        let tls = self.upstream_tls(fields.take("tls"));
        let connect_timeout =
            self.or(fields.take("connect_timeout"), "connect_timeout", duration, Duration::from_secs(10));
        let warm = self.warm(fields.take("warm"));
        let logins = fields.need("logins", &mut self.problems);
        let logins: Vec<UpstreamLogin> = match logins {
            Some(value) => {
                let items = self.problems.items(value, "logins");
                self.for_everyone(value, items);
                items.iter().filter_map(|login| self.login(login)).collect()
            }
            None => Vec::new(),
        };
        fields.end(&mut self.problems);
        Some(UpstreamConfig { host: host?, port, database: database?, tls, logins, connect_timeout, warm })
    }

    fn upstream_tls(&mut self, value: Option<&Value>) -> UpstreamTls {
        let safe = UpstreamTls::VerifyFull { ca: None };
        let Some(value) = value else { return safe };
        match &value.node {
            document::Node::Scalar(text) => match text.as_str() {
                "off" | "false" => UpstreamTls::Off,
                "require" => UpstreamTls::Require,
                "verify-full" => safe,
                other => {
                    let mend = "`off`, `require`, `verify-full`, or `{ mode: verify-full, ca: FILE }`";
                    self.problems.tell_mend(&value.place, other, "unknown TLS mode", mend);
                    safe
                }
            },
            _ => {
                let mut fields = Fields::of(value, "tls", &mut self.problems);
                let mode = self.text_or(fields.take("mode"), "mode", "verify-full");
                let ca = fields.take("ca").and_then(|value| self.path(value, "ca"));
                fields.end(&mut self.problems);
                match mode.as_str() {
                    "verify-full" => UpstreamTls::VerifyFull { ca },
                    "require" => UpstreamTls::Require,
                    "off" | "false" => UpstreamTls::Off,
                    other => {
                        let mend = "`off`, `require` or `verify-full`";
                        self.problems.tell_mend(&value.place, other, "unknown TLS mode", mend);
                        safe
                    }
                }
            }
        }
    }

    /// The last login speaks for everyone, so that nobody is let in and then has none.
    fn for_everyone(&mut self, value: &Value, items: &[Value]) {
        let last =
            items.last().map(|login| Fields::of(login, "logins", &mut Problems::default()).take("for"));
        let text = last.flatten().and_then(|value| Problems::default().text(value, "for"));
        if text.is_none_or(|text| parse_subject(&text) != Subject::Everyone) {
            let mend = "end the list with a line `for: everyone`";
            self.problems.tell_mend(&value.place, "logins", "some principals have no login upstream", mend);
        }
    }

    fn login(&mut self, value: &Value) -> Option<UpstreamLogin> {
        let mut fields = Fields::of(value, "logins", &mut self.problems);
        let subject =
            fields.need("for", &mut self.problems).and_then(|value| self.problems.text(value, "for"));
        let user =
            fields.need("user", &mut self.problems).and_then(|value| self.problems.text(value, "user"));
        let password = fields.need("password", &mut self.problems);
        let password = password.and_then(|value| self.secret(value, "password"));
        fields.end(&mut self.problems);
        Some(UpstreamLogin { subject: parse_subject(&subject?), user: user?, password: password? })
    }
}
