//! Compressed protocol between client and gateway: frames of a raw client, and the results of a
//! real one.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use std::io::{Read, Write};
use std::sync::LazyLock;
use tidegate_e2e::probe::{Probe, Verdict, frame, frames, is_timeout};
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::{self, Refused, Response};
use tidegate_e2e::{Cluster, Options, Server, tls};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| SERVER.create("compression"));

const COMPRESS: u32 = 1 << 5;
/// Bytes of the largest frame.
const FRAME_MAX: usize = 0xff_ffff;

/// Header of a frame.
#[derive(Debug, Clone, Copy)]
struct FrameHeader {
    len: usize,
    seq: u8,
    plain_len: usize,
}

/// Whether a frame is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Stored,
    Zlib,
}

fn length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .fold(0, |n, byte| n << 8 | usize::from(*byte))
}

/// Returns a frame.
fn packed_frame(body: Body, plain: &[u8], seq: u8) -> Vec<u8> {
    let mut packed = plain.to_vec();
    let mut plain_len = 0;
    if body == Body::Zlib {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        packed = encoder.finish().unwrap();
        plain_len = plain.len();
    }
    let [a, b, c, ..] = packed.len().to_le_bytes();
    let [x, y, z, ..] = plain_len.to_le_bytes();
    [&[a, b, c, seq, x, y, z], &packed[..]].concat()
}

/// Client that compresses, and sends the frames that a test gives it.
struct Packed {
    session: Session,
    /// Bytes of packets that were received.
    plain: Vec<u8>,
    /// Headers of the frames that were received.
    seen: Vec<FrameHeader>,
}

