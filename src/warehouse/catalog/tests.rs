//! A snapshot of a server that speaks as Redshift does.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::catalog::{Catalog, RelationKind};
use crate::config::{Secret, UpstreamConfig, UpstreamTls, WarmConfig};
use crate::policy::Subject;

const LATE: &str =
    "create view mart.late as select * from orders.orders, spectrum.seen with no schema binding;";

/// What the server answers to a question that holds this text: rows, or a refusal.
const ANSWERS: [(&str, Option<&[&[&str]]>); 8] = [
    ("pg_get_viewdef", Some(&[&["mart", "late", LATE]])),
    (
        "c.relkind, pg_catalog.pg_get_userbyid",
        Some(&[
            &["orders", "orders", "r", "dbt"],
            &["mart", "late", "v", "dbt"],
            &["mart", "bound", "v", "dbt"],
        ]),
    ),
    ("a.attname", Some(&[&["orders", "orders", "id"]])),
    ("pg_depend", Some(&[&["mart", "bound", "orders", "orders", "t"]])),
    (
        "pg_proc",
        Some(&[&["lib", "f", "dbt", "plpythonu", "s", "f"], &["lib", "out", "dbt", "exfunc", "s", "f"]]),
    ),
    ("pg_get_late_binding_view_cols", Some(&[&["mart", "late", "id"]])),
    ("svv_external_tables", Some(&[&["spectrum", "seen", "f", ""]])),
    ("svv_external_columns", None),
];

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    out.extend_from_slice(body);
    out
}

async fn heard(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let tag = stream.read_u8().await.unwrap();
    let mut body = vec![0; stream.read_u32().await.unwrap() as usize - 4];
    stream.read_exact(&mut body).await.unwrap();
    (tag, body)
}

/// One session: the login by digest, and answers until the client says goodbye. Gives the startup's bytes.
async fn redshift(listener: TcpListener) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut startup = vec![0; stream.read_u32().await.unwrap() as usize - 4];
    stream.read_exact(&mut startup).await.unwrap();
    let digest = [&13_u32.to_be_bytes()[..], &[0; 4], &[0, 0, 0, 2], b"sa", &[0, 0, 0, 2], b"no"].concat();
    stream.write_all(&message(b'R', &digest)).await.unwrap();
    assert_eq!(heard(&mut stream).await.0, b'd');
    let opened = [
        message(b'R', &[0; 4]),
        message(b'S', b"server_version\x008.0.2\0"),
        message(b'K', &[0; 8]),
        message(b'Z', b"I"),
    ];
    stream.write_all(&opened.concat()).await.unwrap();
    loop {
        let (tag, body) = heard(&mut stream).await;
        if tag == b'X' {
            return startup;
        }
        let question = String::from_utf8(body).unwrap();
        let known = ANSWERS.iter().find(|(part, _)| question.contains(part));
        let answer = match known {
            None => Vec::new(),
            Some((_, None)) => message(b'E', b"SERROR\0C42501\0Mno such catalog\0\0"),
            Some((_, Some(rows))) => rows.iter().flat_map(|row| message(b'D', &row_of(row))).collect(),
        };
        stream.write_all(&[answer, message(b'Z', b"I")].concat()).await.unwrap();
    }
}

fn row_of(fields: &[&str]) -> Vec<u8> {
    let mut row = (fields.len() as u16).to_be_bytes().to_vec();
    for field in fields {
        row.extend_from_slice(&(field.len() as u32).to_be_bytes());
        row.extend_from_slice(field.as_bytes());
    }
    row
}

#[tokio::test]
async fn redshift_is_asked_in_its_own_words_after_its_own_login() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let login =
        UpstreamLogin { subject: Subject::Everyone, user: "u".to_owned(), password: Secret::new("p") };
    let warehouse = Warehouse::of(&UpstreamConfig {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        database: "dev".to_owned(),
        tls: UpstreamTls::Off,
        logins: Vec::new(),
        connect_timeout: Duration::from_secs(10),
        warm: WarmConfig::default(),
    });
    let (warehouse, max) = (warehouse.unwrap(), NonZeroUsize::new(100).unwrap());
    let (startup, loaded) = tokio::join!(redshift(listener), load(&warehouse, &login, "dev", max));
    let told = String::from_utf8_lossy(&startup).replace('\0', " ");
    assert!(told.contains("search_path pg_catalog") && told.contains("statement_timeout 120000"), "{told}");

    let catalog = Catalog::new(loaded.unwrap());
    let kind = |schema, name| catalog.relations(schema, name).next().map(|entry| entry.kind);
    assert_eq!(kind("spectrum", "seen"), Some(RelationKind::External));
    assert_eq!(kind("mart", "late"), Some(RelationKind::View));
    let late = catalog.relations("mart", "late").next().unwrap();
    assert!(late.late_binding && late.columns == ["id"], "{late:?}");
    assert_eq!(catalog.bases("mart", "late").len(), 2);
    let dependents: Vec<_> = catalog.dependents("orders", "orders").into_iter().collect();
    assert_eq!(dependents, [("mart".to_owned(), "bound".to_owned())]);
    assert_eq!(catalog.functions(Some("lib"), "out").next().unwrap().language, "exfunc");
}
