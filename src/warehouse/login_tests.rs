use tokio::io::DuplexStream;

use super::*;
use crate::identity::{ScramServer, Verifier};

const OPENED: &[u8] =
    b"R\0\0\0\x08\0\0\0\0S\0\0\0\x15server_version\08\0K\0\0\0\x0c\0\0\0\x07abcdZ\0\0\0\x05Irest";

async fn run(
    clear: bool,
    server: impl AsyncFnOnce(DuplexStream),
) -> Result<LoggedIn<DuplexStream>, LoginFault> {
    let (near, far) = tokio::io::duplex(4096);
    let parameters = [("database".to_owned(), "dev".to_owned())];
    let password = Secret::new("secret");
    let keys = KeyRing::default();
    let credentials = Credentials { user: "tollgate", password: &password, clear, keys: &keys };
    let (outcome, ()) = tokio::join!(login(near, &parameters, credentials), server(far));
    outcome
}

async fn startup(far: &mut DuplexStream) {
    let length = far.read_i32().await.unwrap();
    let mut body = vec![0; length as usize - 4];
    far.read_exact(&mut body).await.unwrap();
    assert!(body.starts_with(b"\0\x03\0\0user\0tollgate\0database\0dev\0"), "{body:?}");
}

async fn message(far: &mut DuplexStream) -> (u8, Vec<u8>) {
    let tag = far.read_u8().await.unwrap();
    let mut body = vec![0; far.read_i32().await.unwrap() as usize - 4];
    far.read_exact(&mut body).await.unwrap();
    (tag, body)
}

async fn request(far: &mut DuplexStream, code: i32, data: &[u8]) {
    far.write_u8(b'R').await.unwrap();
    far.write_i32(data.len() as i32 + 8).await.unwrap();
    far.write_i32(code).await.unwrap();
    far.write_all(data).await.unwrap();
}

#[tokio::test]
async fn a_cleartext_password_opens_a_session() {
    let logged_in = run(true, async |mut far| {
        startup(&mut far).await;
        request(&mut far, 3, &[]).await;
        assert_eq!(message(&mut far).await, (b'p', b"secret\0".to_vec()));
        far.write_all(OPENED).await.unwrap();
    })
    .await
    .unwrap();
    assert_eq!((logged_in.process_id, &logged_in.secret[..], logged_in.status), (7, &b"abcd"[..], b'I'));
    assert_eq!(logged_in.parameters, [("server_version".to_owned(), "8".to_owned())]);
    assert_eq!(&logged_in.leftover[..], b"rest");
}

#[tokio::test]
async fn no_password_is_sent_in_clear_where_it_could_be_read() {
    let outcome = run(false, async |mut far| {
        startup(&mut far).await;
        request(&mut far, 3, &[]).await;
    })
    .await;
    assert!(matches!(outcome, Err(LoginFault::ClearPassword)));
}

#[tokio::test]
async fn md5_hashes_password_name_and_salt() {
    let outcome = run(false, async |mut far| {
        startup(&mut far).await;
        request(&mut far, 5, b"salt").await;
        let expected = format!("{}\0", md5_hash(b"tollgate", b"secret", *b"salt"));
        assert_eq!(message(&mut far).await, (b'p', expected.into_bytes()));
        far.write_all(OPENED).await.unwrap();
    })
    .await;
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[tokio::test]
async fn scram_proves_both_sides() {
    let scram = async |far: &mut DuplexStream, password: &str, forge: bool| {
        startup(far).await;
        request(far, 10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0").await;
        let (_, first) = message(far).await;
        let first = first.strip_prefix(b"SCRAM-SHA-256\0").unwrap()[4..].to_vec();
        let verifier = Verifier::from_password(password, b"0123456789abcdef", crate::identity::ITERATIONS);
        let (server, server_first) = ScramServer::start(&verifier, &first, "server").unwrap();
        request(far, 11, &server_first).await;
        let (_, last) = message(far).await;
        match server.finish(&last) {
            Ok(_) if forge => request(far, 12, b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").await,
            Ok(server_final) => {
                request(far, 12, &server_final).await;
                far.write_all(OPENED).await.unwrap();
            }
            Err(_) => far.write_all(b"E\0\0\0\x0cC28P01\0\0").await.unwrap(),
        }
    };
    assert!(run(false, async |mut far| scram(&mut far, "secret", false).await).await.is_ok());
    let wrong = run(false, async |mut far| scram(&mut far, "other", false).await).await;
    assert!(matches!(wrong, Err(LoginFault::Refused(_))));
    let forged = run(false, async |mut far| scram(&mut far, "secret", true).await).await;
    assert!(matches!(forged, Err(LoginFault::Scram(ExchangeFault::Signature))));
}

#[tokio::test]
async fn redshifts_digest_is_the_hash_of_hash_and_nonces() {
    let outcome = run(false, async |mut far| {
        startup(&mut far).await;
        request(&mut far, 13, b"\0\0\0\0\0\0\0\x04salt\0\0\0\x05nonce").await;
        let (tag, body) = message(&mut far).await;
        assert_eq!(tag, b'd');
        let mut fields = Fields(&body);
        let (answer, client_nonce) = (fields.bytes().unwrap(), fields.bytes().unwrap());
        let stored = digest::digest(&digest::SHA256, b"secretsalt");
        let whole = [stored.as_ref(), b"nonce", client_nonce].concat();
        assert_eq!(answer, digest::digest(&digest::SHA256, &whole).as_ref());
        assert!(fields.0.is_empty());
        far.write_all(OPENED).await.unwrap();
    })
    .await;
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[tokio::test]
async fn nonsense_is_a_fault_and_never_a_hang() {
    let cases: [&[u8]; 9] = [
        b"",
        b"R\0\0",
        b"R\0\0\0\x03",
        b"R\x7f\xff\xff\xff",
        b"Z\0\0\0\x05I",
        b"R\0\0\0\x08\0\0\0\x07",
        b"R\0\0\0\x0c\0\0\0\x0d\0\0\0\x01",
        b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I",
        b"R\0\0\0\x08\0\0\0\0K\0\0\0\x08\0\0\0\x07",
    ];
    for bytes in cases {
        let outcome = run(true, async |mut far| {
            startup(&mut far).await;
            far.write_all(bytes).await.unwrap();
        })
        .await;
        assert!(outcome.is_err(), "{bytes:?}");
    }
}
