//! Files that pages load: style, script and icon. They are embedded in the binary, and their names
//! contain a hash of their content.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::Digest;
use std::fmt::Write;
use std::sync::LazyLock;

/// Embedded file.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    file: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    vec![
        asset(
            "console.css",
            "text/css; charset=utf-8",
            include_bytes!("../../assets/console.css"),
        ),
        asset(
            "console.js",
            "text/javascript; charset=utf-8",
            include_bytes!("../../assets/console.js"),
        ),
        asset(
            "mark.svg",
            "image/svg+xml",
            include_bytes!("../../assets/mark.svg"),
        ),
    ]
});

fn asset(name: &'static str, kind: &'static str, bytes: &'static [u8]) -> Asset {
    let digest = sha2::Sha256::digest(bytes);
    // 48 bits: two versions of a file never get the same hash by chance.
    let hash = digest.iter().take(6).fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    });
    Asset {
        name,
        kind,
        bytes,
        file: format!("{hash}-{name}"),
    }
}

/// Returns the address of a file.
pub fn address(name: &str) -> String {
    let file = ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .map_or(name, |asset| &asset.file);
    format!("/assets/{file}")
}

/// Serves the file with this address. Browsers may cache it forever, since other content has
/// another address.
pub fn serve(file: &str) -> Option<Response> {
    let asset = ASSETS.iter().find(|asset| asset.file == file)?;
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Some((headers, asset.bytes).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_page_loads_less_than_100_kilobytes() {
        let sum: usize = ASSETS.iter().map(|asset| asset.bytes.len()).sum();
        assert!(sum < 60_000, "{sum}: the page itself has up to 40 KB");
    }

    #[test]
    fn an_old_address_is_not_served_with_new_bytes() {
        assert!(serve(address("console.css").trim_start_matches("/assets/")).is_some());
        assert!(serve("000000000000-console.css").is_none());
        assert!(serve("console.css").is_none());
    }

    #[test]
    fn no_asset_loads_anything_from_elsewhere() {
        for asset in ASSETS.iter() {
            let text = std::str::from_utf8(asset.bytes)
                .unwrap()
                .replace("http://www.w3.org/2000/svg", "");
            assert!(
                !text.contains("http://") && !text.contains("https://"),
                "{}",
                asset.name
            );
        }
    }
}
