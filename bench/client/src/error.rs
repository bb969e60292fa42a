//! Errors of a measurement. They never contain a password.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the CA file contains no certificate: {0}")]
    Ca(#[source] rustls::pki_types::pem::Error),
    #[error("not MySQL: {0}")]
    Protocol(&'static str),
    #[error("the server answered {code}: {text}")]
    Server { code: u16, text: String },
    #[error("the job: {0}")]
    Job(String),
}

impl From<rustix::io::Errno> for Error {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}
