//! Rule files to a [`RuleSet`], checked whole: every problem of every file is told.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use super::rule::{
    AccountAuth, AccountRule, Domain, EndUserSource, FunctionDefault, LimitRule, Listed, ReadPosture,
    RuleSet, Sandbox, SecretRef, Subject, TokenRule,
};
use super::{Obligations, OnRows, Place};
use crate::document::{self, Fields, Problem, Problems, Value};

/// One rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// As the user would type it: `rules/domains/orders.yaml`.
    pub path: Arc<str>,
    pub text: String,
}

/// Reads the company's file and the domains'. The company's is the one named `company.yaml` outside of
/// the folder `domains`, which others own.
pub fn parse(files: &[RuleFile]) -> Result<RuleSet, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut rules = RuleSet::empty(Place { file: "company.yaml".into(), line: 1 });
    let mut company_seen = false;
    for file in files {
        let value = match document::parse(&file.path, &file.text) {
            Ok(value) => value,
            Err(problem) => {
                company_seen |= is_company(&file.path);
                problems.0.push(problem);
                continue;
            }
        };
        if is_company(&file.path) {
            company_seen = true;
            company(&value, &mut rules, &mut problems);
        } else if let Some(domain) = domain(&value, stem(&file.path), &mut problems) {
            rules.domains.push(domain);
        }
    }
    if !company_seen {
        problems.tell(&rules.posture_place.clone(), "company.yaml", "the company's rule file is missing");
    }
    super::check::across(&rules, &mut problems);
    if problems.0.is_empty() { Ok(rules) } else { Err(problems.0) }
}

fn is_company(path: &str) -> bool {
    stem(path) == "company" && path.rsplit('/').nth(1) != Some("domains")
}

fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(name)
}

fn company(value: &Value, rules: &mut RuleSet, problems: &mut Problems) {
    let mut fields = Fields::of(value, "company", problems);
    rules.posture_place = value.place.clone();
    if let Some(posture) = fields.take("posture") {
        posture_of(posture, rules, problems);
    }
    if let Some(accounts) = fields.take("accounts") {
        for (name, place, account) in problems.entries(accounts, "accounts") {
            if let Some(account) = account_of(name, place, account, problems) {
                rules.accounts.insert(name.clone(), account);
            }
        }
    }
    if let Some(tokens) = fields.take("tokens") {
        let tokens = problems.items(tokens, "tokens").iter();
        rules.tokens = tokens.filter_map(|token| token_of(token, problems)).collect();
    }
    if let Some(groups) = fields.take("groups") {
        for (group, _, members) in problems.entries(groups, "groups") {
            let members = problems.texts(members, group).into_iter().map(|(name, _)| name).collect();
            rules.groups.insert(group.clone(), members);
        }
    }
    match fields.need("limits", problems) {
        Some(limits) => {
            let limits = problems.items(limits, "limits").iter();
            rules.limits = limits.filter_map(|limit| limit_of(limit, problems)).collect();
        }
        None => rules.limits.clear(),
    }
    if let Some(functions) = fields.take("functions") {
        let mut fields = Fields::of(functions, "functions", problems);
        rules.functions_default = function_default(fields.take("default"), problems);
        rules.functions_allowed = listed(fields.take("allow"), "functions.allow", problems);
        rules.functions_denied = listed(fields.take("deny"), "functions.deny", problems);
        fields.end(problems);
    }
    rules.procedures_allowed = allowed(&mut fields, "procedures", problems);
    rules.settings_allowed = allowed(&mut fields, "session", problems);
    fields.later("egress", problems);
    fields.later("budgets", problems);
    fields.end(problems);
}

fn function_default(value: Option<&Value>, problems: &mut Problems) -> FunctionDefault {
    let Some(value) = value else { return FunctionDefault::Deny };
    match problems.text(value, "default").as_deref() {
        Some("deny_volatile") => return FunctionDefault::DenyVolatile,
        Some("deny") | None => {}
        Some(other) => {
            problems.tell_mend(&value.place, other, "unknown default", "`deny` or `deny_volatile`");
        }
    }
    FunctionDefault::Deny
}

fn allowed(fields: &mut Fields<'_>, key: &'static str, problems: &mut Problems) -> BTreeMap<String, Listed> {
    let Some(value) = fields.take(key) else { return BTreeMap::new() };
    let mut inner = Fields::of(value, key, problems);
    let found = listed(inner.take("allow"), key, problems);
    inner.end(problems);
    found
}

fn listed(value: Option<&Value>, what: &str, problems: &mut Problems) -> BTreeMap<String, Listed> {
    let Some(value) = value else { return BTreeMap::new() };
    problems
        .texts(value, what)
        .into_iter()
        .map(|(name, place)| (name.to_ascii_lowercase(), Listed { place }))
        .collect()
}

