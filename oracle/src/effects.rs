//! What one statement touches, by the node that says so.

use std::collections::BTreeSet;

use pg_query::protobuf::ObjectType;
use serde_json::Value;

use crate::names::{Place, Session, made, range, whole};
use crate::tree::{body, items, message, number, parts, parts_in, text};

type Places = BTreeSet<Place>;

/// Where objects of one type live.
enum Home {
    Relation,
    /// The last part names something on the relation before it.
    OnRelation,
    Schema,
    InSchema,
    /// As [`Home::InSchema`], behind an access method's name.
    BehindMethod,
    /// As [`Home::InSchema`], the last part names something on it.
    OnMember,
    /// In no schema.
    Outside,
}

fn home(object_type: i32) -> Home {
    use ObjectType as T;
    match T::try_from(object_type).unwrap_or(T::Undefined) {
        T::ObjectTable
        | T::ObjectView
        | T::ObjectMatview
        | T::ObjectSequence
        | T::ObjectIndex
        | T::ObjectForeignTable => Home::Relation,
        T::ObjectColumn | T::ObjectTabconstraint | T::ObjectTrigger | T::ObjectRule | T::ObjectPolicy => {
            Home::OnRelation
        }
        T::ObjectSchema => Home::Schema,
        T::ObjectAggregate
        | T::ObjectFunction
        | T::ObjectProcedure
        | T::ObjectRoutine
        | T::ObjectOperator
        | T::ObjectCollation
        | T::ObjectConversion
        | T::ObjectType
        | T::ObjectDomain
        | T::ObjectStatisticExt
        | T::ObjectTsconfiguration
        | T::ObjectTsdictionary
        | T::ObjectTsparser
        | T::ObjectTstemplate => Home::InSchema,
        T::ObjectDomconstraint => Home::OnMember,
        T::ObjectOpclass | T::ObjectOpfamily => Home::BehindMethod,
        _ => Home::Outside,
    }
}

fn is_type(object_type: i32) -> bool {
    object_type == ObjectType::ObjectType as i32 || object_type == ObjectType::ObjectDomain as i32
}

/// Where an object of this type and name leads.
fn object(object_type: i32, name: &[String], session: &Session) -> Places {
    match (home(object_type), name) {
        (Home::Relation, name) => session.existing(name),
        (Home::OnRelation, [relation @ .., _]) => session.existing(relation),
        (Home::Schema, [.., schema]) => BTreeSet::from([whole(schema)]),
        (Home::InSchema, name) if is_type(object_type) => types(name, session),
        (Home::InSchema, name) => session.homes(name),
        (Home::BehindMethod, [_, name @ ..]) | (Home::OnMember, [name @ .., _]) => session.homes(name),
        (Home::Outside | Home::OnRelation | Home::Schema | Home::BehindMethod | Home::OnMember, _) => {
            Places::new()
        }
    }
}

fn existing(statement: &Value, key: &str, session: &Session) -> Places {
    message(statement, key).map(|relation| session.existing(&range(relation))).unwrap_or_default()
}

fn existing_all(statement: &Value, key: &str, session: &Session) -> Places {
    let ranges = items(statement, key).iter().filter_map(|item| body(item, "RangeVar"));
    ranges.flat_map(|relation| session.existing(&range(relation))).collect()
}

/// What this node makes, changes or drops by itself, without what stands inside it.
pub(crate) fn of(kind: &str, statement: &Value, session: &Session) -> Places {
    match kind {
        "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" | "RefreshMatViewStmt" | "IndexStmt"
        | "RuleStmt" | "CreateTrigStmt" => existing(statement, "relation", session),
        "CopyStmt" if crate::tree::flag(statement, "is_from") => existing(statement, "relation", session),
        "CreatePolicyStmt" | "AlterPolicyStmt" => existing(statement, "table", session),
        "AlterSeqStmt" => existing(statement, "sequence", session),
        "TruncateStmt" | "LockStmt" => existing_all(statement, "relations", session),
        "CreateStmt" | "CreateForeignTableStmt" => create_table(kind, statement, session),
        "CreateSeqStmt" => message(statement, "sequence").map(|name| made(name, session)).unwrap_or_default(),
        "ViewStmt" => view(statement, session),
        "CreateSchemaStmt" => schema(statement),
        "AlterTableStmt" => alter_table(statement, session),
        "RenameStmt" => rename(statement, session),
        "AlterObjectSchemaStmt" => move_to(statement, session),
        "DropStmt" => {
            let dropped = items(statement, "objects").iter();
            dropped.flat_map(|name| object(number(statement, "remove_type"), &parts(name), session)).collect()
        }
        "CommentStmt" => named(statement, "objtype", session),
        "AlterOwnerStmt" | "AlterObjectDependsStmt" => named(statement, "object_type", session),
        "ImportForeignSchemaStmt" => {
            BTreeSet::from([Place::InSchema(text(statement, "local_schema").to_lowercase())])
        }
        _ => member(kind, statement, session),
    }
}

fn named(statement: &Value, type_key: &str, session: &Session) -> Places {
    let object_type = number(statement, type_key);
    if let Some(relation) = message(statement, "relation") {
        return session.existing(&range(relation));
    }
    message(statement, "object").map(|name| object(object_type, &parts(name), session)).unwrap_or_default()
}

