//! Targets over TLS: certificates are verified unless the user says otherwise, and then the reports say so.

use std::sync::Arc;
use std::time::SystemTime;

use stepup::registry::{Registry, Settings, serve};
use stepup::report::{html, junit, markdown, sarif, tap};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::program::{Ran, check_into};

const CASE: [&str; 2] = ["--case", "disabled/token-create/*"];

/// The reference registry behind TLS, its port, and its certificate in PEM; that of an authority where it is to be one.
async fn registry_with(authority: bool) -> (u16, String) {
    let registry = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let upstream = registry.local_addr().expect("an address");
    tokio::spawn(serve(registry, Registry::new(Settings::new(Arc::new(SystemTime::now))), std::future::pending()));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut parameters = rcgen::CertificateParams::new(names).expect("parameters");
    if authority {
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    }
    let signing = rcgen::KeyPair::generate().expect("a key");
    let certificate = parameters.self_signed(&signing).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a configuration")));
    let front = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = front.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = front.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate leaves.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut upstream = TcpStream::connect(upstream).await.expect("the registry listens");
                let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
            });
        }
    });
    (port, certificate.pem())
}

async fn registry() -> (u16, String) {
    registry_with(false).await
}

async fn check(address: String, more: Vec<String>) -> Ran {
    tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        check_into(&[&["--target", &address], &CASE[..], &more].concat(), folder.path())
    })
    .await
    .expect("it ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_verified_against_the_authorities_that_are_trusted() {
    let (port, pem) = registry().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (right, wrong, none) =
        (folder.path().join("ca.pem"), folder.path().join("other.pem"), folder.path().join("no.pem"));
    std::fs::write(&right, pem).expect("written");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(&wrong, other.cert.pem()).expect("written");
    std::fs::write(&none, "no certificate").expect("written");
    for host in ["localhost", "127.0.0.1"] {
        let address = format!("https://{host}:{port}");
        let with = |file: &std::path::Path| vec!["--cacert".to_owned(), file.display().to_string()];

        let ran = check(address.clone(), vec![]).await;
        assert_eq!(ran.code, Some(3), "{}", ran.said);
        let said = ran.said.replace("\n  │ ", " ");
        assert!(said.contains("certificate cannot be verified") && said.contains("--cacert"), "{said}");

        let ran = check(address.clone(), with(&right)).await;
        assert_eq!(ran.code, Some(0), "{}", ran.said);
        assert!(!ran.said.contains("not verified") && !ran.result.expect("a result").target.unverified, "{}", ran.said);

        let ran = check(address.clone(), with(&wrong)).await;
        assert_eq!(ran.code, Some(3), "{}", ran.said);

        let ran = check(address.clone(), with(&none)).await;
        assert!(ran.code == Some(2) && ran.said.contains("holds no certificate"), "{}", ran.said);
    }
}

/// As `openssl req -x509` makes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shows_an_authoritys_own_certificate_is_told_what_is_wrong_with_it() {
    let (port, pem) = registry_with(true).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).expect("written");
    let given = vec!["--cacert".to_owned(), file.display().to_string()];
    let ran = check(format!("https://localhost:{port}"), given).await;
    let said = ran.said.replace("\n  │ ", " ");
    assert!(
        ran.code == Some(3) && said.contains("that of an authority (CA:TRUE") && said.contains("--insecure"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_not_verified_is_told_in_the_reports() {
    let (port, _) = registry().await;
    let ran = check(format!("https://localhost:{port}"), vec!["--insecure".to_owned()]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.said.contains("certificate was not verified"), "{}", ran.said);
    let mut result = ran.result.expect("a result");
    assert!(result.target.unverified);
    let rendered = |result: &stepup::result::RunResult| {
        [
            html::render(result).expect("renders"),
            markdown::render(result),
            junit::render(result).expect("renders"),
            sarif::render(result).expect("renders"),
            tap::render(result),
        ]
    };
    for (report, name) in rendered(&result).iter().zip(["html", "markdown", "junit", "sarif", "tap"]) {
        assert!(report.contains("certificate was not verified"), "{name}");
    }
    result.target.unverified = false;
    assert!(rendered(&result).iter().all(|report| !report.contains("certificate was not verified")));
}
