//! The decision: principal, facts and rules to a verdict with its reason. Deny wins, doubt is deny.

use super::check::is_system;
use super::decision::{Decision, Denial, Obligations, Permit, Place};
use super::explain;
use super::rule::{Domain, ReadPosture, RuleSet};
use super::settings::objection;
use super::subject::{is_member, is_steward, obligations};
use super::{Basis, Principal};
use crate::refusal::{Code, Refusal};
use crate::sql::{Class, Facts, FunctionRisk, Relation, risk};

/// Judges one statement.
pub fn decide(principal: &Principal, facts: &Facts, basis: &Basis<'_>) -> Decision {
    let rules = basis.rules;
    let obligations = obligations(principal, rules);
    let case = Case { principal, facts, rules, basis };
    match case.objection(&obligations) {
        Some(objection) => Decision::Deny(objection.into_denial(principal)),
        None => {
            let (rule, reason) = case.grounds();
            Decision::Allow(Permit::new(obligations, rule, reason))
        }
    }
}

/// One statement before its judge.
pub(super) struct Case<'a> {
    pub principal: &'a Principal,
    pub facts: &'a Facts,
    pub rules: &'a RuleSet,
    pub basis: &'a Basis<'a>,
}

/// Why not.
pub(super) struct Objection {
    pub code: Code,
    pub rule: Option<Place>,
    pub reason: String,
    pub hint: String,
}

impl Objection {
    fn into_denial(self, principal: &Principal) -> Denial {
        let detail = match &self.rule {
            Some(rule) => format!("{}, rule {rule}", principal.name),
            None => principal.name.clone(),
        };
        let refusal = Refusal::by(self.code, &self.reason).with_detail(detail).with_hint(self.hint);
        Denial { refusal, rule: self.rule, reason: self.reason }
    }
}

