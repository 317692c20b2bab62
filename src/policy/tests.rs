use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::refusal::Code;
use crate::sql::{Class, Egress, Facts, Relation, SessionChange};

#[path = "evidence_tests.rs"]
mod evidence;

const COMPANY: &str = "\
accounts:
  tableau: { verifier: env:T, end_user: initial_sql }
  dbt_prod: { verifier: env:D, groups: [stewards] }
groups: { orders-analysts: [ana@x] }
limits:
  - { for: group:stewards, seconds: 3600 }
  - { for: everyone, rows: 100_000, bytes: 500MB, cost: 5e7, seconds: 120 }
functions: { allow: [lib.f], deny: [pg_catalog.version] }
procedures: { allow: [lib.p] }
session: { allow: [wlm_query_slot_count] }
";

const ORDERS: &str = "\
domain: orders
official: [Orders, orders_mart]
stewards: [dbt_prod]
sandbox: { schema: sandbox_orders, members: [group:orders-analysts] }
ticket: https://tickets/orders
";

const USERS: &str = "\
domain: users
official: [users]
sandbox: { schema: sandbox_users, members: [bob@x] }
";

fn file(path: &str, text: &str) -> RuleFile {
    RuleFile { path: path.into(), text: text.to_owned() }
}

fn read(company: &str, orders: &str) -> Result<RuleSet, Vec<Problem>> {
    parse(&[
        file("rules/company.yaml", company),
        file("rules/domains/orders.yaml", orders),
        file("rules/domains/users.yaml", USERS),
    ])
}

fn rules() -> RuleSet {
    read(COMPANY, ORDERS).unwrap()
}

fn who(name: &str, kind: PrincipalKind, groups: &[&str]) -> Principal {
    Principal {
        name: name.to_owned(),
        kind,
        auth: Auth::Assumed,
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        claims: Default::default(),
        expires_at: None,
    }
}

fn ana() -> Principal {
    who("ana@x", PrincipalKind::Person, &[])
}

fn account(name: &str) -> Principal {
    who(name, PrincipalKind::Service, &[])
}

fn write(relation: Relation) -> Facts {
    let mut facts = Facts::plain(Class::Write, "INSERT");
    facts.writes.insert(relation);
    facts
}

fn call(class: Class, name: &str) -> Facts {
    let mut facts = Facts::plain(class, "CALL");
    facts.functions.insert(name.to_owned());
    facts
}

fn set(setting: &str, values: &[&str]) -> Facts {
    let mut facts = Facts::plain(Class::Session, "SET");
    let values = values.iter().map(|&value| value.to_owned()).collect();
    facts.session.push(SessionChange { setting: setting.to_owned(), values, local: false });
    facts
}

#[track_caller]
fn denied(principal: &Principal, facts: &Facts, code: Code) -> Denial {
    match decide(principal, facts, &Basis::of(&rules())) {
        Decision::Deny(denial) => {
            assert_eq!(denial.refusal.code, Some(code), "{denial:?}");
            assert!(denial.refusal.hint.is_some(), "{denial:?}");
            denial
        }
        Decision::Allow(permit) => panic!("allowed: {permit:?}"),
    }
}

#[track_caller]
fn allowed(principal: &Principal, facts: &Facts) -> Obligations {
    match decide(principal, facts, &Basis::of(&rules())) {
        Decision::Allow(permit) => permit.obligations().clone(),
        Decision::Deny(denial) => panic!("denied: {denial:?}"),
    }
}

#[track_caller]
fn told(problems: Result<RuleSet, Vec<Problem>>, parts: &[&str]) {
    let problems: Vec<String> = problems.unwrap_err().iter().map(ToString::to_string).collect();
    for part in parts {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part} in {problems:#?}");
    }
    assert_eq!(problems.len(), parts.len(), "{problems:#?}");
}