/// Objects other than relations that live in a schema.
fn member(kind: &str, statement: &Value, session: &Session) -> Places {
    let name = match kind {
        "CreateFunctionStmt" => parts_in(statement, "funcname"),
        "AlterFunctionStmt" => message(statement, "func").map(|f| parts_in(f, "objname")).unwrap_or_default(),
        "AlterOperatorStmt" => {
            message(statement, "opername").map(|f| parts_in(f, "objname")).unwrap_or_default()
        }
        "CreateEnumStmt" | "AlterEnumStmt" | "CreateRangeStmt" | "AlterTypeStmt" | "AlterDomainStmt" => {
            parts_in(statement, "type_name")
        }
        "CreateDomainStmt" => parts_in(statement, "domainname"),
        "CompositeTypeStmt" => message(statement, "typevar").map(range).unwrap_or_default(),
        "DefineStmt" | "CreateStatsStmt" | "AlterStatsStmt" => parts_in(statement, "defnames"),
        "CreateConversionStmt" => parts_in(statement, "conversion_name"),
        "AlterCollationStmt" => parts_in(statement, "collname"),
        "AlterTsdictionaryStmt" => parts_in(statement, "dictname"),
        "AlterTsconfigurationStmt" => parts_in(statement, "cfgname"),
        "CreateOpClassStmt" => parts_in(statement, "opclassname"),
        "CreateOpFamilyStmt" | "AlterOpFamilyStmt" => parts_in(statement, "opfamilyname"),
        _ => return Places::new(),
    };
    match kind {
        "AlterEnumStmt" | "AlterTypeStmt" | "AlterDomainStmt" => types(&name, session),
        _ => session.homes(&name),
    }
}

/// Where a type that exists may live. A temporary relation's row type is found before others.
fn types(name: &[String], session: &Session) -> Places {
    if session.is_temporary(name) { Places::new() } else { session.homes(name) }
}

fn create_table(kind: &str, statement: &Value, session: &Session) -> Places {
    let base = if kind == "CreateStmt" { Some(statement) } else { message(statement, "base_stmt") };
    let Some(base) = base else { return Places::new() };
    let mut places = message(base, "relation").map(|name| made(name, session)).unwrap_or_default();
    // A parent's rows are those of its children too.
    places.extend(existing_all(base, "inh_relations", session));
    places
}

/// A view over temporary relations is temporary itself.
fn view(statement: &Value, session: &Session) -> Places {
    let Some(name) = message(statement, "view") else { return Places::new() };
    if is_view_temporary(statement, session) {
        return BTreeSet::from([Place::Relation(format!("temp.{}", text(name, "relname").to_lowercase()))]);
    }
    made(name, session)
}

pub(crate) fn is_view_temporary(statement: &Value, session: &Session) -> bool {
    let Some(name) = message(statement, "view") else { return false };
    if crate::names::is_made_temporary(name) {
        return true;
    }
    let mut over = false;
    if let Some(query) = message(statement, "query") {
        crate::tree::visit(query, &mut |kind, body| {
            over |= kind == "RangeVar" && session.is_temporary(&range(body));
            true
        });
    }
    over && text(name, "schemaname").is_empty()
}

fn schema(statement: &Value) -> Places {
    let named = text(statement, "schemaname");
    let role = message(statement, "authrole").map_or("", |role| text(role, "rolename"));
    let name = if named.is_empty() { role } else { named };
    if name.is_empty() { Places::new() } else { BTreeSet::from([whole(name)]) }
}

fn alter_table(statement: &Value, session: &Session) -> Places {
    if number(statement, "objtype") == ObjectType::ObjectType as i32 {
        // A composite type's attributes.
        return message(statement, "relation").map(|name| types(&range(name), session)).unwrap_or_default();
    }
    let mut places = existing(statement, "relation", session);
    for command in items(statement, "cmds").iter().filter_map(|command| body(command, "AlterTableCmd")) {
        let Some(definition) = message(command, "def") else { continue };
        // INHERIT and NO INHERIT name the parent, ATTACH and DETACH PARTITION the child.
        if let Some(parent) = body(definition, "RangeVar") {
            places.extend(session.existing(&range(parent)));
        }
        if let Some(partition) = body(definition, "PartitionCmd") {
            places.extend(existing(partition, "name", session));
        }
    }
    places
}

fn rename(statement: &Value, session: &Session) -> Places {
    let object_type = number(statement, "rename_type");
    let new = text(statement, "newname");
    if let Some(relation) = message(statement, "relation") {
        let old = range(relation);
        if number(statement, "rename_type") == ObjectType::ObjectAttribute as i32 {
            return types(&old, session);
        }
        let mut places = session.existing(&old);
        if matches!(home(object_type), Home::Relation) {
            let renamed: Vec<_> = places.iter().filter_map(|place| sibling(place, new)).collect();
            places.extend(renamed);
        }
        return places;
    }
    if matches!(home(object_type), Home::Schema) {
        return BTreeSet::from([whole(text(statement, "subname")), whole(new)]);
    }
    named(statement, "rename_type", session)
}

/// The relation of another name beside this one.
fn sibling(place: &Place, name: &str) -> Option<Place> {
    let Place::Relation(old) = place else { return None };
    let (schema, _) = old.rsplit_once('.')?;
    Some(Place::Relation(format!("{schema}.{}", name.to_lowercase())))
}

fn move_to(statement: &Value, session: &Session) -> Places {
    let schema = text(statement, "newschema").to_lowercase();
    let mut places = named(statement, "object_type", session);
    let Some(relation) = message(statement, "relation") else {
        if matches!(home(number(statement, "object_type")), Home::InSchema | Home::BehindMethod) {
            places.insert(Place::InSchema(schema));
        }
        return places;
    };
    places.insert(Place::Relation(format!("{schema}.{}", text(relation, "relname").to_lowercase())));
    places
}
