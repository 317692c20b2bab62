//! From the text of `tollgate.yaml` to a [`Config`]: every setting has a default or a clear error.

use std::fs;
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::catalog::RELATIONS_MAX;
use super::{AuditConfig, Bounds, Config, Durability, ListenTls, PresentAs, Secret, SessionConfig};
use crate::document::{self, Fields, Problem, Problems, Value};
use crate::policy::{Place, size};
use crate::sql::TextBounds;

/// How secrets are looked up; an argument, so that tests need no environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads the configuration at `path`; secrets come from the process's environment and from files.
pub fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    read(path, Some(&|name| std::env::var(name).ok()))
}

/// The same without looking up a single secret, for commands that only judge.
pub fn load_without_secrets(path: &Path) -> Result<Config, Vec<Problem>> {
    read(path, None)
}

fn read(path: &Path, lookup: Option<Lookup<'_>>) -> Result<Config, Vec<Problem>> {
    let file: Arc<str> =
        path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into();
    let place = Place { file: Arc::clone(&file), line: 1 };
    let text = fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot be read: {error}");
        let mend = Some("name the configuration with `--config FILE`".to_owned());
        vec![Problem { place, text: path.display().to_string(), message, mend }]
    })?;
    parse(path, &file, &text, lookup)
}

/// Checks a configuration's text. `lookup` is `None` where secrets are not needed.
pub fn parse(
    path: &Path,
    file: &Arc<str>,
    text: &str,
    lookup: Option<Lookup<'_>>,
) -> Result<Config, Vec<Problem>> {
    let value = document::parse(file, text).map_err(|problem| vec![problem])?;
    let base = path.parent().map(Path::to_owned).unwrap_or_default();
    let mut reader = Reader { problems: Problems::default(), base, lookup };
    let config = reader.config(path, &value);
    match config {
        Some(config) if reader.problems.0.is_empty() => Ok(config),
        _ => Err(reader.problems.0),
    }
}

pub(super) struct Reader<'a> {
    pub(super) problems: Problems,
    base: PathBuf,
    lookup: Option<Lookup<'a>>,
}