impl Packed {
    fn open(capabilities: u32) -> Self {
        let capabilities = wire::ORDINARY | capabilities;
        let session =
            Session::login(&CLUSTER, &CLUSTER.user, &CLUSTER.password, capabilities).unwrap();
        Self {
            session,
            plain: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Sends bytes as frames from this number on. Returns the number of the next frame.
    fn send(&mut self, body: Body, bytes: &[u8], mut seq: u8) -> u8 {
        for part in bytes.chunks(FRAME_MAX) {
            let frame = packed_frame(body, part, seq);
            self.session.probe.raw(&frame).expect("the server reads");
            seq = seq.wrapping_add(1);
        }
        seq
    }

    fn query(&mut self, sql: &str) -> u8 {
        self.send(Body::Zlib, &command(sql), 0)
    }

    /// Reads a frame; `None` at the end.
    fn read_frame(&mut self) -> Option<FrameHeader> {
        let raw = self.session.probe.read_raw(7).ok()?;
        let header = FrameHeader {
            len: length(&raw[..3]),
            seq: raw[3],
            plain_len: length(&raw[4..]),
        };
        let body = self.session.probe.read_raw(header.len).unwrap();
        if header.plain_len == 0 {
            self.plain.extend_from_slice(&body);
        } else {
            let before = self.plain.len();
            ZlibDecoder::new(&body[..])
                .read_to_end(&mut self.plain)
                .unwrap();
            assert_eq!(self.plain.len() - before, header.plain_len);
        }
        self.seen.push(header);
        Some(header)
    }

    /// Reads a packet of fewer than 16 MB.
    fn packet(&mut self) -> Option<Vec<u8>> {
        loop {
            if let [a, b, c, _, rest @ ..] = &self.plain[..] {
                let len = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
                if rest.len() >= len {
                    let packet = rest[..len].to_vec();
                    self.plain.drain(..4 + len);
                    return Some(packet);
                }
            }
            self.read_frame()?;
        }
    }

    /// Reads a result of one column.
    fn rows(&mut self) -> Vec<Vec<u8>> {
        let head = self.packet().expect("a result");
        assert_eq!(head[..], [1], "one column: {:?}", Refused::parse(&head));
        let mut rows = Vec::new();
        let mut ends = 0;
        self.packet();
        while ends < 2 {
            let packet = self.packet().expect("a row");
            match packet[..] {
                [0xfe, ..] if packet.len() < 9 => ends += 1,
                _ => {
                    let mut at = 0;
                    let len = wire::lenenc(&packet, &mut at).unwrap();
                    assert_eq!(packet.len() - at, usize::try_from(len).unwrap());
                    rows.push(packet[at..].to_vec());
                }
            }
        }
        assert!(self.plain.is_empty(), "bytes behind a result");
        rows
    }

    fn value(&mut self, sql: &str) -> String {
        self.query(sql);
        String::from_utf8(self.rows().concat()).unwrap()
    }

    /// Returns the sequence numbers of the frames since the last call.
    fn numbers(&mut self) -> Vec<u8> {
        self.seen.drain(..).map(|header| header.seq).collect()
    }

    fn error(&mut self) -> Refused {
        Refused::parse(&self.packet().expect("an error, not the end")).expect("an error packet")
    }
}

/// Returns the packets of a query.
fn command(sql: &str) -> Vec<u8> {
    frames(&[b"\x03", sql.as_bytes()].concat())
}

/// Checks that these numbers count from this one on.
fn assert_counts(numbers: &[u8], first: u8) {
    let mut next = first;
    for number in numbers {
        assert_eq!(*number, next, "{numbers:?}");
        next = next.wrapping_add(1);
    }
}

#[test]
fn case_66_frames_and_packets_begin_independently() {
    let mut client = Packed::open(COMPRESS);
    assert_eq!(client.value("SELECT 'one'"), "one");
    assert_eq!(client.numbers(), [1]);
    // A packet in three frames: its header, and two parts of its body.
    let bytes = command("SELECT 'two'");
    for (part, seq) in [&bytes[..3], &bytes[3..9], &bytes[9..]]
        .into_iter()
        .zip(0..)
    {
        client.send(Body::Stored, part, seq);
    }
    assert_eq!(client.rows(), [b"two"]);
    assert_eq!(client.numbers(), [3], "behind the last frame");
    // Several commands in a frame, and several frames before the first answer.
    let two = [command("SELECT 'a'"), command("SELECT 'b'")].concat();
    client.send(Body::Zlib, &two, 0);
    client.send(Body::Stored, &command("SELECT 'c'"), 0);
    for want in [b"a", b"b", b"c"] {
        assert_eq!(client.rows(), [want]);
        assert_eq!(client.numbers(), [1], "each answer has its own frame");
    }
    // An empty frame is counted.
    client.send(Body::Stored, &bytes[..4], 0);
    client.session.probe.raw(&[0, 0, 0, 1, 0, 0, 0]).unwrap();
    client.send(Body::Stored, &bytes[4..], 2);
    assert_eq!(client.rows(), [b"two"]);
    assert_eq!(client.numbers(), [3]);
}

#[test]
fn case_66_short_answers_and_errors_are_not_compressed_and_long_ones_are() {
    let mut client = Packed::open(COMPRESS);
    client.send(Body::Stored, &frames(b"\x0e"), 0);
    assert_eq!(client.packet().expect("an OK")[0], 0);
    assert_eq!(client.seen[0].plain_len, 0);
    let sql = format!("SELECT {}", "'long' long ".repeat(50));
    client.query(&sql);
    assert_eq!(client.error().code, 1064);
    assert_eq!(client.seen[1].plain_len, 0, "an error");
    assert_eq!(client.value("SELECT REPEAT('long', 100)").len(), 400);
    let long = client.seen[2];
    assert!(long.len < 200 && long.plain_len > 400, "{long:?}");
}

#[test]
fn case_66_the_numbers_of_frames_wrap_at_255() {
    let mut client = Packed::open(COMPRESS);
    client.query("SELECT REPEAT(MD5(seq), 40) FROM seq_1_to_30000");
    let rows = client.rows();
    assert_eq!(rows.len(), 30_000);
    let numbers = client.numbers();
    assert!(numbers.len() > 300, "{}", numbers.len());
    assert_counts(&numbers, 1);
    // From the client's side.
    let bytes = command(&format!("SELECT LENGTH('{}')", "x".repeat(3000)));
    let mut seq = 0;
    for part in bytes.chunks(10) {
        seq = client.send(Body::Stored, part, seq);
    }
    assert_eq!(client.rows(), [b"3000"]);
    assert_eq!(client.numbers(), [seq]);
}

#[test]
fn case_54_and_66_commands_and_results_of_16_mb_and_more() {
    let mut client = Packed::open(COMPRESS);
    for length in [FRAME_MAX - 20, FRAME_MAX, 20 << 20] {
        let text = "0123456789abcdef".repeat(length / 16 + 1);
        let next = client.query(&format!("SELECT LENGTH('{}')", &text[..length]));
        assert_eq!(client.rows(), [length.to_string().into_bytes()]);
        assert_eq!(client.numbers(), [next], "behind the last frame");
    }
    client.query("SELECT REPEAT('0123456789abcdef', 1 << 20) UNION ALL SELECT 'end'");
    for row in client.rows_of_any_length(2) {
        assert!(row.len() == 16 << 20 || row == b"end", "{}", row.len());
    }
    assert_counts(&client.numbers(), 1);
}

impl Packed {
    /// Reads rows that may have several packets.
    fn rows_of_any_length(&mut self, count: usize) -> Vec<Vec<u8>> {
        for _ in 0..3 {
            self.packet().expect("a column");
        }
        let mut rows = Vec::new();
        for _ in 0..count {
            let mut row = Vec::new();
            loop {
                let part = self.packet().expect("a part of a row");
                row.extend_from_slice(&part);
                if part.len() < FRAME_MAX {
                    break;
                }
            }
            let mut at = 0;
            wire::lenenc(&row, &mut at).unwrap();
            rows.push(row.split_off(at));
        }
        self.packet().expect("the end");
        rows
    }
}

#[test]
fn case_66_bombs_and_corrupt_frames_end_the_session_with_1157() {
    let sql = "SELECT 'this statement is long enough to be compressed', 1";
    let good = packed_frame(Body::Zlib, &command(sql), 0);
    let mut bomb = packed_frame(Body::Zlib, &[1; FRAME_MAX], 0);
    // Declares fewer bytes than there are.
    bomb[4..7].copy_from_slice(&[100, 0, 0]);
    let mut wrong_sum = good.clone();
    *wrong_sum.last_mut().unwrap() ^= 1;
    let mut short = good.clone();
    short[4] -= 1;
    let mut cut = good.clone();
    cut.truncate(good.len() - 8);
    cut[0] -= 8;
    let noise = [&[60, 0, 0, 0, 60, 0, 0], &[0x55_u8; 60][..]].concat();
    for (frame, name) in [
        (bomb, "bomb"),
        (wrong_sum, "checksum"),
        (short, "longer than declared"),
        (cut, "cut"),
        (noise, "no stream"),
    ] {
        let mut client = Packed::open(COMPRESS);
        assert_eq!(client.value("SELECT 1"), "1");
        client.session.probe.raw(&frame).unwrap();
        assert_eq!(client.error().code, 1157, "{name}");
        assert_eq!(client.numbers(), [1, 1], "{name}");
        assert!(client.read_frame().is_none(), "{name}: it ends");
    }
    assert_eq!(Packed::open(COMPRESS).value("SELECT 2"), "2");
}

/// Checked against MariaDB 10.11 itself: it answers with 1156 and closes.
#[test]
fn case_66_a_frame_with_a_wrong_number_is_answered_by_1156_and_the_end() {
    for numbers in [&[1][..], &[0, 0], &[0, 2]] {
        let mut client = Packed::open(COMPRESS);
        let bytes = command("SELECT 'in two frames'");
        let (first, second) = bytes.split_at(10);
        client.send(Body::Stored, first, numbers[0]);
        if let Some(second_number) = numbers.get(1) {
            client.send(Body::Stored, second, *second_number);
        }
        assert_eq!(client.error().code, 1156, "{numbers:?}");
        assert!(client.read_frame().is_none(), "{numbers:?}: it ends");
    }
}

#[test]
fn case_66_a_file_is_sent_in_frames_whose_packets_have_any_numbers() {
    let mut client = Packed::open(COMPRESS | wire::LOCAL_FILES);
    client.query("CREATE OR REPLACE TABLE load_packed (a INT)");
    assert_eq!(client.packet().expect("an OK")[0], 0);
    client.seen.clear();
    client.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE load_packed");
    assert_eq!(client.packet().expect("the file's name")[0], 0xfb);
    assert_eq!(client.numbers(), [1]);
    let mut file = Vec::new();
    for n in 0..3000 {
        // Servers do not check these numbers in frames.
        file.extend_from_slice(&frame(77, format!("{n}\n").as_bytes()));
    }
    let mut seq = 2;
    for part in file.chunks(1000) {
        seq = client.send(Body::Zlib, part, seq);
    }
    seq = client.send(Body::Stored, &frame(9, b""), seq);
    assert_eq!(client.packet().expect("an OK")[0], 0);
    assert_eq!(client.numbers(), [seq]);
    let sum = client.value("SELECT CONCAT(COUNT(*), ' ', SUM(a)) FROM load_packed");
    assert_eq!(sum, "3000 4498500");
}

#[test]
fn a_kill_is_recognized_in_a_frame() {
    let mut victim = Session::open(&CLUSTER);
    let id = victim.probe.greeting.id;
    let mut client = Packed::open(COMPRESS);
    client.query(&format!("KILL {id}"));
    assert_eq!(client.packet().expect("an OK")[0], 0);
    let gone = victim.try_query("SELECT 1");
    assert!(gone.is_err() || matches!(gone, Ok(o) if o.clone().refused().code == 1927));
}

#[test]
fn a_server_without_compression_does_not_offer_it() {
    let server = Server::with(Options {
        config: "[gateway]\ncompression = \"no\"\n".to_owned(),
        ..Options::default()
    });
    let cluster = server.create("plain");
    let mut session = Session::open(&cluster);
    assert_eq!(session.probe.greeting.capabilities & COMPRESS, 0);
    assert_eq!(session.value("SELECT 1"), "1");
    // Asked for all the same, it is not granted.
    let asked = wire::ORDINARY | COMPRESS;
    let mut session = Session::login(&cluster, &cluster.user, &cluster.password, asked).unwrap();
    assert_eq!(session.value("SELECT 1"), "1");
    let offering = Session::open(&CLUSTER);
    assert_ne!(offering.probe.greeting.capabilities & COMPRESS, 0);
}

#[test]
fn results_of_a_driver_are_equal_with_and_without_compression() {
    let plain = driver_results(false);
    assert_eq!(plain.len(), 4);
    assert!(plain == driver_results(true));
}

/// Runs statements with mysql_async, which checks the numbers of frames and packets.
fn driver_results(compressed: bool) -> Vec<String> {
    use mysql_async::prelude::Queryable;
    let tls = mysql_async::SslOpts::default().with_root_certs(vec![CLUSTER.ca.clone().into()]);
    let opts = mysql_async::OptsBuilder::default()
        .ip_or_hostname(CLUSTER.host.clone())
        .tcp_port(CLUSTER.port)
        .user(Some(CLUSTER.user.clone()))
        .pass(Some(CLUSTER.password.clone()))
        .db_name(Some(CLUSTER.database.clone()))
        .max_allowed_packet(Some(1 << 26))
        .ssl_opts(Some(tls))
        .compression(compressed.then(mysql_async::Compression::fast));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut conn = mysql_async::Conn::new(opts).await.unwrap();
        let mut results = Vec::new();
        for sql in [
            "SELECT CONCAT(seq, REPEAT('x', seq % 300)) FROM seq_1_to_20000",
            "SELECT REPEAT('0123456789', 2000000)",
            "SELECT HEX(RANDOM_BYTES(0))",
        ] {
            let rows: Vec<String> = conn.query(sql).await.unwrap();
            results.push(rows.concat());
        }
        let text = "abcdefgh".repeat(3 << 20);
        let row: Option<String> = conn.exec_first("SELECT MD5(?)", (text,)).await.unwrap();
        results.push(row.unwrap());
        conn.disconnect().await.unwrap();
        results
    })
}

