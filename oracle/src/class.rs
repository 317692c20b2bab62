//! How strong the effect of one kind of statement is.

use pg_query::protobuf::{AlterTableType, DiscardMode, ObjectType, VariableSetKind};
use serde_json::Value;
use tollgate::sql::Class;

use crate::tree::{body, flag, items, number, text};

/// The class of a statement by itself, without what stands inside it; `None` for what is no statement.
pub(crate) fn of(kind: &str, statement: &Value) -> Option<Class> {
    if !kind.ends_with("Stmt") {
        return None;
    }
    Some(match kind {
        "SelectStmt"
        | "ExplainStmt"
        | "VariableShowStmt"
        | "DeclareCursorStmt"
        | "FetchStmt"
        | "ClosePortalStmt"
        | "PrepareStmt"
        | "ExecuteStmt"
        | "DeallocateStmt"
        | "LockStmt"
        | "ReturnStmt"
        | "RawStmt"
        | "SetOperationStmt"
        | "ReplicaIdentityStmt" => Class::Read,
        "TransactionStmt" | "ConstraintsSetStmt" => Class::Transaction,
        "VariableSetStmt" => setting(statement),
        "DiscardStmt" => discard(statement),
        "ListenStmt" | "UnlistenStmt" | "NotifyStmt" | "LoadStmt" => Class::Session,
        "VacuumStmt" | "ClusterStmt" | "ReindexStmt" | "CheckPointStmt" => Class::Maintenance,
        "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" | "TruncateStmt" | "RefreshMatViewStmt" => {
            Class::Write
        }
        "CopyStmt" => copy(statement),
        "CallStmt" | "DoStmt" => Class::Call,
        "AlterTableStmt" => alter_table(statement),
        "GrantStmt"
        | "GrantRoleStmt"
        | "AlterDefaultPrivilegesStmt"
        | "CreateRoleStmt"
        | "AlterRoleStmt"
        | "AlterRoleSetStmt"
        | "DropRoleStmt"
        | "AlterOwnerStmt"
        | "ReassignOwnedStmt"
        | "DropOwnedStmt"
        | "SecLabelStmt" => Class::Dcl,
        "RenameStmt" if number(statement, "rename_type") == ObjectType::ObjectRole as i32 => Class::Dcl,
        _ if is_definition(kind) => Class::Ddl,
        _ => Class::Unknown,
    })
}

/// Statements that make, change and drop objects and do nothing else.
fn is_definition(kind: &str) -> bool {
    ["Create", "Alter", "Drop", "Rename", "Comment", "Define", "View", "Rule", "Index", "Import"]
        .iter()
        .any(|start| kind.starts_with(start))
        || kind == "CompositeTypeStmt"
}

fn setting(statement: &Value) -> Class {
    let name = text(statement, "name");
    let multiple = number(statement, "kind") == VariableSetKind::VarSetMulti as i32;
    if multiple && name.starts_with("TRANSACTION") { Class::Transaction } else { Class::Session }
}

fn discard(statement: &Value) -> Class {
    // Only these two reach what statements mean.
    let target = number(statement, "target");
    let strong = [DiscardMode::DiscardAll as i32, DiscardMode::DiscardTemp as i32];
    if strong.contains(&target) { Class::Session } else { Class::Read }
}

fn copy(statement: &Value) -> Class {
    if flag(statement, "is_from") {
        Class::Write
    } else if flag(statement, "is_program") || !text(statement, "filename").is_empty() {
        Class::Egress
    } else {
        Class::Read
    }
}

fn alter_table(statement: &Value) -> Class {
    let owns = |command: &Value| {
        body(command, "AlterTableCmd")
            .is_some_and(|command| number(command, "subtype") == AlterTableType::AtChangeOwner as i32)
    };
    if items(statement, "cmds").iter().any(owns) { Class::Dcl } else { Class::Ddl }
}
