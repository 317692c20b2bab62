//! Protocol 3.2: what is negotiated, and cancel keys of either length.

use crate::stage::{End, Stage};
use crate::support::client::Client;
use crate::support::say;

const VERSION_3_2: u32 = (3 << 16) | 2;
const SLEEP: &str = "SELECT pg_sleep(60)";

/// A session that asked for `minor` and these options besides.
fn open(end: &End<'_>, minor: u32, options: &str) -> Client {
    let mut client = Client::connect(end.port).unwrap();
    let parameters = format!("user\0{}\0database\0dev\0{options}\0", end.user);
    client.send(&say::packet((3 << 16) | minor, parameters.as_bytes())).unwrap();
    client.authenticate(end.password).unwrap();
    client
}

/// The body of NegotiateProtocolVersion.
fn negotiation(version: u32, options: &[&str]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend_from_slice(&(options.len() as u32).to_be_bytes());
    body.extend(options.iter().flat_map(|option| [option.as_bytes(), &[0]].concat()));
    body
}

#[test]
fn newer_protocols_are_negotiated_and_their_longer_keys_stop_statements() {
    let stage = Stage::build();
    let gate = stage.through();
    let option = "_pq_.test_protocol_negotiation\0x\0";
    let named = ["_pq_.test_protocol_negotiation"];
    for (minor, options, key_bytes, negotiated) in [
        (0, "", 8, None),
        (2, "", 36, None),
        (9999, "", 36, Some(negotiation(VERSION_3_2, &[]))),
        (9999, option, 36, Some(negotiation(VERSION_3_2, &named))),
        (2, option, 36, Some(negotiation(VERSION_3_2, &named))),
        (0, option, 8, Some(negotiation(say::PROTOCOL_3_0, &named))),
    ] {
        let mut client = open(&gate, minor, options);
        assert_eq!((client.key.len(), &client.negotiated), (key_bytes, &negotiated), "3.{minor} {options}");
        client.send(&say::query(SLEEP)).unwrap();
        stage.until(&client, "wait_event = 'PgSleep'");
        // A part of the key, or one longer, stops nothing.
        for wrong in
            [&client.key[..8], &[&client.key[..], &[0]].concat(), &[&client.key[..7], b"xyz"].concat()]
        {
            if *wrong != client.key[..] {
                gate.cancel(wrong);
            }
        }
        stage.until(&client, "wait_event = 'PgSleep'");
        gate.cancel(&client.key.clone());
        let frames = client.until(b'Z').unwrap();
        let error = frames.iter().find(|frame| frame.tag == b'E').unwrap();
        assert_eq!(error.sqlstate(), "57014");
        assert_eq!(client.value("SELECT 7"), "7");
    }
}

#[test]
fn a_server_of_protocol_3_0_negotiates_in_the_same_form() {
    let stage = Stage::build();
    // A server that knows no later protocol answers with its own newest version, whole.
    let seen = open(&stage.direct(), 9999, "_pq_.x\0y\0").negotiated.unwrap();
    assert_eq!(seen[..2], [0, 3]);
    assert_eq!(seen[4..], negotiation(0, &["_pq_.x"])[4..]);
    // Two keys have nothing in common.
    let [one, other] = [(); 2].map(|()| open(&stage.through(), 2, "").key);
    assert_ne!(one[4..], other[4..]);
}
