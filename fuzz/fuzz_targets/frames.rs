//! Bytes of a client: no panic, whatever their lengths and counts claim.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate::wire::message::decode;
use tollgate::wire::{header, startup};

fuzz_target!(|bytes: &[u8]| {
    if let Some((tag, body)) = bytes.split_first() {
        let _ = decode(*tag, body);
    }
    let _ = startup::packet(bytes);
    let _ = header(bytes);
});
