//! Texts: what is refused whole and where it is told, and that no text is too much.

use proptest::prelude::*;

use super::*;

#[test]
fn texts_that_servers_could_read_differently_are_refused() {
    for text in [
        "select 'a\\'; drop table x; --'",
        "select 'a\\''",
        "select 1 /* open",
        "select 'open",
        "select \"open",
        "select $a$ open $b$",
        "select 1\0",
        "select\u{a0}1",
        "select\u{2003}1",
        "select 1 \u{200b}",
        "select 'a' 'b'",
        "select \\ 1",
        "select a #b from t",
        "select 1a",
        "select (1",
        "select 1)",
        "select U&'x' uescape 'a'",
        "select U&'x' uescape",
        "select U&'!' uescape '!'",
        "vacuum full; frobnicate",
        "create function f() begin atomic select 1; end",
        "select * from only (orders.t)",
    ] {
        refused(text);
    }
}

/// Where a text stops making sense, as its writer sees it.
#[test]
fn typos_are_told_with_their_place() {
    let cases = [
        ("selec 1", "at or near \"selec\": no statement that is known begins so"),
        ("select 1;\nselec 'x';", "at or near \"selec\" in line 2: no statement that is known begins so"),
        ("select a b c from t", "at or near \"c\": expected the statement's end"),
        ("select a\nfrom t\nwere b = 1", "at or near \"b\" in line 3: expected the statement's end"),
        ("select a from t where ;", "at or near \";\": expected an expression"),
        ("select 1 +", "at its end: expected an expression"),
        ("select count( from t", "at or near \"(\": a bracket that is not closed"),
        ("select (1))", "at or near \")\": a bracket that was not opened"),
        ("select a from t order a", "at or near \"order\": expected the statement's end"),
        ("with a as select 1 select * from a", "at or near \"select\": expected ("),
        ("update t a = 1", "at or near \"=\": expected SET"),
        ("copy t", "at its end: COPY without FROM or TO"),
        ("select (1 'secret, found: secret')", "at or near \"'secret, found: secret'\": expected )"),
        ("create user u password 'hunter2' 'secret'", "at or near \"'secret'\": two literals side by side"),
    ];
    for (text, told) in cases {
        let fault = understand(text, &scope(), &bounds()).expect_err(text);
        assert_eq!(fault.told(text), format!("this statement is not understood {told}"), "{text}");
        assert!(!fault.to_string().contains("secret"), "{fault}");
    }
}

#[test]
fn comments_and_quotes_hide_no_statement() {
    refused("/* /* */ SELECT 1 -- */ DROP TABLE x");
    refused("/* /* */ DROP TABLE x -- */ SELECT 1");
    assert_eq!(all("/* /* */ */ select 1 -- x").len(), 1);
    refused("select 1 -- x\rdrop table x");
    assert_eq!(all("select 1 -- x\r; drop table x").len(), 2);
    assert_eq!(all("select E'\\'; drop table x; --' from t").len(), 1);
    assert_eq!(all("select $q$ '; ( $q$, \"o'clock\" from t; select 2").len(), 2);
    assert_eq!(all("select 1--1\n; drop table x").len(), 2);
    assert_eq!(all("select 1+/* ; */1").len(), 1);
}

#[test]
fn the_text_of_a_statement_keeps_its_leading_comment() {
    let statements = understand("set a to 1 ;\n/* Username: x */ SELECT 1 ; ", &scope(), &bounds()).unwrap();
    let texts: Vec<_> = statements.iter().map(|statement| &*statement.text).collect();
    assert_eq!(texts, ["set a to 1", "/* Username: x */ SELECT 1"]);
}

#[test]
fn deep_and_long_texts_do_not_overflow_the_stack() {
    let megabyte = 1 << 20;
    for unit in [
        "(",
        "[",
        "case when ",
        "not ",
        "- ",
        "a+",
        "a or ",
        "select ",
        "'a'::",
        "select 1 union ",
        "/*",
        "explain ",
        "array[",
        "interval ",
        "f(",
        "a between ",
    ] {
        let _ = understand(&format!("select {}", unit.repeat(megabyte / unit.len())), &scope(), &bounds());
        let _ = understand(&unit.repeat(megabyte / unit.len()), &scope(), &bounds());
    }
    for unit in ["1+", "1 or ", "not ", "- ", "1::int+", "select 1 union "] {
        for count in [100, 700, 1400] {
            let _ = understand(&format!("select {}1", unit.repeat(count)), &scope(), &bounds());
        }
    }
    let deep = format!("select {}1{}", "(".repeat(90), ")".repeat(90));
    assert!(understand(&deep, &scope(), &bounds()).is_ok());
    let ceiling = TextBounds { depth_max: TextBounds::DEPTH_CEILING, ..bounds() };
    for (open, close) in
        [("(", ")"), ("(select ", ")"), ("case when a then ", " end"), ("f(", ")"), ("array[", "]")]
    {
        for count in [100, 190, 390] {
            let deep = format!("select {}1{}", open.repeat(count), close.repeat(count));
            let _ = understand(&deep, &scope(), &ceiling);
        }
    }
    let many = "select 1;".repeat(10_000);
    assert!(understand(&many, &scope(), &bounds()).unwrap_err().reason.contains("too many queries"));
    let list = format!("select * from t where a in ({}1)", "1,".repeat(100_000));
    assert!(understand(&list, &scope(), &bounds()).is_ok());
}

const WORDS: &[&str] = &[
    "select",
    "from",
    "with",
    "a",
    "t",
    "as",
    "(",
    ")",
    ",",
    ";",
    "'x'",
    "insert into",
    "delete",
    "update",
    "set",
    "/*",
    "*/",
    "--",
    "\n",
    "$$",
    "\"",
    "E'",
    "\\",
    "case",
    "end",
    "create",
    "table",
    "temp",
    "explain",
    "copy",
    "to",
    "prepare",
    "execute",
    "1",
    "begin",
    "rollback",
    "unload",
    ".",
    "::",
    "only",
    "into",
    "values",
    "#b",
    "begin",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        let _ = understand(&text, &scope(), &bounds());
        let _ = fingerprint(&text);
    }

    #[test]
    fn no_mixture_of_words_panics(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..25)) {
        let _ = understand(&words.join(" "), &scope(), &bounds());
    }
}