#[test]
fn a_refused_write_says_what_who_which_rule_and_what_instead() {
    let denial = denied(&ana(), &write(Relation::new("orders", "daily")), Code::OfficialWrite);
    let refusal = denial.refusal;
    let message = "tollgate: writing to official schema \"orders\" is not allowed (INSERT INTO orders.daily)";
    assert_eq!(refusal.message, message);
    assert_eq!(refusal.detail.as_deref(), Some("ana@x, rule rules/domains/orders.yaml:2"));
    let hint = "Write to sandbox_orders, or ask for the change: https://tickets/orders";
    assert_eq!(refusal.hint.as_deref(), Some(hint));
}

#[test]
fn who_has_no_sandbox_is_told_whom_to_ask() {
    let bi = account("tableau");
    let told = denied(&bi, &write(Relation::new("sandbox_orders", "t")), Code::SandboxForeign).refusal;
    let message = "tollgate: writing to sandbox \"sandbox_orders\" is for the team of orders (INSERT INTO \
        sandbox_orders.t)";
    assert_eq!(told.message, message);
    assert_eq!(told.detail.as_deref(), Some("tableau, rule rules/domains/orders.yaml:4"));
    assert_eq!(told.hint.as_deref(), Some("Ask for the change: https://tickets/orders"));
    let told = denied(&bi, &write(Relation::new("public", "t")), Code::UnlistedWrite).refusal;
    assert_eq!(told.detail.as_deref(), Some("tableau"));
    assert_eq!(told.sqlstate, "42501");
}

#[test]
fn stewards_may_be_a_group_of_tokens_or_of_the_rules() {
    let orders = ORDERS.replace("[dbt_prod]", "[group:orders-stewards]");
    let company = COMPANY.replace("groups: {", "groups: { orders-stewards: [dbt_prod, ana@x],");
    let rules = read(&company, &orders).unwrap();
    let facts = write(Relation::new("orders", "daily"));
    let by_token = who("eve@x", PrincipalKind::Person, &["orders-stewards"]);
    for principal in [ana(), account("dbt_prod"), by_token] {
        assert!(
            matches!(decide(&principal, &facts, &Basis::of(&rules)), Decision::Allow(_)),
            "{principal:?}"
        );
    }
    let other = who("eve@x", PrincipalKind::Person, &["stewards"]);
    assert!(matches!(decide(&other, &facts, &Basis::of(&rules)), Decision::Deny(_)));
}

#[test]
fn each_schema_is_written_by_its_own() {
    let (ana, dbt) = (ana(), account("dbt_prod"));
    allowed(&dbt, &write(Relation::new("orders", "daily")));
    allowed(&ana, &write(Relation::new("sandbox_orders", "t")));
    allowed(&ana, &write(Relation::temp("t")));
    denied(&dbt, &write(Relation::new("users", "users")), Code::OfficialWrite);
    denied(&ana, &write(Relation::new("sandbox_users", "t")), Code::SandboxForeign);
    for schema in ["public", "pg_catalog", "information_schema", "pg_toast"] {
        denied(&ana, &write(Relation::new(schema, "t")), Code::UnlistedWrite);
        denied(&dbt, &write(Relation::new(schema, "t")), Code::UnlistedWrite);
    }
    let mut elsewhere = Relation::new("sandbox_orders", "t");
    elsewhere.database = Some("other".to_owned());
    denied(&ana, &write(elsewhere), Code::UnlistedWrite);
}

#[test]
fn a_schema_as_a_whole_is_not_its_teams() {
    denied(&ana(), &write(Relation::new("sandbox_orders", "*")), Code::UnlistedWrite);
    denied(&ana(), &write(Relation::new("orders", "*")), Code::OfficialWrite);
    allowed(&account("dbt_prod"), &write(Relation::new("orders", "*")));
}

