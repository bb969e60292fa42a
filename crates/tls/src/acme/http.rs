//! HTTPS client for CAs: one verified request per connection, bounded in time and size. Never
//! follows a redirect and never speaks plain HTTP.

use crate::acme::limits::{HTTP_BODY_MAX, HTTP_MAX, RETRY_AFTER_MAX};
use crate::dial::dial;
use crate::lock::locked;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::header::{HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio_rustls::TlsConnector;

type Other = Box<dyn std::error::Error + Send + Sync>;

/// The CA's last Retry-After, which instant-acme does not return.
pub type RetryAfter = Arc<Mutex<Option<Duration>>>;

pub struct Https {
    pub tls: Arc<ClientConfig>,
    pub patience: RetryAfter,
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let tls = self.tls.clone();
        let patience = self.patience.clone();
        Box::pin(async move {
            let said = match tokio::time::timeout(HTTP_MAX, exchange(tls, request)).await {
                Ok(said) => said.map_err(Error::Other)?,
                Err(_) => {
                    return Err(Error::Other(
                        format!("no answer within {} s", HTTP_MAX.as_secs()).into(),
                    ));
                }
            };
            if matches!(
                said.parts.status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            ) {
                let wait = said.parts.headers.get(RETRY_AFTER).and_then(retry_delay);
                *locked(&patience) = wait;
            }
            Ok(said)
        })
    }
}

/// Reads a Retry-After: seconds, or a date in one of the forms of HTTP (RFC 9110, section 10.2.3).
/// A date that is over asks for no delay.
fn retry_delay(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    let wait = match text.parse().map(Duration::from_secs) {
        Ok(wait) => wait,
        Err(_) => {
            let at = httpdate::parse_http_date(text).ok()?;
            at.duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

async fn exchange(
    tls: Arc<ClientConfig>,
    mut request: Request<BodyWrapper<Bytes>>,
) -> Result<BytesResponse, Other> {
    let uri = request.uri().clone();
    if uri.scheme_str() != Some("https") {
        return Err(format!("{uri} is not https").into());
    }
    let authority = uri.authority().ok_or("the URL names no host")?;
    let host = authority
        .host()
        // An IPv6 address has brackets in a URL, but not as a server name.
        .trim_start_matches('[')
        .trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(443);
    let name = ServerName::try_from(host.to_owned())?;
    let tcp = dial(host, port)
        .await
        .map_err(|error| format!("{host}:{port}: {error}"))?;
    let stream = TlsConnector::from(tls)
        .connect(name, tcp)
        .await
        .map_err(|error| format!("{host}:{port}: {error}"))?;
    request
        .headers_mut()
        .insert(HOST, HeaderValue::from_str(authority.as_str())?);
    // HTTP/1.1 requests contain the path only; the host is in its header.
    *request.uri_mut() = uri
        .path_and_query()
        .map_or(Uri::from_static("/"), |path| Uri::from(path.clone()));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let talk = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, HTTP_BODY_MAX)
            .collect()
            .await?
            .to_bytes();
        Ok(BytesResponse {
            parts,
            body: Box::new(body),
        })
    };
    // The connection moves the bytes while the request runs. If it ends first, the rest of the
    // response is already buffered.
    let mut connection = std::pin::pin!(connection);
    let mut talk = std::pin::pin!(talk);
    tokio::select! {
        answer = &mut talk => answer,
        ended = &mut connection => {
            ended?;
            talk.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_is_seconds_or_a_date() {
        let later = SystemTime::now() + Duration::from_secs(7200);
        let date = httpdate::fmt_http_date(later);
        for (text, least, most) in [
            ("120", 120, 120),
            (" 7 ", 7, 7),
            (date.as_str(), 7195, 7200),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 0, 0),
            ("999999999999", 172_800, 172_800),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 172_800, 172_800),
        ] {
            let value = HeaderValue::from_str(text).unwrap();
            let wait = retry_delay(&value).unwrap().as_secs();
            assert!((least..=most).contains(&wait), "{text}: {wait}");
        }
        for text in ["", "soon", "-5", "1.5", "2026-12-01T00:00:00Z"] {
            assert_eq!(
                retry_delay(&HeaderValue::from_str(text).unwrap()),
                None,
                "{text}"
            );
        }
    }
}