fn posture_of(value: &Value, rules: &mut RuleSet, problems: &mut Problems) {
    let mut fields = Fields::of(value, "posture", problems);
    if let Some(read) = fields.take("read") {
        rules.posture_place = read.place.clone();
        match problems.text(read, "read").as_deref() {
            Some("allow") => rules.read = ReadPosture::Allow,
            Some("deny") => rules.read = ReadPosture::Deny,
            Some(other) => problems.tell_mend(&read.place, other, "no posture", "`allow` or `deny`"),
            None => {}
        }
    }
    fields.end(problems);
}

fn account_of(name: &str, place: &Place, value: &Value, problems: &mut Problems) -> Option<AccountRule> {
    let mut fields = Fields::of(value, name, problems);
    let auth = match fields.take("auth").and_then(|auth| Some((problems.text(auth, "auth")?, &auth.place))) {
        None => AccountAuth::Scram,
        Some((text, place)) => match text.as_str() {
            "scram" => AccountAuth::Scram,
            "password" => AccountAuth::Password,
            other => {
                problems.tell_mend(place, other, "unknown way to log in", "`scram` or `password`");
                AccountAuth::Scram
            }
        },
    };
    let verifier = fields.need("verifier", problems);
    let verifier = verifier.and_then(|value| secret_ref(value, problems));
    let groups = fields.take("groups").map(|groups| problems.texts(groups, "groups")).unwrap_or_default();
    let end_user = fields.take("end_user").and_then(|source| {
        let text = problems.text(source, "end_user")?;
        match text.as_str() {
            "redash_comment" => Some(EndUserSource::RedashComment),
            "initial_sql" => Some(EndUserSource::InitialSql),
            _ => {
                let mend = "`redash_comment` or `initial_sql`";
                problems.tell_mend(&source.place, text, "unknown source of end users", mend);
                None
            }
        }
    });
    fields.end(problems);
    if name.contains('@') {
        problems.tell(place, name, "an account's name has no `@`: persons come with tokens");
    }
    let groups = groups.into_iter().map(|(group, _)| group).collect();
    Some(AccountRule {
        name: name.to_owned(),
        auth,
        verifier: verifier?,
        groups,
        end_user,
        place: place.clone(),
    })
}

fn secret_ref(value: &Value, problems: &mut Problems) -> Option<SecretRef> {
    let text = problems.text(value, "verifier")?;
    if let Some(name) = text.strip_prefix("env:").filter(|name| !name.is_empty()) {
        Some(SecretRef::Env(name.to_owned()))
    } else if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
        Some(SecretRef::File(path.to_owned()))
    } else if is_verifier(&text) {
        Some(SecretRef::Verifier(text))
    } else {
        // Whatever stands here may be a password: it is not shown.
        let mend = "`env:NAME`, `file:PATH`, or what `tollgate hash-password` prints";
        problems.tell_mend(&value.place, "verifier", "no reference and no SCRAM verifier", mend);
        None
    }
}

/// `SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER` (PostgreSQL, `pg_authid`).
fn is_verifier(text: &str) -> bool {
    let base64 = |part: &str| {
        part.len() >= 4 && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    let parts = text.strip_prefix("SCRAM-SHA-256$").and_then(|rest| {
        let (first, second) = rest.split_once('$')?;
        Some((first.split_once(':')?, second.split_once(':')?))
    });
    parts.is_some_and(|((iterations, salt), (stored, server))| {
        iterations.parse::<NonZeroU32>().is_ok() && [salt, stored, server].into_iter().all(base64)
    })
}

fn token_of(value: &Value, problems: &mut Problems) -> Option<TokenRule> {
    let mut fields = Fields::of(value, "tokens", problems);
    let mut text = |key: &'static str, problems: &mut Problems| {
        let value = fields.need(key, problems)?;
        problems.text(value, key)
    };
    let issuer = text("issuer", problems);
    let audience = text("audience", problems);
    let principal_claim = text("principal", problems);
    let keys = fields.need("keys", problems);
    let keys_file = keys.and_then(|keys| {
        let mut inner = Fields::of(keys, "keys", problems);
        inner.later("url", problems);
        let file = inner.take("file").and_then(|file| problems.text(file, "file"));
        inner.end(problems);
        file
    });
    let groups_claim = fields.take("groups").and_then(|claim| problems.text(claim, "groups"));
    fields.end(problems);
    Some(TokenRule {
        issuer: issuer?,
        audience: audience?,
        keys_file: keys_file?,
        principal_claim: principal_claim?,
        groups_claim,
        place: value.place.clone(),
    })
}

