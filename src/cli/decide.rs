//! `tollgate decide`: what would become of statements, without running them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::views::Views;
use super::{ConfigPath, Format, could_not};
use crate::catalog::Catalog;
use crate::config::{self, Config};
use crate::policy::{
    Auth, Basis, Decision, Obligations, Principal, PrincipalKind, RuleSet, decide, matches, obligations,
    unread,
};
use crate::refusal::{Code, Refusal};
use crate::sql::{NotUnderstood, Scope, ScopeBounds, Statement, TextBounds, understand};
use crate::warehouse::catalog::file;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigPath,
    /// The account or person to judge for.
    #[arg(long = "as", value_name = "NAME")]
    principal: String,
    /// Groups beyond those the rules give the account.
    #[arg(long, value_delimiter = ',')]
    groups: Vec<String>,
    /// Claims of the person's token.
    #[arg(long = "claim", value_name = "KEY=VALUE", value_parser = claim)]
    claims: Vec<(String, String)>,
    /// The schemas in which bare names are looked for.
    #[arg(long, value_delimiter = ',')]
    search_path: Option<Vec<String>>,
    /// A catalog snapshot, as `tollgate catalog dump` writes it; without one, names alone are judged.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The SQL; standard input where `-` or not named.
    #[arg(default_value = "-")]
    file: PathBuf,
}

fn claim(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a claim is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let read = config::load_without_secrets(&arguments.config.config)
        .and_then(|config| config::rules::load(&config).map(|rules| (config, rules)));
    let (config, rules) = match read {
        Ok(read) => read,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            return super::FAILED;
        }
    };
    let text = match sql(arguments, config.bounds.statement_bytes_max.get()) {
        Ok(text) => text,
        Err(error) => return could_not(&error),
    };
    let catalog = match arguments.catalog.as_deref().map(file::read).transpose() {
        Ok(snapshot) => snapshot.map(Catalog::new).map(Arc::new),
        Err(error) => return could_not(&error),
    };
    let basis = Basis::of(&rules).with_catalog(catalog.as_ref());
    let mut allowed = true;
    for verdict in judge(&text, arguments, &config, &basis) {
        allowed &= verdict.verdict == "allow";
        match arguments.format {
            Format::Text => print(&verdict),
            Format::Json => match serde_json::to_string(&verdict) {
                Ok(line) => println!("{line}"),
                Err(error) => return could_not(&error),
            },
        }
    }
    u8::from(!allowed)
}

/// At most one byte more than may be judged: `understand` refuses what is longer.
fn sql(arguments: &Arguments, bytes_max: usize) -> io::Result<String> {
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = Vec::new();
    if arguments.file.as_os_str() == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut text)?;
    } else {
        File::open(&arguments.file)?.take(limit).read_to_end(&mut text)?;
    }
    let long = text.len() > bytes_max;
    // A character cut at the limit is no fault of the text: its length is.
    if long {
        Ok(String::from_utf8_lossy(&text).into_owned())
    } else {
        String::from_utf8(text).map_err(io::Error::other)
    }
}

/// One statement's verdict; its form is a contract with users.
#[derive(Debug, Serialize)]
struct Verdict {
    n: usize,
    sql: String,
    verdict: &'static str,
    code: Option<&'static str>,
    rule: Option<String>,
    reason: String,
    class: &'static str,
    command: String,
    reads: Vec<String>,
    writes: Vec<String>,
    functions: Vec<String>,
    session: Vec<String>,
    egress: Vec<String>,
    obligations: Limits,
    sqlstate: Option<&'static str>,
    #[serde(skip)]
    refusal: Option<Refusal>,
}

/// Obligations by the names rules give them; what is unlimited is left out.
#[derive(Debug, Default, Serialize)]
struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_rows: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrent: Option<u64>,
}

impl Limits {
    fn of(obligations: &Obligations) -> Self {
        Self {
            rows: obligations.rows.map(|n| n.get()),
            on_rows: obligations.rows.map(|_| obligations.on_rows.as_str()),
            bytes: obligations.bytes.map(|n| n.get()),
            cost: obligations.cost,
            seconds: obligations.seconds.map(|n| n.get()),
            concurrent: obligations.concurrent.map(|n| n.get()),
        }
    }
}