#[test]
fn locks_and_changes_without_aim_need_the_right_to_write() {
    let mut lock = Facts::plain(Class::Transaction, "LOCK TABLE");
    lock.locks.insert(Relation::new("orders", "daily"));
    denied(&ana(), &lock, Code::OfficialWrite);
    denied(&ana(), &Facts::plain(Class::Maintenance, "VACUUM"), Code::UnlistedWrite);
    denied(&account("dbt_prod"), &Facts::plain(Class::Maintenance, "VACUUM"), Code::UnlistedWrite);
}

#[test]
fn doubt_privileges_and_egress_are_denied_to_everyone() {
    for principal in [ana(), account("dbt_prod")] {
        let mut doubt = write(Relation::temp("t"));
        doubt.doubts.push("a name".to_owned());
        denied(&principal, &doubt, Code::NotUnderstood);
        denied(&principal, &Facts::plain(Class::Unknown, "?"), Code::NotUnderstood);
        denied(&principal, &Facts::plain(Class::Dcl, "GRANT"), Code::PrivilegeChange);
        denied(&principal, &Facts::plain(Class::Egress, "UNLOAD"), Code::Egress);
        let mut copy = write(Relation::temp("t"));
        copy.egress.push(Egress { place: "s3://b/".to_owned(), role: None });
        denied(&principal, &copy, Code::Egress);
    }
}

#[test]
fn functions_are_called_when_known_or_listed_with_their_schema() {
    for name in ["lower", "pg_catalog.lower", "lib.f"] {
        allowed(&ana(), &call(Class::Read, name));
    }
    for name in ["f", "other.f", "sandbox_orders.lower", "set_config", "version", "pg_catalog.version"] {
        denied(&ana(), &call(Class::Read, name), Code::RestrictedFunction);
    }
    allowed(&ana(), &call(Class::Call, "lib.p"));
    for name in ["p", "lib.q"] {
        denied(&ana(), &call(Class::Call, name), Code::RestrictedFunction);
    }
    denied(&ana(), &Facts::plain(Class::Call, "DO"), Code::RestrictedFunction);
}

#[test]
fn settings_change_only_where_meaning_cost_and_rights_do_not_hang_on_them() {
    let free = [
        set("query_group", &["default"]),
        set("transaction", &["read", "write"]),
        set("transaction", &["as", "transaction", "isolation", "level", "serializable"]),
        set("search_path", &["orders"]),
        set("client_encoding", &["utf-8"]),
        set("standard_conforming_strings", &["on"]),
        set("statement_timeout", &["60000"]),
        set("statement_timeout", &["2min"]),
        set("wlm_query_slot_count", &["2"]),
        set("*", &[]),
    ];
    free.iter().for_each(|facts| drop(allowed(&ana(), facts)));
    let held = [
        set("client_encoding", &["sjis"]),
        set("standard_conforming_strings", &["off"]),
        set("statement_timeout", &["0"]),
        set("statement_timeout", &["121s"]),
        set("statement_timeout", &["-1"]),
        set("enable_case_sensitive_identifier", &["on"]),
        set("enable_nestloop", &["off"]),
        set("database", &["other"]),
        set("role", &["admin"]),
        set("app_context.user_id", &["eve"]),
    ];
    held.iter().for_each(|facts| drop(denied(&ana(), facts, Code::SessionChange)));
    allowed(&account("tableau"), &set("app_context.user_id", &["eve"]));
}

#[test]
fn reads_follow_the_posture_and_ones_own_domain() {
    let company = format!("posture:\n  read: deny\n{COMPANY}");
    let rules = read(&company, ORDERS).unwrap();
    let reading = |schema: &str| {
        let mut facts = Facts::plain(Class::Read, "SELECT");
        facts.reads.insert(Relation::new(schema, "t"));
        decide(&ana(), &facts, &Basis::of(&rules))
    };
    for schema in ["orders", "sandbox_orders", "pg_catalog", "temp"] {
        assert!(matches!(reading(schema), Decision::Allow(_)), "{schema}");
    }
    for schema in ["users", "sandbox_users", "public"] {
        let Decision::Deny(denial) = reading(schema) else { panic!("{schema}") };
        assert_eq!(denial.refusal.code, Some(Code::RestrictedRead));
        assert_eq!(denial.rule.unwrap().to_string(), "rules/company.yaml:2");
    }
}

