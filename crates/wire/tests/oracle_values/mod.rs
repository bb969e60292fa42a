//! Random values of packets, and their conversion by `mysql_common`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic; that is how it fails"
)]

use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, HandshakeResponse as TheirResponse};
use mysql_common::proto::{MyDeserialize, MySerialize};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use std::collections::HashMap;
use tidegate_wire::auth;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::greeting::{Greeting, salt_from_random};
use tidegate_wire::handshake_response::HandshakeResponse;
use tidegate_wire::reader::{Reader, put_lenenc_bytes};

pub fn write(packet: &impl MySerialize) -> Vec<u8> {
    let mut out = Vec::new();
    packet.serialize(&mut out);
    out
}

/// Reads a payload with `mysql_common`, which must read all of it.
pub fn read<'a, T: MyDeserialize<'a>>(payload: &'a [u8], context: T::Ctx) -> T {
    let mut buf = ParseBuf(payload);
    let value = T::deserialize(context, &mut buf).expect("mysql_common reads it");
    assert!(buf.0.is_empty(), "{} bytes are left unread", buf.0.len());
    value
}

/// Text without NUL.
pub fn text(len: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    vec(1..=255u8, len)
}

pub fn plugins() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(auth::NATIVE.to_vec()),
        Just(auth::CACHING_SHA2.to_vec()),
        Just(b"sha256_password".to_vec()),
        Just(b"mysql_clear_password".to_vec()),
        Just(b"dummy_fallback_auth".to_vec()),
        text(1..40),
    ]
}

/// Flags that both sides have a name for, each set or not, and those that every connection has.
pub fn capabilities() -> impl Strategy<Value = Capabilities> {
    any::<u32>().prop_map(|bits| {
        let known = CapabilityFlags::all().bits();
        let basis = Capabilities::PROTOCOL_41.union(Capabilities::SECURE_CONNECTION);
        Capabilities((bits & known).into())
            .union(basis)
            .union(Capabilities::PLUGIN_AUTH)
    })
}

pub fn greetings() -> impl Strategy<Value = Greeting> {
    (
        text(1..60),
        any::<u32>(),
        any::<[u8; 20]>(),
        capabilities(),
        any::<u8>(),
        statuses(),
        plugins(),
    )
        .prop_map(
            |(version, connection_id, random, capabilities, collation, status, plugin)| Greeting {
                version,
                connection_id,
                salt: salt_from_random(random),
                capabilities,
                collation,
                status,
                plugin,
            },
        )
}

pub fn statuses() -> impl Strategy<Value = u16> {
    any::<u16>().prop_map(|bits| bits & StatusFlags::all().bits())
}

pub fn attributes() -> impl Strategy<Value = HashMap<String, String>> {
    // Some values have more than 250 bytes, where the length is encoded differently.
    hash_map("[a-z_]{1,20}", "\\PC{0,300}", 0..6)
}

pub fn responses() -> impl Strategy<Value = (HandshakeResponse, HashMap<String, String>)> {
    let auth = prop_oneof![
        Just(0),
        Just(1),
        Just(20),
        Just(32),
        Just(250),
        Just(251),
        Just(300)
    ];
    let auth = auth.prop_flat_map(|n| vec(any::<u8>(), n));
    let optional = (
        proptest::option::of(text(1..70)),
        proptest::option::of(plugins()),
        attributes(),
    );
    (
        text(0..130),
        auth,
        optional,
        capabilities(),
        any::<u32>(),
        any::<u8>(),
    )
        .prop_map(
            |(
                user,
                auth_response,
                (database, plugin, pairs),
                capabilities,
                max_packet,
                collation,
            )| {
                let mut inner = Vec::new();
                for (key, value) in &pairs {
                    put_lenenc_bytes(key.as_bytes(), &mut inner);
                    put_lenenc_bytes(value.as_bytes(), &mut inner);
                }
                let mut attributes = Vec::new();
                if !pairs.is_empty() {
                    put_lenenc_bytes(&inner, &mut attributes);
                }
                let packet = (capabilities, max_packet, collation);
                (
                    login(packet, user, auth_response, (database, plugin, attributes)),
                    pairs,
                )
            },
        )
}

pub type Optional = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>);

pub fn login(
    head: (Capabilities, u32, u8),
    user: Vec<u8>,
    auth_response: Vec<u8>,
    tail: Optional,
) -> HandshakeResponse {
    let (capabilities, max_packet, collation) = head;
    let (database, plugin, attributes) = tail;
    HandshakeResponse {
        capabilities,
        max_packet,
        collation: u16::from(collation),
        user,
        auth_response,
        database,
        plugin,
        attributes,
    }
}

/// Returns the flags that `mysql_common` knows: the lower half.
pub fn theirs_flags(ours: Capabilities) -> CapabilityFlags {
    let lower = ours.without(Capabilities::MARIADB).0;
    CapabilityFlags::from_bits_truncate(u32::try_from(lower).unwrap())
}

/// Writes a login with `mysql_common`.
pub fn theirs(ours: &HandshakeResponse, pairs: &HashMap<String, String>) -> Vec<u8> {
    write(&TheirResponse::new(
        Some(ours.auth_response.clone()),
        (8, 0, 0),
        Some(ours.user.clone()),
        ours.database.clone(),
        ours.plugin.as_deref().map(AuthPlugin::from_bytes),
        theirs_flags(ours.capabilities),
        (!pairs.is_empty()).then(|| pairs.clone()),
        ours.max_packet,
    ))
}

pub fn pairs_of(attributes: &[u8]) -> HashMap<String, String> {
    let mut outer = Reader::new(attributes);
    let Ok(inner) = outer.lenenc_bytes() else {
        return HashMap::new();
    };
    let mut r = Reader::new(inner);
    let mut pairs = HashMap::new();
    while let (Ok(key), Ok(value)) = (r.lenenc_bytes(), r.lenenc_bytes()) {
        pairs.insert(
            String::from_utf8(key.to_vec()).unwrap(),
            String::from_utf8(value.to_vec()).unwrap(),
        );
    }
    pairs
}
