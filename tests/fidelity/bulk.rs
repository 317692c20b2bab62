//! Large fields, wide rows, long statements.

use std::io::Read;

use crate::stage::Stage;
use crate::support::client::{Client, tags};
use crate::support::say;

const FIELD_BYTES: usize = 200 << 20;
/// What the gate may hold of a field that it passes on, in KiB.
const HELD_KIB: u64 = 16 << 10;

/// Resident memory of a process at its highest, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Tags and lengths of an answer that is not kept, and the sum of its bytes.
fn weighed(client: &mut Client) -> Vec<(u8, usize, u64)> {
    let mut seen = Vec::new();
    let mut space = vec![0; 64 << 10];
    loop {
        let mut head = [0; 5];
        client.stream().read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize - 4;
        let (mut left, mut sum) = (length, 0_u64);
        while left > 0 {
            let most = left.min(space.len());
            let read = client.stream().read(&mut space[..most]).unwrap();
            assert!(read > 0, "the connection ended");
            sum += space[..read].iter().map(|byte| u64::from(*byte)).sum::<u64>();
            left -= read;
        }
        seen.push((head[0], length, sum));
        if head[0] == b'Z' {
            return seen;
        }
    }
}

#[test]
fn large_fields_and_texts_pass_and_the_gate_holds_none_of_a_field() {
    let stage = Stage::build();
    stage.through().client().value("SELECT 1");
    let before = peak_kib(stage.gate.pid());
    let sql = format!("SELECT repeat('x', {FIELD_BYTES}), 1");
    stage.alike("a field of 200 MB", |end| {
        let mut client = end.client();
        client.send(&say::query(&sql)).unwrap();
        weighed(&mut client)
    });
    stage.alike("a field of 200 MB by the extended protocol", |end| {
        let mut client = end.client();
        let said = [say::parse("", &sql), say::bind("", "", &[]), say::execute("", 0), say::sync()];
        client.send(&said.concat()).unwrap();
        weighed(&mut client)
    });
    let grown = peak_kib(stage.gate.pid()) - before;
    assert!(grown < HELD_KIB, "the gate grew by {grown} KiB");

    let columns: Vec<String> = (0..1600).map(|n| format!("{n} AS column_{n}")).collect();
    let wide = format!("SELECT {}", columns.join(", "));
    stage.alike("1,600 columns", |end| end.client().query(&wide).unwrap());
    stage.alike("1,600 columns by the extended protocol", |end| {
        let mut client = end.client();
        let said = [
            say::parse("s", &wide),
            say::describe(b'S', "s"),
            say::bind("", "s", &[]),
            say::execute("", 0),
            say::sync(),
        ];
        client.send(&said.concat()).unwrap();
        client.until(b'Z').unwrap()
    });

    let long = format!("SELECT length('{}')", "x".repeat(10 << 20));
    stage.alike("a text of 10 MB", |end| end.client().value(&long));
    stage.alike("a text of 10 MB by the extended protocol", |end| {
        let mut client = end.client();
        let said = [say::parse("", &long), say::bind("", "", &[]), say::execute("", 0), say::sync()];
        client.send(&said.concat()).unwrap();
        client.until(b'Z').unwrap()
    });
    stage.alike("a parameter of 40 MB", |end| {
        let mut client = end.client();
        let value = "x".repeat(40 << 20);
        let said = [
            say::parse("", "SELECT length($1::text)"),
            say::bind("", "", &[&value]),
            say::execute("", 0),
            say::sync(),
        ];
        client.send(&said.concat()).unwrap();
        client.until(b'Z').unwrap()
    });
}

#[test]
fn a_text_over_the_bound_is_refused_and_its_session_goes_on() {
    let stage = Stage::build();
    let mut client = stage.through().client();
    let long = format!("SELECT length('{}')", "x".repeat(17 << 20));
    let error = client.error(&long);
    assert_eq!(error.sqlstate(), "54000");
    assert!(error.text().starts_with("tollgate: message of 17825"), "{}", error.text());
    assert_eq!(client.value("SELECT 1"), "1");
    client.run("BEGIN");
    client.error(&long);
    assert_eq!(client.error("SELECT 1").sqlstate(), "25P02");
    client.run("ROLLBACK");
    let said = [
        say::parse("", "SELECT 1"),
        say::parse("s", &long),
        say::bind("", "s", &[]),
        say::execute("", 0),
        say::sync(),
    ];
    client.send(&said.concat()).unwrap();
    assert_eq!(tags(&client.until(b'Z').unwrap()), "1EZ");
    assert_eq!(client.value("SELECT 1"), "1");
    // Behind an error nothing is looked at, however long or broken.
    for said in [say::parse("s", &long), say::message(b'D', b"Zs\0"), say::message(b'Q', b"no end")] {
        client.send(&[say::parse("", "SELECT nope"), say::flush()].concat()).unwrap();
        client.until(b'E').unwrap();
        client.send(&[said, say::sync()].concat()).unwrap();
        assert_eq!(tags(&client.until(b'Z').unwrap()), "Z");
        assert_eq!(client.value("SELECT 1"), "1");
    }
}