impl Reader<'_> {
    fn config(&mut self, path: &Path, value: &Value) -> Option<Config> {
        let mut fields = Fields::of(value, "tollgate.yaml", &mut self.problems);
        let listen =
            self.or(fields.take("listen"), "listen", address, SocketAddr::from(([127, 0, 0, 1], 5439)));
        let workers = self.maybe(fields.take("workers"), "workers", |text| text.parse().ok());
        let node = self.text_or(fields.take("node"), "node", &format!("tollgate-{}", listen.port()));
        let admin = self.maybe(fields.take("admin"), "admin", address);
        let rules = self.path_or(fields.take("rules"), "rules");
        let tls = self.tls(fields.take("tls"), listen, &fields.place.clone());
        let upstream = fields.need("upstream", &mut self.problems).and_then(|value| self.upstream(value));
        let audit = self.audit(fields.take("audit"));
        let bounds = self.bounds(fields.take("bounds"));
        let session = self.session(fields.take("session"));
        let everyone = upstream.as_ref().and_then(|upstream| upstream.logins.last());
        let catalog = fields.take("catalog").and_then(|value| self.catalog(value, everyone));
        fields.end(&mut self.problems);
        Some(Config {
            path: path.to_owned(),
            node,
            workers,
            listen,
            tls: tls?,
            upstream: upstream?,
            rules,
            catalog,
            audit,
            admin,
            bounds,
            session,
        })
    }

    fn tls(&mut self, value: Option<&Value>, listen: SocketAddr, place: &Place) -> Option<ListenTls> {
        let Some(value) = value else {
            let mend =
                "give `tls: { certificate: …, key: … }`; `tollgate certs DIR` makes both for development";
            self.problems.tell_mend(place, "tls", "this key is missing", mend);
            return None;
        };
        if matches!(&value.node, document::Node::Scalar(text) if text == "off" || text == "false") {
            if !listen.ip().is_loopback() {
                let message = "TLS can be off on a loopback address alone";
                self.problems.tell(&value.place, "tls", message);
                return None;
            }
            return Some(ListenTls::Off);
        }
        let mut fields = Fields::of(value, "tls", &mut self.problems);
        let certificate = fields.need("certificate", &mut self.problems);
        let certificate = certificate.and_then(|value| self.path(value, "certificate"));
        let key = fields.need("key", &mut self.problems).and_then(|value| self.path(value, "key"));
        let required = self.or(fields.take("required"), "required", truth, true);
        fields.end(&mut self.problems);
        Some(ListenTls::On { certificate: certificate?, key: key?, required })
    }

    pub(super) fn secret(&mut self, value: &Value, what: &str) -> Option<Secret> {
        let text = self.problems.text(value, what)?;
        let Some(lookup) = self.lookup else { return Some(Secret::new("")) };
        if let Some(name) = text.strip_prefix("env:") {
            let found = lookup(name);
            if found.is_none() {
                self.problems.tell(&value.place, text.clone(), "this environment variable is not set");
            }
            found.map(Secret::new)
        } else if let Some(path) = text.strip_prefix("file:") {
            match fs::read_to_string(self.base.join(path)) {
                Ok(secret) => Some(Secret::new(secret.trim_end_matches(['\r', '\n']))),
                Err(error) => {
                    self.problems.tell(&value.place, text.clone(), format!("cannot be read: {error}"));
                    None
                }
            }
        } else {
            // Whatever stands here may be a secret: it is not shown.
            let mend = "write `env:NAME` or `file:PATH`";
            self.problems.tell_mend(&value.place, what, "secrets do not stand in the configuration", mend);
            None
        }
    }

    fn audit(&mut self, value: Option<&Value>) -> AuditConfig {
        let mut config = AuditConfig {
            dir: self.base.join("audit"),
            durability: Durability::Os,
            file_bytes_max: NonZeroU64::MIN.saturating_add((256 << 20) - 1),
        };
        let Some(value) = value else { return config };
        let mut fields = Fields::of(value, "audit", &mut self.problems);
        if let Some(dir) = fields.take("dir").and_then(|value| self.path(value, "dir")) {
            config.dir = dir;
        }
        let durability = |text: &str| match text {
            "os" => Some(Durability::Os),
            "disk" => Some(Durability::Disk),
            _ => None,
        };
        config.durability = self.or(fields.take("durability"), "durability", durability, config.durability);
        config.file_bytes_max =
            self.or(fields.take("file_bytes_max"), "file_bytes_max", size, config.file_bytes_max);
        fields.end(&mut self.problems);
        config
    }

    fn bounds(&mut self, value: Option<&Value>) -> Bounds {
        let mut bounds = Bounds::default();
        let Some(value) = value else { return bounds };
        let mut fields = Fields::of(value, "bounds", &mut self.problems);
        let ceilings =
            [("parse_depth_max", TextBounds::DEPTH_CEILING), ("parse_chain_max", TextBounds::CHAIN_CEILING)];
        for (key, bound) in [
            ("connections_max", &mut bounds.connections_max),
            ("prepared_max", &mut bounds.prepared_max),
            ("portals_max", &mut bounds.portals_max),
            ("temp_relations_max", &mut bounds.temp_relations_max),
            ("pipeline_max", &mut bounds.pipeline_max),
            ("parse_depth_max", &mut bounds.parse_depth_max),
            ("parse_chain_max", &mut bounds.parse_chain_max),
            ("parse_queries_max", &mut bounds.parse_queries_max),
            ("statement_bytes_max", &mut bounds.statement_bytes_max),
            ("message_bytes_max", &mut bounds.message_bytes_max),
            ("catalog_relations_max", &mut bounds.catalog_relations_max),
            ("remembered_bytes_max", &mut bounds.remembered_bytes_max),
        ] {
            // Beyond these a text could overflow the stack.
            let ceiling =
                ceilings.iter().find(|(name, _)| *name == key).map_or(usize::MAX, |(_, most)| *most);
            let sized = |text: &str| {
                let bound = NonZeroUsize::new(usize::try_from(size(text)?.get()).ok()?)?;
                (bound.get() <= ceiling).then_some(bound)
            };
            *bound = self.or(fields.take(key), key, sized, *bound);
        }
        for (key, bound) in [("handshake", &mut bounds.handshake), ("drain", &mut bounds.drain)] {
            *bound = self.or(fields.take(key), key, duration, *bound);
        }
        fields.end(&mut self.problems);
        bounds
    }

    fn session(&mut self, value: Option<&Value>) -> SessionConfig {
        let mut config =
            SessionConfig { search_path: vec!["public".to_owned()], present_as: PresentAs::Auto };
        let Some(value) = value else { return config };
        let mut fields = Fields::of(value, "session", &mut self.problems);
        if let Some(path) = fields.take("search_path") {
            let path = self.problems.texts(path, "search_path");
            config.search_path = path.into_iter().map(|(schema, _)| schema).collect();
        }
        let present_as = |text: &str| match text {
            "auto" => Some(PresentAs::Auto),
            "upstream" => Some(PresentAs::Upstream),
            "redshift" => Some(PresentAs::Redshift),
            _ => None,
        };
        config.present_as = self.or(fields.take("present_as"), "present_as", present_as, config.present_as);
        fields.end(&mut self.problems);
        config
    }

    fn maybe<T>(&mut self, value: Option<&Value>, what: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = value?;
        let text = self.problems.text(value, what)?;
        let found = read(&text);
        if found.is_none() {
            self.problems.tell(&value.place, text, format!("this is no `{what}`"));
        }
        found
    }

    pub(super) fn or<T>(
        &mut self,
        value: Option<&Value>,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
        default: T,
    ) -> T {
        self.maybe(value, what, read).unwrap_or(default)
    }

    pub(super) fn text_or(&mut self, value: Option<&Value>, what: &str, default: &str) -> String {
        self.or(value, what, |text| Some(text.to_owned()), default.to_owned())
    }

    pub(super) fn path(&mut self, value: &Value, what: &str) -> Option<PathBuf> {
        self.problems.text(value, what).map(|text| self.base.join(text))
    }

    fn path_or(&mut self, value: Option<&Value>, what: &str) -> PathBuf {
        value.and_then(|value| self.path(value, what)).unwrap_or_else(|| self.base.join(what))
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

fn truth(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// `500ms`, `10s`, `2m`, `1h`; bare numbers are seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let millis = match unit.trim() {
        "ms" => number,
        "" | "s" => number.checked_mul(1000)?,
        "m" | "min" => number.checked_mul(60_000)?,
        "h" => number.checked_mul(3_600_000)?,
        _ => return None,
    };
    (millis > 0).then(|| Duration::from_millis(millis))
}

