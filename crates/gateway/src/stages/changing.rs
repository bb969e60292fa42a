//! Changing: the client of a session logs in as another user, also of another cluster, with
//! COM_CHANGE_USER. It passes all stages of a first login again, inside its TLS session, with the
//! bounds of a first login. Its former session goes on to exist until the password is proved.

use super::attached::Attached;
use super::authenticated::Authenticated;
use super::identified::Identified;
use super::relaying::Relaying;
use crate::connection::{Connection, evicted};
use crate::previous_session::PreviousSession;
use crate::tls_stream::TlsStream;
use std::sync::Arc;
use tidegate_model::journal::{ConnectionFacts, Ending, SessionUser, UserChanged};
use tidegate_model::{Activity, AdmissionPlace, Event};
use tidegate_tls::Turns;
use tidegate_wire::server::SessionTerms;
use tokio::time::Instant;

/// Session whose client has begun a COM_CHANGE_USER.
pub(crate) struct Changing {
    pub connection: Connection,
    pub tls: Box<TlsStream>,
    pub terms: SessionTerms,
    pub previous: PreviousSession,
}

impl Changing {
    /// Takes a relaying session apart. `place`: its place among the connections that have not
    /// proved a password.
    pub fn begin(relaying: Relaying, place: AdmissionPlace) -> Self {
        let Relaying {
            driver,
            lease,
            guard,
            shared,
            terms,
            client,
            local,
            place: session_place,
            ..
        } = relaying;
        // The lease says that the session is busy, so that its engine stays awake meanwhile.
        lease.report(Activity::Busy);
        let turns = Turns::new(shared.handshakes.clone(), *place.path(), place.is_known());
        let session = driver.engine_session();
        let (client_parts, engine) = driver.into_parts();
        let (stream, records) = engine.into_parts();
        Self {
            tls: Box::new(TlsStream::resume(client_parts, turns)),
            connection: Connection {
                guard,
                shared,
                client,
                local,
                accepted: Instant::now(),
                place: Some(place),
                arriving: None,
                session_place,
            },
            terms,
            previous: PreviousSession {
                lease,
                stream,
                records,
                session,
            },
        }
    }

    /// Logs the client in, and goes on to relay. If that fails, the client has been told why and
    /// the connection ends, as MySQL does it.
    pub async fn log_in(self, facts: &mut ConnectionFacts) -> Result<Relaying, Ending> {
        let Self {
            connection,
            tls,
            terms,
            previous,
        } = self;
        let stop = connection.shared.stop.clone();
        let eviction = connection.evicted();
        let killed = connection.guard.killed();
        let session = connection.guard.id();
        let client = connection.client;
        let journal = Arc::clone(&connection.shared.journal);
        let from = SessionUser::from(&*facts);
        let mut previous = Some(previous);
        let login = async {
            let identified = Identified::read_change(connection, tls, terms).await?;
            let authenticated = Authenticated::check_password(identified, facts).await?;
            let attached = Attached::open_session(authenticated, &mut previous, facts).await?;
            Relaying::confirm_login(attached).await
        };
        let changed = tokio::select! {
            biased;
            changed = Box::pin(login) => changed,
            () = stop.cancelled() => Err(Ending::Shutdown),
            () = eviction => Err(evicted()),
            () = killed => Err(Ending::Killed),
        };
        if let Some(previous) = previous {
            previous.quit().await;
        }
        let to = SessionUser::from(&*facts);
        // A pool that only resets its connection changes nothing.
        if changed.is_ok() && from != to {
            let user = UserChanged {
                session,
                client,
                from,
                to,
            };
            journal.record(&Event::UserChanged(Box::new(user)));
        }
        changed
    }
}
