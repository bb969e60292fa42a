//! Comparison with `mysql_common`: each of the two reads the packets that the other writes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic; that is how it fails"
)]

mod oracle_values;

use mysql_common::auth::plugins::mysql_native_password::scramble_native;
use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::packets::{
    AuthMoreData, AuthPlugin, AuthSwitchRequest, ComChangeUser, ComChangeUserMoreData,
    CommonOkPacket, ErrPacket as TheirErr, HandshakePacket, HandshakeResponse as TheirResponse,
    OkPacketDeserializer, ServerError, SqlState, SslRequest,
};
use oracle_values::*;
use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_wire::auth;
use tidegate_wire::capabilities::{Capabilities, OFFERED};
use tidegate_wire::change_user::ChangeUser;
use tidegate_wire::client::{ClientIdentity, ClientLogin, ClientStep};
use tidegate_wire::first_packet::{ClientName, FirstPacket};
use tidegate_wire::greeting::{Opening, salt_from_random};
use tidegate_wire::handshake_response::HandshakeResponse;
use tidegate_wire::packet::{HEADER_LEN, Header, Packet, write_packet};
use tidegate_wire::query;
use tidegate_wire::relay::{FromClient, Intercepted, Relay};
use tidegate_wire::response::{ErrPacket, OkPacket};
use tidegate_wire::server::{Credential, LoginStep, ServerLogin};