impl Case<'_> {
    /// The first objection, gravest first.
    fn objection(&self, obligations: &Obligations) -> Option<Objection> {
        self.doubt()
            .or_else(|| self.by_class())
            .or_else(|| self.egress())
            .or_else(|| self.beyond())
            .or_else(|| self.functions())
            .or_else(|| self.signals())
            .or_else(|| self.session(obligations))
            .or_else(|| self.targets())
            .or_else(|| self.views())
            .or_else(|| self.cascades())
            .or_else(|| self.reads())
    }

    fn doubt(&self) -> Option<Objection> {
        let doubt = self.facts.doubts.first()?;
        Some(explain::not_understood(doubt))
    }

    fn by_class(&self) -> Option<Objection> {
        match self.facts.class {
            Class::Unknown => Some(explain::not_understood("its kind is not known")),
            Class::Dcl => Some(explain::privilege(&self.facts.command)),
            Class::Call => self.call(),
            Class::Maintenance | Class::Write | Class::Ddl => self.unaimed(),
            Class::Read | Class::Transaction | Class::Session | Class::Egress => None,
        }
    }

    /// A change that names nothing (VACUUM alone) reaches everything.
    fn unaimed(&self) -> Option<Objection> {
        let facts = self.facts;
        let aimed = facts.changed().next().is_some()
            || !facts.drops_temp.is_empty()
            || !facts.functions.is_empty()
            || !facts.signals.is_empty()
            || facts.beyond.is_some();
        (!aimed).then(|| explain::unaimed(&facts.command))
    }

    /// What no schema holds is nobody's to change by a rule.
    fn beyond(&self) -> Option<Objection> {
        self.facts.beyond.as_deref().map(|kind| explain::beyond(&self.facts.command, kind))
    }

    /// A procedure's body is not seen: it runs by name alone.
    fn call(&self) -> Option<Objection> {
        let mut names = self.facts.functions.iter().peekable();
        let named = names.peek().is_some();
        let allowed = |name: &String| {
            self.rules.procedures_allowed.contains_key(name) || risk(name) == FunctionRisk::Harmless
        };
        (!named || !names.all(allowed)).then(|| explain::call(self.facts))
    }

    fn egress(&self) -> Option<Objection> {
        let leaves = self.facts.class == Class::Egress || !self.facts.egress.is_empty();
        leaves.then(|| explain::egress(self.facts))
    }

    fn functions(&self) -> Option<Objection> {
        self.facts.functions.iter().find_map(|name| {
            if let Some(place) = self.denied(name) {
                return Some(explain::function(name, "the rules deny it", Some(place)));
            }
            if self.rules.functions_allowed.contains_key(name)
                || (self.facts.class == Class::Call && self.rules.procedures_allowed.contains_key(name))
            {
                return None;
            }
            if self.facts.settled.contains(name) {
                return None;
            }
            match risk(name) {
                FunctionRisk::Harmless => None,
                FunctionRisk::Effect(effect) => Some(explain::function(name, effect, None)),
                FunctionRisk::Unknown => self.unvouched(name).map(|why| explain::function(name, &why, None)),
            }
        })
    }

    /// One's own sessions may be ended, nobody else's.
    fn signals(&self) -> Option<Objection> {
        let foreign = |process: &&i32| !(self.basis.own_backend)(self.principal, **process);
        self.facts.signals.iter().find(foreign).map(|process| explain::signal(*process))
    }

    /// A name without schema, in the rules or in the call, may mean any schema's.
    fn denied(&self, name: &str) -> Option<Place> {
        let (schema, bare) = schema_and_name(name);
        let means = |listed: &str| {
            let (listed_schema, listed_bare) = schema_and_name(listed);
            listed_bare == bare && (schema.is_none() || listed_schema.is_none() || schema == listed_schema)
        };
        let mut denied = self.rules.functions_denied.iter();
        denied.find(|(listed, _)| means(listed)).map(|(_, listed)| listed.place.clone())
    }

    fn session(&self, obligations: &Obligations) -> Option<Objection> {
        let objects = |change| objection(change, self.principal, self.rules, obligations);
        self.facts.session.iter().find_map(objects).map(|objection| explain::session(&objection))
    }

    fn targets(&self) -> Option<Objection> {
        self.facts.targets().into_iter().chain(&self.facts.locks).find_map(|target| self.target(target))
    }

    /// Whether the principal may change this relation.
    pub(super) fn target(&self, target: &Relation) -> Option<Objection> {
        if target.is_temp() {
            return None;
        }
        let unlisted = || Some(explain::unlisted(self.facts, target, self.principal, self.rules));
        if target.database.is_some() || is_system(&target.schema) {
            return unlisted();
        }
        let Some(domain) = self.rules.domain_of(&target.schema) else { return unlisted() };
        if is_steward(domain, self.principal, self.rules) {
            return None;
        }
        match official_place(domain, &target.schema) {
            Some(place) => {
                Some(explain::official(self.facts, target, domain, place, self.principal, self.rules))
            }
            None if !is_member(domain, self.principal, self.rules) => {
                Some(explain::foreign(self.facts, target, domain, self.principal, self.rules))
            }
            // The schema itself is the data team's; what is in it is the team's.
            None if target.name == "*" => Some(explain::sandbox_itself(self.facts, target, domain)),
            None => None,
        }
    }

    fn reads(&self) -> Option<Objection> {
        match self.rules.read {
            ReadPosture::Allow => None,
            ReadPosture::Deny => self
                .facts
                .reads
                .iter()
                .find(|read| !self.may_read(read))
                .map(|read| explain::read(read, self.rules)),
        }
    }

    fn may_read(&self, read: &Relation) -> bool {
        let free = read.is_temp() || (read.database.is_none() && is_system(&read.schema));
        free || read.database.is_none()
            && self.rules.domain_of(&read.schema).is_some_and(|domain| {
                is_steward(domain, self.principal, self.rules)
                    || is_member(domain, self.principal, self.rules)
            })
    }

    /// The rule that lets it through, and why, in words.
    fn grounds(&self) -> (Option<Place>, String) {
        let permanent = self.facts.targets().into_iter().find(|target| !target.is_temp());
        match permanent {
            Some(target) => match self.rules.domain_of(&target.schema) {
                Some(domain) => match (official_place(domain, &target.schema), &domain.sandbox) {
                    (Some(place), _) => (
                        Some(place.clone()),
                        format!("a steward of {} writes its official schema", domain.name),
                    ),
                    (None, Some(sandbox)) => (
                        Some(sandbox.place.clone()),
                        format!("the sandbox of {} is free for its team", domain.name),
                    ),
                    (None, None) => (Some(domain.place.clone()), format!("written by {}", domain.name)),
                },
                None => (None, "nothing permanent is changed".to_owned()),
            },
            None if self.facts.reads.is_empty() => (None, "nothing permanent is read or changed".to_owned()),
            None => (Some(self.rules.posture_place.clone()), "reads are allowed".to_owned()),
        }
    }
}

pub(super) fn schema_and_name(name: &str) -> (Option<&str>, &str) {
    name.rsplit_once('.').map_or((None, name), |(schema, bare)| (Some(schema), bare))
}

fn official_place<'a>(domain: &'a Domain, schema: &str) -> Option<&'a Place> {
    domain.official.iter().find(|(name, _)| name == schema).map(|(_, place)| place)
}
