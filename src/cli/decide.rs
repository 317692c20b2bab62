//! `tollgate decide`: what would become of statements, without running them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use serde::Serialize;

use super::{ConfigPath, Format, could_not};
use crate::config::{self, Config};
use crate::policy::{Auth, Decision, Obligations, Principal, PrincipalKind, RuleSet, decide};
use crate::refusal::{Code, Refusal};
use crate::sql::{NotUnderstood, Scope, ScopeBounds, Statement, TextBounds, understand};

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
    /// A catalog snapshot.
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
    if arguments.catalog.is_some() {
        eprintln!("tollgate: `--catalog` is not supported yet: names are judged by themselves");
        return 2;
    }
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
    let text = match sql(arguments) {
        Ok(text) => text,
        Err(error) => return could_not(&error),
    };
    let mut allowed = true;
    for verdict in judge(&text, arguments, &config, &rules) {
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

fn sql(arguments: &Arguments) -> io::Result<String> {
    if arguments.file.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(&arguments.file)
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
fn judge(text: &str, arguments: &Arguments, config: &Config, rules: &RuleSet) -> Vec<Verdict> {
    let bounds = &config.bounds;
    let scope_bounds = ScopeBounds {
        prepared_max: bounds.prepared_max.get(),
        cursors_max: bounds.portals_max.get(),
        temp_relations_max: bounds.temp_relations_max.get(),
        savepoints_max: bounds.portals_max.get(),
    };
    let path = arguments.search_path.as_ref().unwrap_or(&config.session.search_path);
    let login = config.upstream.logins.last().map(|login| login.user.as_str()).unwrap_or_default();
    let scope = Scope::new(login, &config.upstream.database, path, scope_bounds);
    let text_bounds =
        TextBounds { bytes_max: bounds.statement_bytes_max.get(), depth_max: bounds.parse_depth_max.get() };
    let principal = principal(arguments, rules);
    match understand(text, &scope, &text_bounds) {
        Ok(statements) => statements
            .iter()
            .enumerate()
            .map(|(at, statement)| verdict(at + 1, statement, decide(&principal, &statement.facts, rules)))
            .collect(),
        Err(fault) => vec![not_understood(text, &fault)],
    }
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

fn verdict(n: usize, statement: &Statement, decision: Decision) -> Verdict {
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
        obligations: Limits::default(),
        sqlstate: None,
        refusal: None,
    };
    match decision {
        Decision::Allow(permit) => Verdict {
            rule: permit.rule().map(ToString::to_string),
            reason: permit.reason().to_owned(),
            obligations: Limits::of(permit.obligations()),
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

fn not_understood(text: &str, fault: &NotUnderstood) -> Verdict {
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
        obligations: Limits::default(),
        sqlstate: Some(code.sqlstate()),
        refusal: Some(Refusal::by(code, format_args!("this statement is not understood: {fault}"))),
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
