//! The demo's folder: configuration, rules, secrets, certificates, as a company would hold them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use postgres_protocol::password::scram_sha_256;

use super::data::UpstreamPasswords;
use super::papers::{self, PaperError, TokenIssuer};
use super::secrets;
use super::state::{Issuer, Person};
use crate::config::Secret;

/// The person whose token the demo signs, and her group.
pub const PERSON: &str = "ana@opetence.example";
pub const PERSON_GROUP: &str = "orders-analysts";
/// Service accounts, as the rules name them.
pub const ACCOUNTS: [&str; 4] = ["redash", "tableau", "dbt_prod", "intern"];
const TOKEN_SECONDS: u64 = 12 * 3600;

const RULES: [(&str, &str); 7] = [
    ("company.yaml", include_str!("company/company.yaml")),
    ("domains/ecommerce.yaml", include_str!("company/domains/ecommerce.yaml")),
    ("domains/orders.yaml", include_str!("company/domains/orders.yaml")),
    ("domains/logistics.yaml", include_str!("company/domains/logistics.yaml")),
    ("domains/users.yaml", include_str!("company/domains/users.yaml")),
    ("domains/marketing.yaml", include_str!("company/domains/marketing.yaml")),
    ("domains/finances.yaml", include_str!("company/domains/finances.yaml")),
];

/// Why the folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CompanyError {
    #[error("cannot write `{path}`")]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Paper(#[from] PaperError),
}

/// Secrets that a kept folder holds from one start to the next.
#[derive(Debug, Clone)]
pub(super) struct StandingSecrets {
    pub(super) superuser: Secret,
    pub(super) upstream: UpstreamPasswords,
    pub(super) accounts: BTreeMap<String, Secret>,
}

/// Where the gate listens and where it sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) gate: u16,
    pub(super) upstream: u16,
    pub(super) admin: u16,
}

/// What the written folder holds.
#[derive(Debug)]
pub(super) struct Company {
    pub(super) config: PathBuf,
    pub(super) ca: PathBuf,
    pub(super) audit_dir: PathBuf,
    pub(super) person: Person,
    pub(super) issuer: Issuer,
}

/// Reads the folder's secrets, and makes those that are not there yet.
pub(super) fn standing_secrets(dir: &Path) -> Result<StandingSecrets, CompanyError> {
    let folder = dir.join("secrets");
    make_private_dir(&folder)?;
    let standing = |name: &str| -> Result<Secret, CompanyError> {
        let path = folder.join(format!("{name}.password"));
        if let Ok(text) = fs::read_to_string(&path) {
            return Ok(Secret::new(text.trim()));
        }
        let made = secrets::password().map_err(|source| write_error(&path, source))?;
        write_private(&path, made.expose())?;
        Ok(made)
    };
    let mut accounts = BTreeMap::new();
    for name in ACCOUNTS {
        accounts.insert(name.to_owned(), standing(name)?);
    }
    let upstream = UpstreamPasswords { tollgate: standing("upstream")?, dbt: standing("dbt")? };
    Ok(StandingSecrets { superuser: standing("superuser")?, upstream, accounts })
}

/// Writes configuration, rules, verifiers, certificates and the token.
pub(super) fn write(dir: &Path, ports: Ports, secrets: &StandingSecrets) -> Result<Company, CompanyError> {
    for folder in ["rules/domains", "certs", "audit"] {
        let path = dir.join(folder);
        fs::create_dir_all(&path).map_err(|source| write_error(&path, source))?;
    }
    for (name, text) in RULES {
        let path = dir.join("rules").join(name);
        // Rules edited in a kept folder are its owner's.
        if !path.exists() {
            write_public(&path, text)?;
        }
    }
    for (name, password) in &secrets.accounts {
        let verifier = scram_sha_256(password.expose().as_bytes());
        write_private(&dir.join("secrets").join(format!("{name}.verifier")), &verifier)?;
    }
    let config = dir.join("tollgate.yaml");
    write_public(&config, &config_text(ports))?;
    let ca = write_certificates(&dir.join("certs"))?;
    let (person, issuer) = write_token(dir)?;
    Ok(Company { config, ca, audit_dir: dir.join("audit"), person, issuer })
}

fn config_text(ports: Ports) -> String {
    include_str!("company/tollgate.yaml")
        .replace("{port}", &ports.gate.to_string())
        .replace("{upstream_port}", &ports.upstream.to_string())
        .replace("{admin_port}", &ports.admin.to_string())
}

fn write_certificates(dir: &Path) -> Result<PathBuf, CompanyError> {
    let certificates = papers::certificates(&[])?;
    let ca = dir.join("ca.crt");
    write_public(&ca, &certificates.authority)?;
    write_public(&dir.join("server.crt"), &certificates.server)?;
    write_private(&dir.join("server.key"), certificates.server_key.expose())?;
    Ok(ca)
}

fn write_token(dir: &Path) -> Result<(Person, Issuer), CompanyError> {
    let issuer = TokenIssuer::generate()?;
    write_public(&dir.join("certs").join("sso-jwks.json"), &issuer.jwks())?;
    let key = dir.join("secrets").join("sso.key");
    write_private(&key, issuer.key_pem().expose())?;
    let token = issuer.token(PERSON, &[PERSON_GROUP], TOKEN_SECONDS)?;
    write_private(&dir.join("secrets").join("ana.token"), &token)?;
    let issuer = Issuer {
        issuer: TokenIssuer::ISSUER.to_owned(),
        audience: TokenIssuer::AUDIENCE.to_owned(),
        key,
        key_id: TokenIssuer::key_id().to_owned(),
        algorithm: TokenIssuer::ALGORITHM.to_owned(),
    };
    Ok((Person { name: PERSON.to_owned(), token }, issuer))
}

fn make_private_dir(path: &Path) -> Result<(), CompanyError> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)))
        .map_err(|source| write_error(path, source))
}

fn write_public(path: &Path, text: &str) -> Result<(), CompanyError> {
    fs::write(path, text).map_err(|source| write_error(path, source))
}

fn write_private(path: &Path, text: &str) -> Result<(), CompanyError> {
    secrets::write_private(path, text).map_err(|source| write_error(path, source))
}

fn write_error(path: &Path, source: io::Error) -> CompanyError {
    CompanyError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::examples::ROWS_MAX;

    #[test]
    fn a_kept_folder_keeps_its_secrets_and_hides_them_from_others() {
        let dir = tempfile::tempdir().unwrap();
        let first = standing_secrets(dir.path()).unwrap();
        let again = standing_secrets(dir.path()).unwrap();
        assert_eq!(first.accounts, again.accounts);
        let ports = Ports { gate: 1, upstream: 2, admin: 3 };
        let company = write(dir.path(), ports, &again).unwrap();
        write(dir.path(), ports, &again).unwrap();
        for name in ["secrets/redash.verifier", "secrets/upstream.password", "certs/server.key"] {
            let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let config = fs::read_to_string(company.config).unwrap();
        assert!(!config.contains('{') || !config.contains("port}"), "{config}");
    }

    #[test]
    fn the_company_rules_cap_rows_where_the_examples_say() {
        assert!(include_str!("company/company.yaml").contains(&format!("for: everyone, rows: {ROWS_MAX}")));
    }
}