#[test]
fn the_first_limit_that_matches_speaks_and_nobody_is_without() {
    let limits = allowed(&ana(), &Facts::plain(Class::Read, "SELECT"));
    assert_eq!((limits.rows.unwrap().get(), limits.bytes.unwrap().get()), (100_000, 500_000_000));
    assert_eq!((limits.cost, limits.place.unwrap().line), (Some(5e7), 7));
    let steward = who("dbt_prod", PrincipalKind::Service, &["stewards"]);
    assert_eq!(obligations(&steward, &rules()).rows, None);
    let empty = RuleSet::empty(Place { file: "none".into(), line: 1 });
    assert!(obligations(&ana(), &empty).rows.is_some());
}

#[test]
fn a_token_that_claims_an_accounts_name_has_none_of_its_rights() {
    let forged = who("dbt_prod", PrincipalKind::Person, &[]);
    denied(&forged, &write(Relation::new("orders", "daily")), Code::OfficialWrite);
    let forged = who("tableau", PrincipalKind::Person, &[]);
    denied(&forged, &set("app_context.user_id", &["eve"]), Code::SessionChange);
}

#[test]
fn a_domain_file_can_neither_set_company_rules_nor_stand_for_them() {
    told(
        read(COMPANY, &format!("{ORDERS}limits: []\naccounts: {{}}\n")),
        &[
            "rules/domains/orders.yaml:6: `limits`: unknown key",
            "rules/domains/orders.yaml:7: `accounts`: unknown key",
        ],
    );
    let posing = file("rules/domains/company.yaml", "limits:\n  - { for: everyone }\n");
    let problems = parse(&[file("rules/company.yaml", COMPANY), posing]).unwrap_err();
    assert!(problems.iter().any(|problem| problem.to_string().contains("company.yaml:1: `limits`")));
}

#[test]
fn schemas_have_one_owner_and_are_not_the_servers() {
    let claims = "domain: orders\nofficial:\n  - users\n  - SANDBOX_USERS\n  - pg_catalog\n  - temp\n";
    told(
        read(COMPANY, claims),
        &[
            "rules/domains/users.yaml:2: `users`: this schema has an owner already, at rules/domains/orders.yaml:3",
            "rules/domains/users.yaml:3: `sandbox_users`: this schema has an owner already",
            "rules/domains/orders.yaml:5: `pg_catalog`: no domain can own",
            "rules/domains/orders.yaml:6: `temp`: no domain can own",
        ],
    );
}

#[test]
fn every_problem_of_every_file_is_told_with_its_line() {
    let company = "\
acounts: {}
posture: { read: maybe }
accounts:
  a: { verifier: hunter2, auth: plain }
  b: { verifier: 'SCRAM-SHA-256$hunter2', end_user: guess }
  c: {}
tokens: [ { issuer: i, audience: a, principal: p, keys: { url: 'https://k' } } ]
egress: {}
session: { allow: [role] }
functions: { allow: [bare] }
limits:
  - { for: everyone, rows: -1, per_day: 3 }
  - { for: bi }
";
    let orders = "domain: order\nofficial: [orders]\nstewards: [nobody]\ntables: {}\n";
    let problems = read(company, orders).unwrap_err();
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for part in [
        "company.yaml:1: `acounts`: unknown key",
        "company.yaml:2: `maybe`",
        "company.yaml:4: `verifier`",
        "company.yaml:4: `plain`",
        "company.yaml:5: `verifier`",
        "company.yaml:5: `guess`",
        "company.yaml:6: `verifier`: this key is missing",
        "company.yaml:7: `url`: not supported yet",
        "company.yaml:8: `egress`: not supported yet",
        "company.yaml:9: `role`",
        "company.yaml:10: `bare`",
        "company.yaml:12: `-1`",
        "company.yaml:12: `per_day`: not supported yet",
        "company.yaml:13: `limits`: this line never speaks",
        "orders.yaml:1: `order`: a domain is named as its file",
        "orders.yaml:3: `nobody`: no such account",
        "orders.yaml:4: `tables`: not supported yet",
    ] {
        assert!(shown.iter().any(|problem| problem.contains(part)), "{part} in {shown:#?}");
    }
    assert!(!shown.concat().contains("hunter2"), "{shown:#?}");
}

