//! What a server can do to the client that a real Prometheus can't be made to do.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use floorkeeper_core::{Failure, Timestamp};
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::config::{Auth, Prometheus, SecretKey, Tls};
use super::credentials::Secrets;
use super::prometheus::{Client, Unusable};
use super::reply;

const EMPTY: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
const LIMIT: usize = 1 << 20;

fn server(url: &str) -> Prometheus {
    Prometheus {
        url: url.parse().unwrap(),
        headers: Vec::new(),
        parameters: Vec::new(),
        auth: Auth::None,
        tls: Tls::default(),
    }
}

fn client(url: &str) -> Client {
    Client::new(&server(url), &Secrets::default(), Duration::from_secs(20), LIMIT).unwrap()
}

/// Serves one answer for everything.
async fn serve<A, F>(answer: A) -> String
where
    A: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Answers each connection with these bytes and closes it.
async fn raw(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    url
}

async fn failure_of(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> Failure {
    let url = serve(move |_| std::future::ready(answer.clone().into_response())).await;
    client(&url).instant("x").await.unwrap_err()
}

#[tokio::test]
async fn a_gigabyte_is_cut_off_at_the_limit() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let url = serve(move |_| {
        let counter = Arc::clone(&counter);
        let piece = Bytes::from(vec![b' '; 64 * 1024]);
        let pieces = futures::stream::iter(0..16 * 1024).map(move |_| {
            counter.fetch_add(piece.len(), Ordering::Relaxed);
            Ok::<_, std::io::Error>(piece.clone())
        });
        std::future::ready(Body::from_stream(pieces).into_response())
    })
    .await;
    assert_eq!(client(&url).instant("x").await, Err(Failure::TooLarge));
    // What lies in the buffers of both sides' sockets was sent too.
    assert!(sent.load(Ordering::Relaxed) < 64 << 20, "{} bytes were taken", sent.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_not_read() {
    let url = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n{".to_vec()).await;
    assert_eq!(client(&url).instant("x").await, Err(Failure::TooLarge));
}

#[tokio::test]
async fn a_packed_body_counts_unpacked() {
    let packed = packed_spaces(64 << 20);
    assert!(packed.len() < LIMIT / 2, "the bomb is {} bytes", packed.len());
    assert_eq!(failure_of(([(header::CONTENT_ENCODING, "gzip")], packed)).await, Failure::TooLarge);
    assert_eq!(failure_of(([(header::CONTENT_ENCODING, "gzip")], "no gzip")).await, Failure::Garbage);
}

#[tokio::test]
async fn a_drip_ends_with_the_timeout() {
    let url = serve(|_| {
        let drip = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
        });
        std::future::ready(Body::from_stream(drip).into_response())
    })
    .await;
    let client = Client::new(&server(&url), &Secrets::default(), Duration::from_millis(300), LIMIT).unwrap();
    assert_eq!(client.instant("x").await, Err(Failure::Timeout));
}

#[tokio::test]
async fn silence_ends_with_the_timeout() {
    let url = serve(|_| std::future::pending()).await;
    let client = Client::new(&server(&url), &Secrets::default(), Duration::from_millis(200), LIMIT).unwrap();
    assert_eq!(client.instant("x").await, Err(Failure::Timeout));
}

#[tokio::test]
async fn half_an_answer_is_none() {
    let declared = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"status\":".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{\"status\":".to_vec();
    let no_http = b"hello\r\n\r\n".to_vec();
    let cases = [
        (declared, Failure::Garbage),
        (chunked, Failure::Garbage),
        (no_http, Failure::Unreachable),
        (Vec::new(), Failure::Unreachable),
    ];
    for (answer, failure) in cases {
        let url = raw(answer.clone()).await;
        assert_eq!(client(&url).instant("x").await, Err(failure), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(client(&url).instant("x").await, Err(Failure::Unreachable));
}

#[tokio::test]
async fn statuses_are_told() {
    assert_eq!(failure_of(StatusCode::TOO_MANY_REQUESTS).await, Failure::Status(429));
    assert_eq!(failure_of((StatusCode::SERVICE_UNAVAILABLE, "busy")).await, Failure::Status(503));
    assert_eq!(failure_of((StatusCode::UNAUTHORIZED, EMPTY)).await, Failure::Status(401));
    let timeout = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
    assert_eq!(failure_of((StatusCode::SERVICE_UNAVAILABLE, timeout)).await, Failure::Timeout);
    let bad = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
    assert_eq!(failure_of((StatusCode::BAD_REQUEST, bad)).await, Failure::Refused);
    let endless = "x".repeat(2 * LIMIT);
    assert_eq!(failure_of((StatusCode::BAD_GATEWAY, endless)).await, Failure::Status(502));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let elsewhere = serve(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::ready(EMPTY.into_response())
    })
    .await;
    for status in [StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT] {
        let answer = (status, [(header::LOCATION, format!("{elsewhere}/api/v1/query"))]);
        assert_eq!(failure_of(answer).await, Failure::Status(status.as_u16()));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_content_counts_not_its_type() {
    for kind in ["text/html", "application/octet-stream", ""] {
        let url = serve(move |_| std::future::ready(([(header::CONTENT_TYPE, kind)], EMPTY).into_response())).await;
        let body = client(&url).instant("x").await.unwrap();
        assert_eq!(reply::parse(&body).unwrap().series, []);
    }
}

#[tokio::test]
async fn a_question_carries_what_the_source_says() {
    let url = serve(|request: Request| async {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, LIMIT).await.unwrap_or_default();
        let get = |headers: &HeaderMap, name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned()
        };
        let told = [
            parts.method.to_string(),
            parts.uri.to_string(),
            get(&parts.headers, "x-scope-orgid"),
            get(&parts.headers, "authorization"),
            get(&parts.headers, "content-type"),
            String::from_utf8_lossy(&body).into_owned(),
        ];
        told.join("\n").into_response()
    })
    .await;
    let key = |key: &str| SecretKey { secret: "mimir".into(), key: key.into() };
    let secrets = Secrets::of(&[("mimir", "token", b"s3cret\n"), ("mimir", "user", b"ann"), ("mimir", "pass", b"p:w")]);
    let with = |auth: Auth| {
        let mut server = server(&format!("{url}/prometheus/"));
        server.headers = vec![("X-Scope-OrgID".to_owned(), "team-a".to_owned())];
        server.parameters = vec![("partial_response".to_owned(), "false & more".to_owned())];
        server.auth = auth;
        Client::new(&server, &secrets, Duration::from_secs(20), LIMIT).unwrap()
    };
    let bearer = with(Auth::Bearer(key("token")));
    assert_eq!(
        String::from_utf8(bearer.instant("sum(x) + 1").await.unwrap()).unwrap(),
        "POST\n/prometheus/api/v1/query?partial_response=false+%26+more\nteam-a\nBearer s3cret\n\
         application/x-www-form-urlencoded\nquery=sum%28x%29+%2B+1"
    );
    let basic = with(Auth::Basic { username: key("user"), password: key("pass") });
    let past = basic.range("x", Timestamp(1500), Timestamp(61_500), Duration::from_secs(15)).await.unwrap();
    assert_eq!(
        String::from_utf8(past).unwrap(),
        "POST\n/prometheus/api/v1/query_range?partial_response=false+%26+more\nteam-a\nBasic YW5uOnA6dw==\n\
         application/x-www-form-urlencoded\nquery=x&start=1.500&end=61.500&step=15000ms"
    );
    for shown in [format!("{bearer:?}"), format!("{basic:?}"), format!("{secrets:?}"), format!("{:?}", server(&url))] {
        for secret in ["s3cret", "p:w", "team-a", "false & more"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn what_can_not_be_used_is_said() {
    let key = |key: &str| SecretKey { secret: "mimir".into(), key: key.into() };
    let secrets = Secrets::of(&[("mimir", "text", b"no certificate"), ("mimir", "bytes", &[0xff])]);
    let with = |change: &dyn Fn(&mut Prometheus)| {
        let mut server = server("https://localhost");
        change(&mut server);
        Client::new(&server, &secrets, Duration::from_secs(1), LIMIT).map(drop).unwrap_err()
    };
    assert_eq!(
        with(&|server| server.auth = Auth::Bearer(key("none"))),
        Unusable::NoSecret("mimir".to_owned(), "none".to_owned())
    );
    assert_eq!(
        with(&|server| server.auth = Auth::Bearer(key("bytes"))),
        Unusable::NotText("mimir".to_owned(), "bytes".to_owned())
    );
    assert!(matches!(with(&|server| server.tls.ca = Some(key("text"))), Unusable::NotPem("the CA", _)));
    let client = super::config::ClientCertificate { certificate: key("text"), key: key("text") };
    assert!(matches!(
        with(&|server| {
            server.url = "http://localhost".parse().unwrap();
            server.tls.client = Some(client.clone());
        }),
        Unusable::NotPem("the client certificate", _)
    ));
    assert!(matches!(with(&|server| server.headers = vec![("a b".to_owned(), String::new())]), Unusable::Header(_)));
}

/// A gzip stream of so many spaces: one literal, then matches of length 258 at distance 1, in the fixed code.
fn packed_spaces(length: usize) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let (mut bits, mut count) = (0_u32, 0);
    let mut put = |value: u32, width: u32, reversed: bool| {
        for place in 0..width {
            let bit = if reversed { value >> (width - 1 - place) } else { value >> place } & 1;
            bits |= bit << count;
            count += 1;
            if count == 8 {
                packed.push(bits.to_le_bytes()[0]);
                (bits, count) = (0, 0);
            }
        }
    };
    put(0b011, 3, false);
    put(0x30 + u32::from(b' '), 8, true);
    for _ in 0..length / 258 {
        put(0b1100_0101, 8, true);
        put(0, 5, true);
    }
    put(0, 7 + 8, true);
    packed
}
