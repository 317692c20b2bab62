//! Decisions that lean on the catalog.

use std::sync::Arc;

use super::*;
use crate::catalog::{Catalog, FunctionEntry, RelationEntry, RelationKind, Snapshot, Volatility};

fn relation(schema: &str, name: &str, kind: RelationKind, reads: &[(&str, &str)]) -> RelationEntry {
    RelationEntry {
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind,
        reads: reads.iter().map(|(schema, name)| ((*schema).to_owned(), (*name).to_owned())).collect(),
        ..RelationEntry::default()
    }
}

fn function(schema: &str, name: &str, volatility: Volatility) -> FunctionEntry {
    FunctionEntry {
        schema: schema.to_owned(),
        name: name.to_owned(),
        owner: "dbt".to_owned(),
        language: "sql".to_owned(),
        volatility,
        security_definer: false,
    }
}

fn catalog() -> Arc<Catalog> {
    use RelationKind::{External, MaterializedView, Sequence, Table, View};
    let mut definer = function("lib", "definer", Volatility::Stable);
    definer.security_definer = true;
    let mut outside = function("lib", "outside", Volatility::Immutable);
    outside.language = "exfunc".to_owned();
    Arc::new(Catalog::new(Snapshot {
        relations: vec![
            relation("sandbox_orders", "t", Table, &[]),
            relation("sandbox_orders", "v", View, &[("sandbox_orders", "t")]),
            relation("orders_mart", "w", MaterializedView, &[("sandbox_orders", "v")]),
            relation("sandbox_orders", "own", Table, &[]),
            relation("sandbox_orders", "of_own", View, &[("sandbox_orders", "own")]),
            relation("sandbox_orders", "s", Sequence, &[]),
            relation("orders", "daily", Table, &[]),
            relation("users", "of_daily", View, &[("orders", "daily")]),
            relation("orders", "seen", External, &[]),
            relation("sandbox_orders", "seen", External, &[]),
            relation("sandbox_orders", "TWIN", View, &[]),
            relation("sandbox_orders", "twin", Table, &[]),
        ],
        functions: vec![
            function("lib", "stable", Volatility::Stable),
            function("lib", "immutable", Volatility::Immutable),
            function("lib", "volatile", Volatility::Volatile),
            function("lib", "mixed", Volatility::Stable),
            function("other", "mixed", Volatility::Volatile),
            function("Lib", "Cased", Volatility::Stable),
            function("sandbox_users", "mine", Volatility::Immutable),
            function("lib", "mine", Volatility::Immutable),
            function("sandbox_users", "lower", Volatility::Volatile),
            definer,
            outside,
        ],
        ..Snapshot::default()
    }))
}

fn with_default(default: &str) -> RuleSet {
    let functions = format!("functions: {{ default: {default}, ");
    read(&COMPANY.replace("functions: { ", &functions), ORDERS).unwrap()
}

/// The denial's code and message; `None` where it is allowed.
fn judged(principal: &Principal, facts: &Facts, catalog: Option<&Arc<Catalog>>) -> Option<(Code, String)> {
    let rules = with_default("deny_volatile");
    match decide(principal, facts, &Basis::of(&rules).with_catalog(catalog)) {
        Decision::Allow(_) => None,
        Decision::Deny(denial) => Some((denial.refusal.code.unwrap(), denial.reason)),
    }
}

fn drop_cascade(command: &str, relation: Relation) -> Facts {
    let mut facts = Facts::plain(Class::Ddl, command);
    facts.alters.insert(relation);
    facts.cascades = true;
    facts
}

#[test]
fn rows_of_what_the_catalog_knows_as_no_table_are_not_changed() {
    let catalog = catalog();
    for name in ["v", "s", "seen", "twin"] {
        let facts = write(Relation::new("sandbox_orders", name));
        let (code, told) = judged(&ana(), &facts, Some(&catalog)).unwrap();
        assert_eq!(code, Code::UnlistedWrite);
        assert_eq!(
            told,
            format!("changing rows through sandbox_orders.{name} is not allowed: it is no table")
        );
        assert_eq!(judged(&ana(), &facts, None), None);
    }
    for name in ["t", "unknown"] {
        assert_eq!(judged(&ana(), &write(Relation::new("sandbox_orders", name)), Some(&catalog)), None);
    }
    let dbt = account("dbt_prod");
    assert_eq!(judged(&dbt, &write(Relation::new("orders", "seen")), Some(&catalog)), None);
    let mut refresh = write(Relation::new("orders_mart", "w"));
    refresh.command = "REFRESH MATERIALIZED VIEW".to_owned();
    assert_eq!(judged(&dbt, &refresh, Some(&catalog)), None);
}