#[test]
fn a_client_that_sends_a_part_of_a_frame_and_leaves_disturbs_nobody() {
    let mut client = Packed::open(COMPRESS);
    client.session.probe.raw(&[200, 0, 0, 0, 255]).unwrap();
    drop(client);
    let mut other = Packed::open(COMPRESS);
    assert_eq!(other.value("SELECT 3"), "3");
    let end = other
        .session
        .probe
        .tcp()
        .shutdown(std::net::Shutdown::Write);
    assert!(end.is_ok());
    match other.session.probe.read_raw(1) {
        Ok(byte) => panic!("{byte:?} after the end"),
        Err(error) => assert!(!is_timeout(&error)),
    }
}

/// The login goes on in frames, with a new salt, and so does the session behind it.
#[test]
fn case_50_and_66_a_change_of_the_user_in_frames() {
    let mut client = Packed::open(COMPRESS);
    client.query("SET @before = 7");
    assert_eq!(client.packet().expect("an OK")[0], 0);
    for password in [CLUSTER.password.as_str(), "wrong"] {
        client.seen.clear();
        let mut change = vec![0x11];
        change.extend_from_slice(CLUSTER.user.as_bytes());
        change.push(0);
        // An answer that is too short to be one: the server switches, and sends its salt.
        change.extend_from_slice(&[1, 9]);
        change.extend_from_slice(CLUSTER.database.as_bytes());
        change.extend_from_slice(&[0, 45, 0]);
        change.extend_from_slice(b"mysql_native_password\0");
        let bytes = frame(0, &change);
        // In two frames, and with a number that the server has to replace.
        client.send(Body::Stored, &bytes[..20], 0);
        client.send(Body::Zlib, &bytes[20..], 1);
        let switch = client.packet().expect("a switch");
        assert_eq!(switch[0], 0xfe, "{:?}", Refused::parse(&switch));
        let salt = &switch[switch.len() - 21..switch.len() - 1];
        let proof = wire::native_scramble(password, salt);
        client.send(Body::Stored, &frame(77, &proof), 3);
        let answer = client.packet().expect("an answer");
        assert_eq!(client.numbers(), [2, 4]);
        if password == "wrong" {
            assert_eq!(Refused::parse(&answer).expect("a denial").code, 1045);
            assert!(client.read_frame().is_none(), "it ends");
            return;
        }
        assert_eq!(answer[0], 0, "{:?}", Refused::parse(&answer));
        assert_eq!(client.value("SELECT IFNULL(@before, 'gone')"), "gone");
    }
}

