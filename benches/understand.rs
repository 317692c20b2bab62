//! What understanding a text costs: usual queries by their size, and a megabyte of each hostile shape.
//!
//! `cargo bench --bench understand`; throughput is told per byte, so that 20 MiB/s is 50 ms a megabyte.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tollgate::sql::{Scope, ScopeBounds, TextBounds, fingerprint, understand};

const MEGABYTE: usize = 1 << 20;

fn scope() -> Scope {
    let bounds =
        ScopeBounds { prepared_max: 100, cursors_max: 100, temp_relations_max: 100, savepoints_max: 100 };
    Scope::new("tollgate", "dev", &["public".to_owned()], bounds)
}

fn filled(head: &str, part: &str, tail: &str) -> String {
    let count = (MEGABYTE - head.len() - tail.len()) / part.len();
    format!("{head}{}{tail}", part.repeat(count))
}

/// Texts that make a careless reader slow or deep. Most are refused by the bounds; none may take long.
fn hostile() -> Vec<(&'static str, String)> {
    let half = MEGABYTE / 2;
    vec![
        ("brackets", format!("select {}1{}", "(".repeat(half), ")".repeat(half))),
        ("brackets side by side", filled("select 1 ", "+((((1))))", "")),
        ("unary minus", filled("select ", "- ", "1")),
        ("not", filled("select ", "not ", "true")),
        ("in list of numbers", filled("select * from t where a in (1", ", 1234567", ")")),
        ("in list of strings", filled("select * from t where a in ('x'", ", 'abcdefgh'", ")")),
        ("case", filled("select ", "case when a then ", "1")),
        ("case side by side", filled("select 1", ", case when a then b else c end", "")),
        ("nested comments", format!("select {}1{}", "/*".repeat(half), "*/".repeat(half))),
        ("comments", filled("select 1 ", "/* why */ -- so\n", "")),
        ("chain of queries", filled("with a as (select 1)", ", a as (select * from a)", " select * from a")),
        ("union", filled("select 1", " union all select 1", "")),
        ("and", filled("select * from t where a", " and a = 1", "")),
        ("joins", filled("select * from t", " join u using (id)", "")),
        ("columns", filled("select a", ", t.column_name as alias", " from t")),
        ("rows", filled("insert into t values (1, 'x')", ", (12345, 'some text')", "")),
        ("statements", filled("", "select 1;", "")),
        ("one literal", filled("select '", "abcdefgh", "'")),
        ("dollar quotes", filled("select $a$", "$b$ ", "$a$")),
        ("operators", filled("select 1 ", "+-*/", " 2")),
        ("subscripts", filled("update t set a[1] = 1", ", a[1] = 1", "")),
        ("set words", filled("update t ", "set a[1] ", "= 1")),
        ("substrings", filled("select ", "substring(", "")),
        ("as words", filled("select (1", " as a) as a", "")),
    ]
}

fn usual(bytes: usize) -> String {
    let mut text = String::from(
        "SELECT o.order_id, c.country, SUM(l.quantity * l.price) AS revenue FROM orders.orders o \
         JOIN users.users c ON c.user_id = o.user_id JOIN orders.order_lines l ON l.order_id = o.order_id \
         WHERE o.ordered_at >= '2026-01-01'",
    );
    let mut n = 0;
    while text.len() < bytes - 60 {
        n += 1;
        text.push_str(&format!(" AND (l.sku <> 'sku-{n}' OR c.country IN ('DE', 'FR'))"));
    }
    text.push_str(" GROUP BY 1, 2 ORDER BY revenue DESC LIMIT 1000");
    text
}

fn benchmark(c: &mut Criterion) {
    let (scope, bounds) = (scope(), TextBounds::default());
    let mut group = c.benchmark_group("usual");
    for bytes in [300, 1_000, 10_000] {
        let text = usual(bytes);
        assert!(understand(&text, &scope, &bounds).is_ok());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("{bytes} B"), |b| {
            b.iter(|| understand(black_box(&text), &scope, &bounds));
        });
        group.bench_function(format!("{bytes} B, fingerprint"), |b| b.iter(|| fingerprint(black_box(&text))));
    }
    group.finish();
    let mut group = c.benchmark_group("hostile");
    group.sample_size(10);
    for (name, text) in hostile() {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| b.iter(|| understand(black_box(&text), &scope, &bounds)));
    }
    group.finish();
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, benchmark);
criterion_main!(benches);
