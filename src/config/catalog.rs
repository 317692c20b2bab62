//! The section `catalog`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::UpstreamLogin;
use super::load::{Reader, duration};
use crate::document::{Fields, Value};
use crate::policy::Subject;

/// Where the catalog's snapshot comes from, and how often.
#[derive(Debug, Clone)]
pub struct CatalogConfig {
    pub source: CatalogSource,
    /// Besides after every change of definitions through the gate.
    pub refresh: Duration,
}

#[derive(Debug, Clone)]
pub enum CatalogSource {
    /// The warehouse, asked as this user.
    Warehouse(UpstreamLogin),
    /// What `tollgate catalog dump` wrote.
    File(PathBuf),
}

/// How many relations a snapshot may hold where nothing is said.
pub(super) const RELATIONS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499_999);

impl Reader<'_> {
    /// `everyone`: the login that speaks for everyone, used where the section names none.
    pub(super) fn catalog(
        &mut self,
        value: &Value,
        everyone: Option<&UpstreamLogin>,
    ) -> Option<CatalogConfig> {
        let mut fields = Fields::of(value, "catalog", &mut self.problems);
        let login = fields.take("login");
        let file = fields.take("file");
        let refresh = self.or(fields.take("refresh"), "refresh", duration, Duration::from_secs(300));
        fields.end(&mut self.problems);
        let source = match (login, file) {
            (Some(_), Some(file)) => {
                let mend = "leave one of both out";
                self.problems.tell_mend(&file.place, "file", "the catalog has a `login` already", mend);
                None
            }
            (None, Some(file)) => self.path(file, "file").map(CatalogSource::File),
            (Some(login), None) => self.catalog_login(login).map(CatalogSource::Warehouse),
            (None, None) => everyone.cloned().map(CatalogSource::Warehouse),
        };
        Some(CatalogConfig { source: source?, refresh })
    }

    fn catalog_login(&mut self, value: &Value) -> Option<UpstreamLogin> {
        let mut fields = Fields::of(value, "login", &mut self.problems);
        let user =
            fields.need("user", &mut self.problems).and_then(|value| self.problems.text(value, "user"));
        let password = fields.need("password", &mut self.problems);
        let password = password.and_then(|value| self.secret(value, "password"));
        fields.end(&mut self.problems);
        Some(UpstreamLogin { subject: Subject::Everyone, user: user?, password: password? })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, parse};

    fn parsed(section: &str) -> Result<Config, Vec<String>> {
        let text = format!(
            "tls: off\nupstream:\n  host: h\n  database: d\n  logins:\n    - {{ for: x, user: x, password: \
             \"env:P\" }}\n    - {{ for: everyone, user: u, password: \"env:P\" }}\n{section}"
        );
        let lookup = |name: &str| (name == "P").then(|| "secret".to_owned());
        parse(Path::new("dir/tollgate.yaml"), &"tollgate.yaml".into(), &text, Some(&lookup))
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn there_is_no_catalog_where_nothing_is_said() {
        let config = parsed("").unwrap();
        assert!(config.catalog.is_none());
        assert_eq!(config.bounds.catalog_relations_max.get(), 500_000);
    }

    #[test]
    fn the_login_is_everyones_unless_one_is_named() {
        for (section, user) in [
            ("catalog: {}", "u"),
            ("catalog: { login: { user: reader, password: \"env:P\" }, refresh: 1m }", "reader"),
        ] {
            let catalog = parsed(section).unwrap().catalog.unwrap();
            let CatalogSource::Warehouse(login) = catalog.source else { panic!("{section}") };
            assert_eq!((login.user.as_str(), login.password.expose()), (user, "secret"));
        }
        assert_eq!(parsed("catalog: {}").unwrap().catalog.unwrap().refresh, Duration::from_secs(300));
    }

    #[test]
    fn a_file_stands_in_place_of_a_connection() {
        let catalog = parsed("catalog: { file: catalog.json }").unwrap().catalog.unwrap();
        assert!(
            matches!(&catalog.source, CatalogSource::File(path) if path == Path::new("dir/catalog.json"))
        );
    }

    #[test]
    fn every_problem_of_the_section_is_told() {
        let section =
            "catalog:\n  login: { user: u, password: hunter2 }\n  file: f\n  refesh: 1m\n  refresh: soon\n";
        let told = parsed(section).unwrap_err().join("\n");
        for part in [
            "tollgate.yaml:11: `refesh`: unknown key; did you mean `refresh`?",
            "tollgate.yaml:12: `soon`",
            "tollgate.yaml:10: `file`: the catalog has a `login` already",
        ] {
            assert!(told.contains(part), "{part} in\n{told}");
        }
        let told = parsed("catalog: { login: { password: hunter2 } }").unwrap_err().join("\n");
        assert!(told.contains("`user`: this key is missing") && !told.contains("hunter2"), "{told}");
    }
}