/// The level is behind the attributes, which are cut at 16 KB; it is read in any case.
#[test]
fn zstd_is_spoken_with_clients_that_have_nothing_else() {
    const ZSTD: u32 = 1 << 26;
    for (attributes, level) in [(0, 1), (2, 3), (90, 22), (90, 0)] {
        let mut probe = Probe::secured(CLUSTER.addr(), tls::verified(&CLUSTER.ca, tls::BOTH));
        assert_ne!(probe.greeting.capabilities & ZSTD, 0);
        let pairs = [&[1, b'k', 250][..], &[b'v'; 250]]
            .concat()
            .repeat(attributes);
        let mut tail = vec![0xfc];
        tail.extend_from_slice(&u16::try_from(pairs.len()).unwrap().to_le_bytes());
        tail.extend_from_slice(&pairs);
        tail.push(level);
        let response = Response {
            capabilities: wire::ORDINARY | wire::CONNECT_ATTRS | ZSTD,
            tail,
            ..Response::new(&CLUSTER.user)
        };
        assert_eq!(probe.login(&response, &CLUSTER.password), Verdict::In);
        let sql = format!("SELECT REPEAT('zstd', 500) /* {} */", "long ".repeat(30));
        let body = zstd::bulk::compress(&command(&sql), 19).unwrap();
        let [a, b, c, ..] = body.len().to_le_bytes();
        let [x, y, z, ..] = command(&sql).len().to_le_bytes();
        probe
            .raw(&[&[a, b, c, 0, x, y, z], &body[..]].concat())
            .unwrap();
        let header = probe.read_raw(7).unwrap();
        let packed = probe.read_raw(length(&header[..3])).unwrap();
        let plain = zstd::bulk::decompress(&packed, length(&header[4..])).unwrap();
        assert_eq!((header[3], plain.len()), (1, length(&header[4..])));
        assert!(plain.len() > 2000 && packed.len() < 300, "{}", packed.len());
        assert!(plain.windows(8).any(|part| part == b"zstdzstd"));
    }
}