proptest! {
    #[test]
    fn our_greeting_is_theirs(ours in greetings()) {
        let bytes = ours.encode();
        let read: HandshakePacket<'_> = read(&bytes, ());
        prop_assert_eq!(read.protocol_version(), 10);
        prop_assert_eq!(read.server_version_ref(), &ours.version[..]);
        prop_assert_eq!(read.connection_id(), ours.connection_id);
        prop_assert_eq!(read.nonce(), ours.salt);
        prop_assert_eq!(u64::from(read.capabilities().bits()), ours.capabilities.0);
        prop_assert_eq!(read.default_collation(), ours.collation);
        prop_assert_eq!(read.status_flags().bits(), ours.status);
        prop_assert_eq!(read.auth_plugin_name_ref(), Some(&ours.plugin[..]));
        prop_assert_eq!(read.mariadb_ext_capabilities().bits(), 0, "none of MariaDB's flags");
    }

    #[test]
    fn their_greeting_is_ours(want in greetings()) {
        let (head, tail) = want.salt.split_first_chunk::<8>().unwrap();
        let flags = theirs_flags(want.capabilities);
        let status = StatusFlags::from_bits_truncate(want.status);
        let tail = [tail, b"\0"].concat();
        let theirs = write(&HandshakePacket::new(
            10, want.version.clone(), want.connection_id, *head, Some(tail), flags,
            want.collation, status,
            Some(want.plugin.clone()),
        ));
        prop_assert_eq!(Opening::parse(&theirs), Ok(Opening::Greeting(want)));
    }

    #[test]
    fn our_login_is_theirs((ours, pairs) in responses()) {
        let bytes = ours.encode();
        let read: TheirResponse<'_> = read(&bytes, ());
        prop_assert_eq!(read.user(), &ours.user[..]);
        prop_assert_eq!(read.scramble_buf(), &ours.auth_response[..]);
        prop_assert_eq!(read.db_name(), ours.database.as_deref());
        prop_assert_eq!(read.auth_plugin().map(AuthPlugin::as_bytes), ours.plugin.as_deref());
        prop_assert_eq!(u16::from(read.collation()), ours.collation);
        prop_assert_eq!(read.connect_attributes().unwrap_or_default(), pairs);
    }

    #[test]
    fn case_40_their_login_is_ours((want, pairs) in responses()) {
        // Without PLUGIN_AUTH_LENENC, the length of the proof has one byte.
        let has_lenenc = want.capabilities.contains(Capabilities::PLUGIN_AUTH_LENENC);
        prop_assume!(has_lenenc || want.auth_response.len() < 251);
        let got = HandshakeResponse::parse(&theirs(&want, &pairs)).unwrap();
        prop_assert_eq!(&got.user, &want.user);
        prop_assert_eq!(&got.auth_response, &want.auth_response);
        prop_assert_eq!(&got.database, &want.database);
        prop_assert_eq!(&got.plugin, &want.plugin);
        prop_assert_eq!(got.max_packet, want.max_packet);
        prop_assert_eq!(pairs_of(&got.attributes), pairs);
    }

    #[test]
    fn their_ssl_request_is_ours(
        bits in any::<u32>(), max_packet in any::<u32>(), collation in any::<u8>(),
    ) {
        let flags = CapabilityFlags::from_bits_truncate(bits)
            | CapabilityFlags::CLIENT_SSL
            | CapabilityFlags::CLIENT_PROTOCOL_41;
        let bytes = write(&SslRequest::new(flags, max_packet, collation));
        let want = FirstPacket::SslRequest { capabilities: Capabilities(flags.bits().into()) };
        prop_assert_eq!(FirstPacket::parse(&bytes), want);
    }

    #[test]
    fn case_01_their_login_in_clear_text_is_seen_as_one((want, mut pairs) in responses(), name in "[ -~]{1,64}") {
        let has_lenenc = want.capabilities.contains(Capabilities::PLUGIN_AUTH_LENENC);
        prop_assume!(has_lenenc || want.auth_response.len() < 251);
        pairs.insert("_client_name".to_owned(), name.clone());
        let client = Some(ClientName { name, version: String::new() });
        prop_assert_eq!(FirstPacket::parse(&theirs(&want, &pairs)), FirstPacket::Plain { client });
    }

    #[test]
    fn our_ok_is_theirs(
        affected_rows in any::<u64>(), id in any::<u64>(), status in statuses(),
        warnings in any::<u16>(),
        bits in any::<u32>(),
    ) {
        let ours = OkPacket { affected_rows, last_insert_id: id, status, warnings };
        let bytes = ours.encode(Capabilities(bits.into()));
        let flags = CapabilityFlags::from_bits_truncate(bits);
        let read: OkPacketDeserializer<'_, CommonOkPacket> = read(&bytes, flags);
        let read = read.into_inner();
        prop_assert_eq!(read.affected_rows(), affected_rows);
        prop_assert_eq!(read.last_insert_id().unwrap_or(0), id);
        let changed = StatusFlags::SERVER_SESSION_STATE_CHANGED.bits();
        prop_assert_eq!(read.status_flags().bits(), status & !changed);
        prop_assert_eq!(read.warnings(), warnings);
        prop_assert_eq!((read.info_ref(), read.session_state_info_ref()), (None, None));
    }

    #[test]
    fn our_error_is_theirs_and_theirs_is_ours(
        code in 0..0xFFFFu16, state in "[0-9A-Z]{5}", message in "\\PC{0,400}",
    ) {
        let ours = ErrPacket::new(code, &state, &message);
        let bytes = ours.encode();
        let got: TheirErr<'_> = read(&bytes, CapabilityFlags::CLIENT_PROTOCOL_41);
        let error = got.server_error();
        prop_assert_eq!(error.error_code(), code);
        prop_assert_eq!(error.sql_state_ref().map(SqlState::as_bytes), Some(ours.sqlstate));
        prop_assert_eq!(error.message_ref(), message.as_bytes());
        let state = SqlState::new(ours.sqlstate);
        let theirs = TheirErr::Error(ServerError::new(code, Some(state), message.as_bytes()));
        prop_assert_eq!(ErrPacket::parse(&write(&theirs)), Ok(ours));
    }

    #[test]
    fn case_43_their_error_without_a_state_is_ours(code in 0..0xFFFFu16, message in "[^#]\\PC{0,400}") {
        let theirs = write(&TheirErr::Error(ServerError::new(code, None, message.as_bytes())));
        let Ok(Opening::Error(got)) = Opening::parse(&theirs) else { panic!("not an error") };
        prop_assert_eq!((got.code, got.message_lossy()), (code, message));
    }

    #[test]
    fn case_33_our_switch_is_theirs(random in any::<[u8; 20]>()) {
        let salt = salt_from_random(random);
        let bytes = auth::switch_request(auth::NATIVE, &salt);
        let read: AuthSwitchRequest<'_> = read(&bytes, ());
        prop_assert_eq!(read.auth_plugin(), AuthPlugin::MysqlNativePassword);
        prop_assert_eq!(read.plugin_data(), salt);
    }

    #[test]
    fn case_33_their_token_proves_the_password_to_us_and_ours_is_theirs(
        random in any::<[u8; 20]>(), password in vec(any::<u8>(), 1..80),
    ) {
        let salt = salt_from_random(random);
        let stage1 = auth::stage1(&password);
        let theirs = scramble_native(&salt, &password).unwrap();
        prop_assert_eq!(auth::token(&stage1, &salt), theirs);
        let proved = auth::check_native(&theirs, &salt, &[[0; 20], auth::stage2(&stage1)]);
        prop_assert_eq!(proved.map(|(at, proof)| (at, *proof)), Some((1, *stage1)));
    }

    #[test]
    fn case_30_their_caching_sha2_login_is_asked_for_the_password(
        user in "[a-z.]{1,40}", proof in any::<[u8; 32]>(),
    ) {
        let none: Option<Vec<u8>> = None;
        let flags = theirs_flags(OFFERED);
        let plugin = Some(AuthPlugin::CachingSha2Password);
        let login = TheirResponse::new(
            Some(proof.to_vec()), (8, 0, 0), Some(user.as_bytes()), none, plugin, flags, None,
            1 << 24,
        );
        let mut machine = ServerLogin::new([9; 20], OFFERED);
        let step = machine.on_packet(Packet { seq: 2, payload: write(&login) }).unwrap();
        let LoginStep::Send(bytes) = step else { panic!("no question") };
        let more: AuthMoreData<'_> = read(&bytes[4..], ());
        prop_assert_eq!(more.data(), [4], "perform full authentication");
        let step = machine.on_packet(Packet { seq: 4, payload: b"secret\0".to_vec() }).unwrap();
        let LoginStep::Credential(got) = step else { panic!("no login") };
        prop_assert!(matches!(&got.credential, Credential::Clear(p) if ***p == *b"secret"));
        prop_assert_eq!(&got.user, user.as_bytes());
    }

    #[test]
    fn case_35_their_switch_gets_their_token(
        opening in greetings(), random in any::<[u8; 20]>(),
        password in vec(any::<u8>(), 1..80), nul in any::<bool>(),
    ) {
        let salt = salt_from_random(random);
        let mut machine = ClientLogin::new(ClientIdentity {
            user: b"root".to_vec(),
            stage1: Some(auth::stage1(&password)),
            database: None,
            // A test in `client.rs` covers missing capabilities.
            capabilities: opening.capabilities.intersect(OFFERED),
            collation: 45,
            max_packet: 1 << 24,
            attributes: Vec::new(),
            tls: false,
        });
        let step = machine.on_packet(Packet { seq: 0, payload: opening.encode() }).unwrap();
        let ClientStep::Send(first) = step else { panic!("no login") };
        let read: TheirResponse<'_> = read(&first[4..], ());
        prop_assert_eq!(read.scramble_buf(), scramble_native(&opening.salt, &password).unwrap());
        let challenge = if nul { [&salt[..], b"\0"].concat() } else { salt.to_vec() };
        let switch = write(&AuthSwitchRequest::new(auth::NATIVE, challenge));
        let step = machine.on_packet(Packet { seq: 2, payload: switch }).unwrap();
        let ClientStep::Send(second) = step else { panic!("no answer") };
        prop_assert_eq!(&second[4..], scramble_native(&salt, &password).unwrap());
        prop_assert_eq!(second[3], 3);
    }

    #[test]
    fn case_50_their_change_of_user_is_ours_and_never_passed_on(
        (login, pairs) in responses(), collation in any::<u16>(),
        cut in any::<prop::sample::Index>(),
    ) {
        prop_assume!(login.auth_response.len() < 256);
        let more = ComChangeUserMoreData::new(collation)
            .with_auth_plugin(login.plugin.as_deref().map(AuthPlugin::from_bytes))
            .with_connect_attributes((!pairs.is_empty()).then(|| pairs.clone()));
        let change = write(&ComChangeUser::new()
            .with_user(Some(login.user.clone()))
            .with_database(login.database.clone())
            .with_auth_plugin_data(Some(login.auth_response.clone()))
            .with_more_data(Some(more)));
        // Their command has a plugin only if they have one.
        let capabilities = match login.plugin.is_some() {
            true => OFFERED,
            false => OFFERED.without(Capabilities::PLUGIN_AUTH),
        };
        let ours = ChangeUser::parse_cut(&change, 0, capabilities).unwrap();
        prop_assert_eq!(&ours.user, &login.user);
        prop_assert_eq!(&ours.database, &login.database);
        prop_assert_eq!(&ours.plugin, &login.plugin);
        prop_assert_eq!(ours.collation, collation);
        let mut bytes = Vec::new();
        write_packet(&mut 0, &change, &mut bytes);
        let (first, second) = bytes.split_at(cut.index(bytes.len() - 1) + 1);
        let mut relay = Relay::new(OFFERED, 2);
        // Its first byte is enough.
        let beginning = HEADER_LEN + 1;
        let command = Intercepted::ChangeUser;
        if first.len() >= beginning {
            let consumed = beginning;
            let found = FromClient::Command { consumed, command };
            prop_assert_eq!(relay.from_client(first), Ok(found));
        } else {
            prop_assert_eq!(relay.from_client(first), Ok(FromClient::Hold(first.len())));
            let consumed = beginning - first.len();
            let found = FromClient::Command { consumed, command };
            prop_assert_eq!(relay.from_client(second), Ok(found));
        }
        prop_assert_eq!(relay.take_held(), &bytes[..beginning]);
    }

    #[test]
    fn our_query_is_one_packet_of_theirs(sql in "\\PC{0,2000}") {
        let bytes = query::encode(&sql);
        let mut codec = mysql_common::proto::codec::PacketCodec::default();
        let mut got = Vec::new();
        let mut src = (&bytes[..]).into();
        prop_assert!(codec.decode(&mut src, &mut got).unwrap() && src.is_empty());
        prop_assert_eq!(got, [b"\x03", sql.as_bytes()].concat());
        prop_assert_eq!(Header::parse(&bytes).map(|h| h.seq), Some(0));
    }
}
