//! Tollgate's own grammar: every statement but queries and the changes of rows.

mod alter;
mod create;
mod data;
mod drop;
mod kinds;
mod maintain;
mod prepared;
mod reader;
mod session;
mod tables;

use super::lex::Token;
use super::understand::Context;
use super::{Facts, NotUnderstood};
use reader::Reader;

type Read = Result<Facts, NotUnderstood>;

/// The facts of a statement by its first word; `None` for what sqlparser reads.
pub(super) fn read(tokens: &[Token], context: &Context<'_>) -> Result<Option<Facts>, NotUnderstood> {
    let mut reader = Reader::new(tokens);
    let Some(word) = tokens.first().and_then(Token::keyword) else {
        // Only a bracketed query begins with anything but a word.
        return if tokens.first().is_some_and(|token| token.is_mark('(')) {
            Ok(None)
        } else {
            Err(reader.refuse("a statement begins with a keyword"))
        };
    };
    reader.skip();
    let facts = match word {
        "select" | "with" | "insert" | "update" | "values" | "table" => return Ok(None),
        "merge" => return data::merge(tokens, context),
        "delete" => return data::delete(tokens, context),
        "copy" => data::copy(&mut reader, context),
        "unload" => data::unload(&mut reader, context),
        "explain" => data::explain(&mut reader, context),
        "truncate" => data::truncate(&mut reader, context),
        "vacuum" | "analyze" | "analyse" => maintain::vacuum(word, &mut reader, context),
        "cluster" => maintain::cluster(&mut reader, context),
        "reindex" => maintain::reindex(&mut reader, context),
        "checkpoint" | "load" => maintain::server(word),
        "lock" => data::lock(&mut reader, context),
        "refresh" => data::refresh(&mut reader, context),
        "call" => data::call(&mut reader, context),
        "do" => data::anonymous(),
        "set" => session::set(&mut reader),
        "reset" => session::reset(&mut reader, context),
        "show" => session::show(&mut reader),
        "use" => session::use_database(&mut reader, context),
        "discard" => session::discard(&mut reader),
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            session::transaction(word, &mut reader, context)
        }
        "declare" => prepared::declare(&mut reader, context),
        "fetch" | "move" => prepared::fetch(word, &mut reader, context),
        "close" => prepared::close(&mut reader, context),
        "prepare" => prepared::prepare(&mut reader, context),
        "execute" => prepared::execute(&mut reader, context),
        "deallocate" => prepared::deallocate(&mut reader, context),
        "listen" | "unlisten" | "notify" => session::notification(word, &mut reader),
        "cancel" => session::cancel(&mut reader),
        "create" => create::create(&mut reader, context),
        "alter" => alter::alter(&mut reader, context),
        "drop" => drop::drop(&mut reader, context),
        "comment" => drop::comment(&mut reader, context),
        "attach" | "detach" => drop::attach(word, &mut reader, context),
        "desc" | "describe" => drop::describe(&mut reader),
        "grant" | "revoke" => Ok(drop::granted(word, &reader)),
        "security" => drop::security_label(&mut reader, context),
        "reassign" => drop::reassign(&reader),
        "import" => drop::import(&mut reader, context),
        _ => Err(Reader::new(tokens).refuse("no statement that is known begins so")),
    };
    facts.map(Some)
}
