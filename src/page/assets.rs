//! The style sheets and the scripts of the page, from `web/`.
//!
//! # Invariants
//! The address of a file names the content of all files, so that what an address names never changes, and a script imports
//! others of the same deployment.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A style sheet.
const CSS: &str = "text/css; charset=utf-8";
/// A script.
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page.
#[derive(Debug, Clone, Copy)]
pub struct PageAsset {
    /// The name in `web/`.
    pub name: &'static str,
    /// The media type.
    pub media_type: &'static str,
    /// The content.
    pub bytes: &'static [u8],
}

/// Every file of the page.
pub const ASSETS: &[PageAsset] = &[
    PageAsset { name: "page.css", media_type: CSS, bytes: include_bytes!("../../web/page.css") },
    PageAsset { name: "page.js", media_type: JAVASCRIPT, bytes: include_bytes!("../../web/page.js") },
    PageAsset { name: "answer.css", media_type: CSS, bytes: include_bytes!("../../web/answer.css") },
    PageAsset { name: "answer.js", media_type: JAVASCRIPT, bytes: include_bytes!("../../web/answer.js") },
    PageAsset { name: "figures.js", media_type: JAVASCRIPT, bytes: include_bytes!("../../web/figures.js") },
    PageAsset { name: "rays.js", media_type: JAVASCRIPT, bytes: include_bytes!("../../web/rays.js") },
    PageAsset { name: "times.js", media_type: JAVASCRIPT, bytes: include_bytes!("../../web/times.js") },
    PageAsset { name: "recent.js", media_type: JAVASCRIPT, bytes: include_bytes!("../../web/recent.js") },
    PageAsset { name: "search.js", media_type: JAVASCRIPT, bytes: include_bytes!("../../web/search.js") },
    PageAsset { name: "values.js", media_type: JAVASCRIPT, bytes: include_bytes!("../../web/values.js") },
    PageAsset { name: "wait.js", media_type: JAVASCRIPT, bytes: include_bytes!("../../web/wait.js") },
];

/// The icon, by its well-known address.
pub const ICON: &[u8] = include_bytes!("../../web/favicon.svg");

/// The digits of the hash of all files.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for asset in ASSETS {
        hash.update(asset.name);
        hash.update(asset.bytes.len().to_le_bytes());
        hash.update(asset.bytes);
    }
    let hash: [u8; 32] = hash.finalize().into();
    hex::encode(hash.first_chunk::<8>().unwrap_or(&[0; 8]))
});

impl PageAsset {
    /// The file of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.name == name)
    }
}

/// The digits that the addresses of all files have now.
#[must_use]
pub fn asset_version() -> &'static str {
    &VERSION
}

/// The address of a file: `/assets/0123456789abcdef/page.css`.
#[must_use]
pub fn asset_path(name: &str) -> String {
    format!("/assets/{}/{name}", asset_version())
}

#[cfg(test)]
mod tests {
    use super::{ASSETS, PageAsset, asset_path};

    #[test]
    fn every_file_has_an_address_of_its_own() {
        for asset in ASSETS {
            assert!(!asset.bytes.is_empty(), "{}", asset.name);
            let path = asset_path(asset.name);
            let (_, version, name) = path
                .strip_prefix('/')
                .and_then(|path| {
                    let mut parts = path.split('/');
                    Some((parts.next()?, parts.next()?, parts.next()?))
                })
                .unwrap();
            assert_eq!((version.len(), PageAsset::find(name).unwrap().name), (16, asset.name));
        }
        assert!(PageAsset::find("../page.css").is_none());
    }

    #[test]
    fn every_import_names_a_file_that_is_served() {
        let mut seen = 0;
        for asset in ASSETS.iter().filter(|asset| asset.media_type == super::JAVASCRIPT) {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            for import in text.split("from \"./").skip(1) {
                let name = import.split('"').next().unwrap();
                assert!(PageAsset::find(name).is_some(), "{} imports {name}", asset.name);
                seen += 1;
            }
        }
        assert!(seen > 3, "{seen} imports");
    }
}
