//! Accounts and token keys of one generation of rules, and the ways to log in.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use aws_lc_rs::rand;

use super::scram::Verifier;
use super::token::{self, TokenKeys};
use crate::policy::{
    AccountAuth, AccountRule, Auth, Place, Principal, PrincipalKind, Problem, RuleSet, SecretRef, TokenRule,
};

/// A login that failed. The client sees one text for all of them; the reason is for the auditor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginError {
    user: String,
    reason: String,
}

impl LoginError {
    pub fn new(user: &str, reason: impl fmt::Display) -> Self {
        Self { user: user.to_owned(), reason: reason.to_string() }
    }

    /// PostgreSQL's own words, with SQLSTATE 28P01.
    pub fn client_message(&self) -> String {
        format!("password authentication failed for user \"{}\"", self.user)
    }

    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// What a client is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Scram,
    /// The account's password, inside TLS.
    Password,
    /// A person's token in the password's place, inside TLS.
    TokenPassword,
    Refused(&'static str),
}

#[derive(Debug)]
struct Account {
    rule: AccountRule,
    verifier: Verifier,
}

/// Who may log in, and how.
pub struct Directory {
    accounts: BTreeMap<String, Account>,
    tokens: Vec<TokenKeys>,
    mock_secret: [u8; 32],
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("accounts", &self.accounts.keys()).finish_non_exhaustive()
    }
}

impl Directory {
    /// Looks up verifiers and keys that the rules refer to. Paths are relative to `base`.
    pub fn load(
        rules: &RuleSet,
        base: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut accounts = BTreeMap::new();
        for rule in rules.accounts.values() {
            match verifier(rule, base, env) {
                Ok(verifier) => {
                    accounts.insert(rule.name.clone(), Account { rule: rule.clone(), verifier });
                }
                Err(problem) => problems.push(problem),
            }
        }
        let mut tokens = Vec::new();
        for rule in &rules.tokens {
            match keys(rule, base) {
                Ok(keys) => tokens.push(keys),
                Err(problem) => problems.push(problem),
            }
        }
        let mut mock_secret = [0; 32];
        if rand::fill(&mut mock_secret).is_err() {
            problems.push(problem(&rules.posture_place, "", "no randomness to be had"));
        }
        if problems.is_empty() { Ok(Self { accounts, tokens, mock_secret }) } else { Err(problems) }
    }

    /// What `user` is asked for. A name with `@` is a person's; any other that is no account is asked as
    /// an account would be, so that the question tells nothing.
    pub fn method(&self, user: &str, tls: bool, aws_driver: bool) -> Method {
        let person = user.is_empty() || user.contains('@');
        match self.accounts.get(user).map(|account| account.rule.auth) {
            Some(AccountAuth::Password) if !tls => Method::Refused("a password would be sent without TLS"),
            Some(AccountAuth::Password) => Method::Password,
            None if person && !tls => Method::Refused("a token would be sent without TLS"),
            None if person => Method::TokenPassword,
            Some(AccountAuth::Scram) | None if aws_driver && tls => Method::Password,
            Some(AccountAuth::Scram) | None => Method::Scram,
        }
    }

    /// The verifier of an account, or one that no password fits.
    pub fn scram(&self, user: &str) -> Verifier {
        match self.accounts.get(user) {
            Some(account) => account.verifier.clone(),
            None => Verifier::mock(user, &self.mock_secret),
        }
    }

    /// The account by SCRAM, once that has succeeded.
    pub fn principal_of_account(&self, user: &str) -> Option<Principal> {
        Some(service(&self.accounts.get(user)?.rule, Auth::Scram))
    }

    /// An account's password or a person's token, sent inside TLS. `now` in Unix seconds.
    pub fn check_password(&self, user: &str, password: &str, now: i64) -> Result<Principal, LoginError> {
        if let Some(account) = self.accounts.get(user) {
            return if account.verifier.check_password(password) {
                Ok(service(&account.rule, Auth::Password))
            } else {
                Err(LoginError::new(user, "the password does not fit"))
            };
        }
        if !user.is_empty() && !user.contains('@') {
            // As long as a wrong password takes.
            let _ = Verifier::mock(user, &self.mock_secret).check_password(password);
            return Err(LoginError::new(user, "no such account"));
        }
        let person = token::principal(&self.tokens, password, user, now);
        let person = person.map_err(|fault| LoginError::new(user, fault))?;
        // A token must not speak for an account, whatever its issuer puts into it.
        if self.accounts.contains_key(&person.name) {
            return Err(LoginError::new(user, "the token names a service account"));
        }
        Ok(person)
    }
}

fn service(rule: &AccountRule, auth: Auth) -> Principal {
    Principal {
        name: rule.name.clone(),
        kind: PrincipalKind::Service,
        auth,
        groups: rule.groups.clone(),
        claims: BTreeMap::new(),
        expires_at: None,
    }
}

fn verifier(
    rule: &AccountRule,
    base: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Verifier, Problem> {
    let (shown, text) = match &rule.verifier {
        SecretRef::Verifier(text) => ("verifier".to_owned(), Ok(text.clone())),
        SecretRef::Env(name) => {
            (format!("env:{name}"), env(name).ok_or("this environment variable is not set".to_owned()))
        }
        SecretRef::File(path) => {
            let read =
                fs::read_to_string(base.join(path)).map_err(|error| format!("cannot be read: {error}"));
            (format!("file:{path}"), read)
        }
    };
    let text = text.map_err(|message| problem(&rule.place, &shown, &message))?;
    Verifier::parse(&text).map_err(|_| {
        let mut problem = problem(&rule.place, &shown, "no SCRAM verifier stands there");
        problem.mend = Some("`tollgate hash-password` makes one".to_owned());
        problem
    })
}

fn keys(rule: &TokenRule, base: &Path) -> Result<TokenKeys, Problem> {
    let told = |message: String| problem(&rule.place, &rule.keys_file, &message);
    let text = fs::read_to_string(base.join(&rule.keys_file))
        .map_err(|error| told(format!("cannot be read: {error}")))?;
    TokenKeys::new(rule.clone(), &text).map_err(|error| told(format!("no JWKS: {error}")))
}

fn problem(place: &Place, text: &str, message: &str) -> Problem {
    Problem { place: place.clone(), text: text.to_owned(), message: message.to_owned(), mend: None }
}