/// The statements of one text are one session, in order.
fn judge(text: &str, arguments: &Arguments, config: &Config, basis: &Basis<'_>) -> Vec<Verdict> {
    let rules = basis.rules;
    let bounds = &config.bounds;
    let scope_bounds = ScopeBounds {
        prepared_max: bounds.prepared_max.get(),
        cursors_max: bounds.portals_max.get(),
        temp_relations_max: bounds.temp_relations_max.get(),
        savepoints_max: bounds.portals_max.get(),
    };
    let path = arguments.search_path.as_ref().unwrap_or(&config.session.search_path);
    let principal = principal(arguments, rules);
    let mut logins = config.upstream.logins.iter();
    let login = logins.find(|login| matches(&login.subject, &principal, rules));
    let mut scope =
        Scope::new(login.map_or("", |login| &login.user), &config.upstream.database, path, scope_bounds);
    scope.go_by(basis.catalog);
    let text_bounds = bounds.text();
    let limits = obligations(&principal, rules);
    match one_by_one(text, scope, &text_bounds) {
        Ok(statements) => {
            let mut views = Views::default();
            let judged = statements.iter().enumerate().map(|(at, statement)| {
                let facts = &statement.facts;
                let by_rules = decide(&principal, facts, basis);
                let decision = match (views.objection(facts, &principal), by_rules) {
                    (Some(denial), Decision::Allow(_)) => Decision::Deny(denial),
                    (_, decision) => decision,
                };
                views.apply(facts);
                verdict(at + 1, statement, decision, &limits)
            });
            judged.collect()
        }
        Err(fault) => vec![not_understood(text, &fault, &limits)],
    }
}

/// As if each statement were sent by itself and succeeded.
fn one_by_one(text: &str, mut scope: Scope, bounds: &TextBounds) -> Result<Vec<Statement>, NotUnderstood> {
    let mut found = Vec::new();
    for statement in understand(text, &scope, bounds)? {
        for statement in understand(&statement.text, &scope, bounds)? {
            // What would not fit is refused by the gate; nothing behind it means anything else for that.
            let _ = scope.apply(&statement.facts);
            scope.settle();
            found.push(statement);
        }
    }
    Ok(found)
}

fn principal(arguments: &Arguments, rules: &RuleSet) -> Principal {
    let account = rules.accounts.get(&arguments.principal);
    let mut groups = account.map(|account| account.groups.clone()).unwrap_or_default();
    groups.extend(arguments.groups.iter().map(|group| group.trim_start_matches("group:").to_owned()));
    Principal {
        name: arguments.principal.clone(),
        kind: if account.is_some() { PrincipalKind::Service } else { PrincipalKind::Person },
        auth: Auth::Assumed,
        groups,
        claims: arguments.claims.iter().cloned().collect::<BTreeMap<_, _>>(),
        expires_at: None,
    }
}

fn verdict(n: usize, statement: &Statement, decision: Decision, limits: &Obligations) -> Verdict {
    let facts = &statement.facts;
    let shown = Verdict {
        n,
        sql: statement.text.to_string(),
        verdict: "allow",
        code: None,
        rule: None,
        reason: String::new(),
        class: facts.class.as_str(),
        command: facts.command.clone(),
        reads: facts.reads.iter().map(ToString::to_string).collect(),
        writes: facts.targets().iter().map(ToString::to_string).collect(),
        functions: facts.functions.iter().cloned().collect(),
        session: facts
            .session
            .iter()
            .map(|change| format!("{}={}", change.setting, change.values.join(",")))
            .collect(),
        egress: facts.egress.iter().map(|egress| egress.place.clone()).collect(),
        obligations: Limits::of(limits),
        sqlstate: None,
        refusal: None,
    };
    match decision {
        Decision::Allow(permit) => Verdict {
            rule: permit.rule().map(ToString::to_string),
            reason: permit.reason().to_owned(),
            ..shown
        },
        Decision::Deny(denial) => Verdict {
            verdict: "deny",
            code: denial.refusal.code.map(Code::as_str),
            rule: denial.rule.map(|rule| rule.to_string()),
            reason: denial.reason,
            sqlstate: Some(denial.refusal.sqlstate),
            refusal: Some(denial.refusal),
            ..shown
        },
    }
}

fn not_understood(text: &str, fault: &NotUnderstood, limits: &Obligations) -> Verdict {
    let code = Code::NotUnderstood;
    Verdict {
        n: 1,
        sql: text.to_owned(),
        verdict: "deny",
        code: Some(code.as_str()),
        rule: None,
        reason: fault.to_string(),
        class: "unknown",
        command: String::new(),
        reads: Vec::new(),
        writes: Vec::new(),
        functions: Vec::new(),
        session: Vec::new(),
        egress: Vec::new(),
        obligations: Limits::of(limits),
        sqlstate: Some(code.sqlstate()),
        refusal: Some(unread(text, fault)),
    }
}