/// `everyone`, `group:NAME`, or a name.
pub fn subject(text: &str) -> Subject {
    match (text, text.strip_prefix("group:")) {
        ("everyone", _) => Subject::Everyone,
        (_, Some(group)) => Subject::Group(group.to_owned()),
        (name, None) => Subject::Name(name.to_owned()),
    }
}

fn limit_of(value: &Value, problems: &mut Problems) -> Option<LimitRule> {
    let mut fields = Fields::of(value, "limits", problems);
    let subject = fields.need("for", problems).and_then(|value| problems.text(value, "for"));
    let on_rows = match fields
        .take("on_rows")
        .and_then(|value| Some((problems.text(value, "on_rows")?, value)))
    {
        None => OnRows::Truncate,
        Some((text, value)) => match text.as_str() {
            "truncate" => OnRows::Truncate,
            "error" => OnRows::Error,
            _ => {
                problems.tell_mend(&value.place, text, "unknown end of a result", "`truncate` or `error`");
                OnRows::Truncate
            }
        },
    };
    let obligations = Obligations {
        rows: number(fields.take("rows"), "rows", count, problems),
        on_rows,
        bytes: number(fields.take("bytes"), "bytes", size, problems),
        cost: number(fields.take("cost"), "cost", cost, problems),
        seconds: number(fields.take("seconds"), "seconds", count, problems),
        concurrent: number(fields.take("concurrent"), "concurrent", count, problems),
        place: Some(value.place.clone()),
    };
    fields.later("per_day", problems);
    fields.end(problems);
    Some(LimitRule { subject: self::subject(&subject?), obligations })
}

/// A bound, or `None` for `unlimited` and where nothing is said.
fn number<T>(
    value: Option<&Value>,
    what: &str,
    read: impl Fn(&str) -> Option<T>,
    problems: &mut Problems,
) -> Option<T> {
    let value = value?;
    let text = problems.text(value, what)?;
    if text == "unlimited" {
        return None;
    }
    let found = read(&text);
    if found.is_none() {
        problems.tell_mend(
            &value.place,
            text,
            format!("no bound for `{what}`"),
            "a number above 0, or `unlimited`",
        );
    }
    found
}

fn count(text: &str) -> Option<NonZeroU64> {
    text.replace('_', "").parse().ok()
}

fn cost(text: &str) -> Option<f64> {
    text.replace('_', "").parse().ok().filter(|cost: &f64| cost.is_finite() && *cost > 0.0)
}

/// `500MB`, `16MiB`, or plain bytes.
pub fn size(text: &str) -> Option<NonZeroU64> {
    let text = text.replace('_', "");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    NonZeroU64::new(number.parse::<u64>().ok()?.checked_mul(factor)?)
}

fn domain(value: &Value, stem: &str, problems: &mut Problems) -> Option<Domain> {
    let mut fields = Fields::of(value, "domain", problems);
    let place = value.place.clone();
    let name =
        fields.need("domain", problems).and_then(|value| Some((problems.text(value, "domain")?, value)));
    if let Some((name, value)) = &name
        && name != stem
    {
        problems.tell(&value.place, name.clone(), format!("a domain is named as its file, `{stem}`"));
    }
    let owner = fields.take("owner").and_then(|value| problems.text(value, "owner"));
    let official = fields.need("official", problems);
    let official = official.map(|value| schemas(value, problems)).unwrap_or_default();
    let stewards = fields.take("stewards").map(|value| problems.texts(value, "stewards")).unwrap_or_default();
    let sandbox = fields.take("sandbox").and_then(|value| sandbox_of(value, problems));
    let ticket = fields.take("ticket").and_then(|value| problems.text(value, "ticket"));
    fields.later("tables", problems);
    fields.end(problems);
    Some(Domain {
        name: name?.0,
        owner,
        official,
        stewards: stewards.into_iter().map(|(text, place)| (subject(&text), place)).collect(),
        sandbox,
        ticket,
        place,
    })
}

fn schemas(value: &Value, problems: &mut Problems) -> Vec<(String, Place)> {
    let named = problems.texts(value, "official");
    named.into_iter().map(|(name, place)| (name.to_ascii_lowercase(), place)).collect()
}

fn sandbox_of(value: &Value, problems: &mut Problems) -> Option<Sandbox> {
    let mut fields = Fields::of(value, "sandbox", problems);
    let schema = fields.need("schema", problems).and_then(|value| problems.text(value, "schema"));
    let members = fields.need("members", problems).map(|value| problems.texts(value, "members"));
    fields.end(problems);
    let members = members.unwrap_or_default().into_iter().map(|(text, _)| subject(&text)).collect();
    Some(Sandbox { schema: schema?.to_ascii_lowercase(), members, place: value.place.clone() })
}