impl Default for Bounds {
    fn default() -> Self {
        const fn of(value: usize) -> NonZeroUsize {
            NonZeroUsize::MIN.saturating_add(value - 1)
        }
        Self {
            connections_max: of(1000),
            statement_bytes_max: of(16 << 20),
            message_bytes_max: of(64 << 20),
            prepared_max: of(2000),
            portals_max: of(100),
            temp_relations_max: of(1000),
            pipeline_max: of(10_000),
            parse_depth_max: of(200),
            parse_chain_max: of(TextBounds::CHAIN_CEILING),
            parse_queries_max: of(5_000),
            catalog_relations_max: RELATIONS_MAX,
            remembered_bytes_max: of(32 << 20),
            handshake: Duration::from_secs(10),
            drain: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::UpstreamTls;
    use super::*;

    const LEAST: &str = "tls: off\nupstream:\n  host: h\n  database: d\n  logins:\n    - { for: everyone, user: u, password: \"env:P\" }\n";

    fn parsed(text: &str) -> Result<Config, Vec<String>> {
        let lookup: Lookup<'_> = &|name| (name == "P").then(|| "secret".to_owned());
        parse(Path::new("dir/tollgate.yaml"), &"tollgate.yaml".into(), text, Some(lookup))
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let config = parsed(LEAST).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:5439");
        assert_eq!(config.upstream.tls, UpstreamTls::VerifyFull { ca: None });
        assert_eq!(config.audit.dir, Path::new("dir/audit"));
        assert_eq!(config.upstream.logins[0].password.expose(), "secret");
        assert_eq!(config.upstream.warm.sessions, 4);
    }

    #[test]
    fn sessions_ahead_of_need_are_off_or_bounded() {
        let warm = |text: &str| {
            parsed(&LEAST.replacen("  host", &format!("  warm: {text}\n  host"), 1))
                .map(|config| (config.upstream.warm.sessions, config.upstream.warm.age.as_secs()))
        };
        assert_eq!(warm("off"), Ok((0, 60)));
        assert_eq!(warm("{ sessions: 0 }"), Ok((0, 60)));
        assert_eq!(warm("{ sessions: 100, age: 5m }"), Ok((100, 300)));
        for bad in ["{ sessions: 101 }", "{ age: 0s }", "{ session: 1 }"] {
            assert!(warm(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_line() {
        let text = "listen: nowhere\nrulse: x\ntls: off\nupstream:\n  host: h\n  logins:\n    - { for: everyone, user: u, password: hunter2 }\nbounds: { handshake: never }\n";
        let problems = parsed(text).unwrap_err();
        let all = problems.join("\n");
        for part in [
            "tollgate.yaml:1: `nowhere`",
            "tollgate.yaml:2: `rulse`",
            "did you mean `rules`",
            "`database`",
            "tollgate.yaml:7:",
            "tollgate.yaml:8:",
        ] {
            assert!(all.contains(part), "{part} in\n{all}");
        }
        assert!(!all.contains("hunter2"), "{all}");
    }

    #[test]
    fn plaintext_is_for_loopback_alone() {
        let problems = parsed(&format!("listen: 0.0.0.0:5439\n{LEAST}")).unwrap_err();
        assert!(problems[0].contains("loopback"), "{problems:?}");
    }

    #[test]
    fn the_debug_form_shows_no_secret() {
        assert!(!format!("{:?}", parsed(LEAST).unwrap()).contains("secret\""));
    }
}