fn print(verdict: &Verdict) {
    let sql: String = verdict.sql.split_whitespace().collect::<Vec<_>>().join(" ");
    println!("{}. {} {sql}", verdict.n, verdict.verdict.to_uppercase());
    match &verdict.refusal {
        Some(refusal) => {
            println!("   ERROR:  {}", refusal.message);
            for (name, text) in [("DETAIL", &refusal.detail), ("HINT", &refusal.hint)] {
                if let Some(text) = text {
                    println!("   {name}:  {text}");
                }
            }
        }
        None => {
            let rule = verdict.rule.as_deref().map(|rule| format!(" ({rule})")).unwrap_or_default();
            println!("   {}{rule}", verdict.reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn example(name: &str, groups: &[&str], sql: &str) -> Vec<Verdict> {
        let config = config::load_without_secrets(Path::new("tollgate.yaml")).unwrap();
        let rules = config::rules::load(&config).unwrap();
        let arguments = Arguments {
            config: ConfigPath { config: "tollgate.yaml".into() },
            principal: name.to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            claims: Vec::new(),
            search_path: None,
            catalog: None,
            format: Format::Json,
            file: "-".into(),
        };
        judge(sql, &arguments, &config, &Basis::of(&rules))
    }

    fn ana(sql: &str) -> Vec<Verdict> {
        example("ana@opetence.example", &["orders-analysts"], sql)
    }

    #[test]
    fn the_keys_stand_in_the_order_of_the_contract() {
        let judged = ana("INSERT INTO orders.daily SELECT * FROM orders.orders");
        let line = serde_json::to_string(&judged[0]).unwrap();
        let keys = [
            "n",
            "sql",
            "verdict",
            "code",
            "rule",
            "reason",
            "class",
            "command",
            "reads",
            "writes",
            "functions",
            "session",
            "egress",
            "obligations",
            "sqlstate",
        ];
        let at: Vec<usize> = keys.iter().map(|key| line.find(&format!("\"{key}\":")).unwrap()).collect();
        assert!(at.is_sorted(), "{line}");
        assert!(line.contains(r#""code":"official_write","rule":"rules/domains/orders.yaml:"#), "{line}");
        assert!(line.contains(r#""reads":["orders.orders"],"writes":["orders.daily"]"#), "{line}");
        assert!(line.ends_with(r#""sqlstate":"42501"}"#), "{line}");
    }

    #[test]
    fn statements_of_one_text_are_one_session_judged_singly() {
        let judged =
            ana("SET search_path TO orders; DROP TABLE daily; CREATE TABLE sandbox_orders.t (a int)");
        let verdicts: Vec<&str> = judged.iter().map(|one| one.verdict).collect();
        assert_eq!(verdicts, ["allow", "deny", "allow"]);
        assert_eq!(judged[0].session, ["search_path=orders"]);
        assert_eq!(judged[1].writes, ["orders.daily"]);
        assert_eq!(judged[1].n, 2);
    }

    #[test]
    fn a_text_that_is_not_understood_is_one_denial() {
        for text in ["SELECT 1; SELEC 2", "SELECT 'open", "\u{0}"] {
            let judged = ana(text);
            assert_eq!(judged.len(), 1, "{text}");
            assert_eq!((judged[0].code, judged[0].class), (Some("not_understood"), "unknown"), "{text}");
        }
        assert!(ana(" ;; -- nothing\n").is_empty());
    }

    #[test]
    fn the_example_company_reads_everywhere_and_writes_at_home() {
        for (sql, code) in [
            ("SELECT * FROM finances.invoices", None),
            ("CREATE TABLE sandbox_orders.t AS SELECT * FROM users.users", None),
            ("CREATE TABLE sandbox_users.t (a int)", Some("sandbox_foreign")),
            ("CREATE TABLE public.t (a int)", Some("unlisted_write")),
            ("CREATE TEMP TABLE t (a int)", None),
            ("CREATE TEMP TABLE t (a int); DROP TABLE t", None),
            ("LOCK TABLE orders.daily", Some("official_write")),
            ("VACUUM", Some("unlisted_write")),
            ("GRANT SELECT ON orders.daily TO bob", Some("privilege_change")),
            ("UNLOAD ('select 1') TO 's3://b/' IAM_ROLE default", Some("egress")),
            ("SELECT pg_terminate_backend(1)", Some("restricted_function")),
            ("SET enable_case_sensitive_identifier TO true", Some("session_change")),
        ] {
            let judged = ana(sql);
            assert_eq!(judged.last().unwrap().code, code, "{sql}: {:?}", judged.last());
        }
        assert_eq!(example("dbt_prod", &[], "TRUNCATE orders.daily")[0].code, None);
        assert_eq!(
            example("redash", &[], "CREATE TABLE sandbox_orders.t (a int)")[0].code,
            Some("sandbox_foreign")
        );
    }
}