#[test]
fn cascade_takes_along_only_what_the_principal_may_change() {
    let catalog = catalog();
    let facts = drop_cascade("DROP TABLE", Relation::new("sandbox_orders", "t"));
    let (code, told) = judged(&ana(), &facts, Some(&catalog)).unwrap();
    assert_eq!(code, Code::OfficialWrite);
    assert_eq!(told, "DROP TABLE sandbox_orders.t CASCADE would drop orders_mart.w, which is not yours");
    assert_eq!(judged(&account("dbt_prod"), &facts, Some(&catalog)), None);
    let mut plain = facts;
    plain.cascades = false;
    assert_eq!(judged(&ana(), &plain, Some(&catalog)), None);
    for name in ["own", "unknown"] {
        let facts = drop_cascade("DROP TABLE", Relation::new("sandbox_orders", name));
        assert_eq!(judged(&ana(), &facts, Some(&catalog)).unwrap().0, Code::UnlistedWrite, "{name}");
    }
}

#[test]
fn cascade_over_a_schema_counts_everything_in_it() {
    let facts = drop_cascade("DROP SCHEMA", Relation::new("orders", "*"));
    let (code, told) = judged(&account("dbt_prod"), &facts, Some(&catalog())).unwrap();
    assert_eq!(code, Code::OfficialWrite);
    assert_eq!(told, "DROP SCHEMA orders CASCADE would drop users.of_daily, which is not yours");
}

#[test]
fn without_evidence_cascade_is_for_stewards_and_temporary_relations() {
    let own = drop_cascade("DROP TABLE", Relation::new("sandbox_orders", "own"));
    assert_eq!(judged(&ana(), &own, None).unwrap().0, Code::UnlistedWrite);
    let denial = denied(&ana(), &own, Code::UnlistedWrite);
    assert!(denial.refusal.hint.unwrap().starts_with("Leave CASCADE out"));
    assert_eq!(denial.rule.unwrap().to_string(), "rules/domains/orders.yaml:4");
    allowed(&account("dbt_prod"), &own);
    allowed(&account("dbt_prod"), &drop_cascade("DROP TABLE", Relation::new("orders", "daily")));
    allowed(&ana(), &drop_cascade("DROP TABLE", Relation::temp("t")));
    // What depends on a function no snapshot says.
    let function = drop_cascade("DROP FUNCTION", Relation::new("sandbox_orders", "f"));
    assert_eq!(judged(&ana(), &function, Some(&catalog())).unwrap().0, Code::UnlistedWrite);
}

#[test]
fn functions_that_the_catalog_vouches_for_are_called() {
    let catalog = catalog();
    for name in ["lib.stable", "stable", "immutable", "lib.mixed", "lib.mine", "lib.cased", "lower"] {
        assert_eq!(judged(&ana(), &call(Class::Read, name), Some(&catalog)), None, "{name}");
    }
    for (name, why) in [
        ("volatile", "lib.volatile is volatile"),
        ("mixed", "other.mixed is volatile"),
        ("definer", "lib.definer runs with its owner's rights"),
        ("mine", "sandbox_users.mine lives in a sandbox"),
        ("sandbox_users.lower", "sandbox_users.lower lives in a sandbox"),
        ("lib.outside", "lib.outside is written in `exfunc`"),
        ("other.stable", "the catalog does not know it"),
        ("nowhere", "the catalog does not know it"),
    ] {
        let (code, told) = judged(&ana(), &call(Class::Read, name), Some(&catalog)).unwrap();
        assert_eq!(code, Code::RestrictedFunction);
        assert!(told.starts_with(&format!("calling {name}() is not allowed: {why}")), "{told}");
    }
}

#[test]
fn without_evidence_or_by_default_functions_are_called_by_name_alone() {
    let catalog = catalog();
    let told = judged(&ana(), &call(Class::Read, "lib.stable"), None).unwrap().1;
    assert_eq!(told, "calling lib.stable() is not allowed: what it does is not known");
    for rules in [rules(), with_default("deny")] {
        let basis = Basis::of(&rules).with_catalog(Some(&catalog));
        assert!(matches!(decide(&ana(), &call(Class::Read, "lib.stable"), &basis), Decision::Deny(_)));
        assert!(matches!(decide(&ana(), &call(Class::Read, "lib.f"), &basis), Decision::Allow(_)));
    }
}

#[test]
fn no_evidence_frees_what_the_rules_deny_or_what_acts_by_its_name() {
    let company = COMPANY.replace("deny: [", "default: deny_volatile, deny: [lib.stable, ");
    let rules = read(&company, ORDERS).unwrap();
    let (catalog, dbt) = (catalog(), account("dbt_prod"));
    let basis = Basis::of(&rules).with_catalog(Some(&catalog));
    for facts in
        [call(Class::Read, "stable"), call(Class::Read, "lib.nextval"), call(Class::Call, "lib.immutable")]
    {
        assert!(matches!(decide(&dbt, &facts, &basis), Decision::Deny(_)), "{facts:?}");
    }
}

#[test]
fn an_unknown_default_for_functions_is_told() {
    let company = COMPANY.replace("functions: {", "functions: { default: volatile,");
    told(
        read(&company, ORDERS),
        &["rules/company.yaml:8: `volatile`: unknown default; `deny` or `deny_volatile`"],
    );
}