#[test]
fn broken_yaml_shows_no_secret_and_hides_no_other_files_problems() {
    let broken = "accounts:\n  a: { verifier: hunter2\nlimits: [\n";
    let shown: Vec<String> =
        read(broken, "domain: orders\n").unwrap_err().iter().map(ToString::to_string).collect();
    assert!(!shown.concat().contains("hunter2"), "{shown:#?}");
    assert!(shown.iter().any(|problem| problem.contains("orders.yaml:1: `official`")), "{shown:#?}");
}

#[test]
fn limits_end_with_everyone() {
    let company = "limits:\n  - { for: group:bi, rows: 5 }\n";
    told(parse(&[file("rules/company.yaml", company)]), &["some principals have no limits"]);
    told(parse(&[file("rules/domains/users.yaml", USERS)]), &["rule file is missing", "some principals"]);
}

fn relations() -> impl Strategy<Value = std::collections::BTreeSet<Relation>> {
    let schemas =
        select(vec!["orders", "orders_mart", "users", "sandbox_orders", "temp", "public", "pg_catalog"]);
    btree_set((schemas, select(vec!["t", "*"])).prop_map(|(schema, name)| Relation::new(schema, name)), 0..3)
}

prop_compose! {
    fn any_facts()(
        class in select(vec![
            Class::Read, Class::Transaction, Class::Session, Class::Maintenance, Class::Write, Class::Ddl,
            Class::Call, Class::Egress, Class::Dcl, Class::Unknown,
        ]),
        command in select(vec!["SELECT", "INSERT", "LOCK TABLE", "CREATE TABLE", "EXECUTE", "CALL"]),
        reads in relations(), writes in relations(), creates in relations(), alters in relations(),
        locks in relations(),
        functions in btree_set(select(vec!["lower", "lib.p", "lib.f"]).prop_map(str::to_owned), 0..3),
        settings in vec(select(vec!["query_group", "search_path", "*"]), 0..2),
        drops_all_temp in any::<bool>(),
    ) -> Facts {
        let mut facts = Facts::plain(class, command);
        let session = settings.iter();
        facts.session = session
            .map(|setting| SessionChange { setting: (*setting).to_owned(), values: Vec::new(), local: false })
            .collect();
        Facts { reads, writes, creates, alters, locks, functions, drops_all_temp, ..facts }
    }
}

proptest! {
    #[test]
    fn nobody_but_a_steward_changes_an_official_schema(
        mut facts in any_facts(),
        schema in select(vec!["orders", "orders_mart", "users"]),
        place in 0..4,
        principal in select(vec![
            ana(),
            account("tableau"),
            who("eve@x", PrincipalKind::Person, &["stewards", "orders-analysts", "dbt_prod"]),
            who("dbt_prod", PrincipalKind::Person, &["stewards"]),
        ]),
    ) {
        let target = Relation::new(schema, "t");
        let set = match place {
            0 => &mut facts.writes,
            1 => &mut facts.creates,
            2 => &mut facts.alters,
            _ => &mut facts.locks,
        };
        set.insert(target);
        prop_assert!(matches!(decide(&principal, &facts, &Basis::of(&rules())), Decision::Deny(_)));
    }
}
