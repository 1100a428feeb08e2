//! Style sheet, script and logo: embedded or read once at start, named by their content and compressed once, so that
//! browsers keep them for ever. Nothing is read from disk while serving.

use super::accept;
use super::palette;
use crate::config::UiSettings;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All files that pages link, by their hashed names.
pub struct Assets {
    files: HashMap<String, Asset>,
    look: Arc<Look>,
}

/// What every page needs to know of its looks: names and addresses.
#[derive(Clone, Debug)]
pub struct Look {
    /// `ui.title`.
    pub title: String,
    /// `server.prefix`.
    pub prefix: String,
    /// Address of the style sheet.
    pub style: String,
    /// Address of `ui.css`.
    pub extra_style: Option<String>,
    /// Address of the script.
    pub script: String,
    /// Address of `ui.logo`.
    pub logo: Option<String>,
    /// Address of the icon: the logo, else a `data:` address so that browsers need not ask.
    pub icon: String,
}

impl Look {
    /// The same for pages that are shown at another origin than ours.
    #[must_use]
    pub fn at(&self, origin: &str) -> Self {
        let whole = |address: &String| if address.starts_with('/') { format!("{origin}{address}") } else { address.clone() };
        Self {
            title: self.title.clone(),
            prefix: whole(&self.prefix),
            style: whole(&self.style),
            extra_style: self.extra_style.as_ref().map(whole),
            script: whole(&self.script),
            logo: self.logo.as_ref().map(whole),
            icon: whole(&self.icon),
        }
    }
}

/// A file of `ui` could not be used.
#[derive(Debug)]
pub struct AssetError {
    key: &'static str,
    path: PathBuf,
    reason: String,
}

impl std::fmt::Display for AssetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: cannot use {}: {}", self.key, self.path.display(), self.reason)
    }
}

impl std::error::Error for AssetError {}

struct Asset {
    content_type: &'static str,
    etag: HeaderValue,
    plain: Bytes,
    /// Only where it is smaller.
    gzip: Option<Bytes>,
}

#[derive(rust_embed::RustEmbed)]
#[folder = "static/assets"]
struct Embedded;

/// Larger logos and style sheets are a mistake, and would be held in memory.
const MAX_FILE: u64 = 1024 * 1024;

impl Assets {
    /// Takes the embedded files and those that `ui` names.
    ///
    /// # Errors
    /// When a file of `ui` cannot be read, is over 1 MiB or is no image that browsers know.
    pub fn load(ui: &UiSettings, prefix: &str) -> Result<Self, AssetError> {
        let mut shelf = Shelf { prefix, files: HashMap::new() };
        let style = [palette::rules(ui.accent.as_deref()).into_bytes(), embedded("style.css")].concat();
        let style = shelf.add("style", "css", style);
        let script = shelf.add("portal", "js", embedded("portal.js"));
        let extra_style = ui.css.as_deref().map(|path| Ok(shelf.add("extra", "css", read("ui.css", path)?))).transpose()?;
        let logo = ui.logo.as_deref().map(|path| Ok(shelf.add("logo", image_kind(path)?, read("ui.logo", path)?))).transpose()?;
        let icon = logo.clone().unwrap_or_else(|| data_address(&embedded("icon.svg")));
        let look = Look { title: ui.title.clone(), prefix: prefix.to_owned(), style, extra_style, script, logo, icon };
        Ok(Self { files: shelf.files, look: Arc::new(look) })
    }

    /// What pages need to know.
    #[must_use]
    pub fn look(&self) -> Arc<Look> {
        self.look.clone()
    }

    /// The answer for a file, if there is one of this name.
    pub(super) fn serve(&self, name: &str, request: &HeaderMap) -> Option<Response> {
        let asset = self.files.get(name)?;
        let head = [
            (CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
            (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
            (ETAG, asset.etag.clone()),
            (VARY, HeaderValue::from_static("accept-encoding")),
        ];
        if request.get_all(IF_NONE_MATCH).iter().any(|value| accept::lists(value, &asset.etag)) {
            return Some((StatusCode::NOT_MODIFIED, head).into_response());
        }
        match &asset.gzip {
            Some(gzip) if accept::names(request, &ACCEPT_ENCODING, "gzip") => {
                Some((head, [(CONTENT_ENCODING, "gzip")], gzip.clone()).into_response())
            }
            _ => Some((head, asset.plain.clone()).into_response()),
        }
    }
}

/// Files being collected under their hashed names.
struct Shelf<'a> {
    prefix: &'a str,
    files: HashMap<String, Asset>,
}

impl Shelf<'_> {
    /// Adds a file and says its address.
    fn add(&mut self, stem: &str, kind: &str, content: Vec<u8>) -> String {
        let digest = Sha256::digest(&content);
        let hash = BASE64_URL_SAFE_NO_PAD.encode(&digest[..12]);
        let name = format!("{stem}.{hash}.{kind}");
        let etag = HeaderValue::from_str(&format!("W/\"{hash}\"")).unwrap_or_else(|_| HeaderValue::from_static("W/\"\""));
        let gzip = compressed(&content).filter(|gzip| gzip.len() < content.len());
        let asset = Asset { content_type: content_type(kind), etag, plain: content.into(), gzip: gzip.map(Bytes::from) };
        let address = format!("{}/assets/{name}", self.prefix);
        self.files.insert(name, asset);
        address
    }
}

fn embedded(name: &str) -> Vec<u8> {
    Embedded::get(name).map(|file| file.data.into_owned()).unwrap_or_default()
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, AssetError> {
    let error = |reason: String| AssetError { key, path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_err(|e| error(e.to_string()))?.len();
    if size > MAX_FILE {
        return Err(error(format!("it has {size} bytes, use a file of at most {MAX_FILE}")));
    }
    std::fs::read(path).map_err(|e| error(e.to_string()))
}

fn compressed(content: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

fn image_kind(path: &Path) -> Result<&'static str, AssetError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    ["svg", "png", "jpg", "jpeg", "webp", "gif", "avif", "ico"].into_iter().find(|kind| *kind == extension).ok_or_else(|| AssetError {
        key: "ui.logo",
        path: path.to_owned(),
        reason: "its name must end in .svg, .png, .jpg, .webp, .gif, .avif or .ico".into(),
    })
}

fn content_type(kind: &str) -> &'static str {
    match kind {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        _ => "application/octet-stream",
    }
}

fn data_address(svg: &[u8]) -> String {
    let text = String::from_utf8_lossy(svg);
    format!("data:image/svg+xml,{}", utf8_percent_encode(text.trim(), NON_ALPHANUMERIC))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plain_ui() -> UiSettings {
        UiSettings { title: "Portcullis".into(), logo: None, accent: None, css: None }
    }

    fn name_of(address: &str) -> &str {
        address.rsplit('/').next().unwrap()
    }

    #[test]
    fn a_file_is_served_under_a_name_that_changes_with_its_content() {
        let plain = Assets::load(&plain_ui(), "/auth").unwrap();
        let red = Assets::load(&UiSettings { accent: Some("#c00".into()), ..plain_ui() }, "/auth").unwrap();
        assert!(plain.look().style.starts_with("/auth/assets/style."));
        assert_ne!(plain.look().style, red.look().style);
        assert_eq!(plain.look().script, red.look().script);
        assert!(red.serve(name_of(&plain.look().style), &HeaderMap::new()).is_none());
    }

    #[test]
    fn a_browser_that_takes_gzip_gets_it_and_keeps_it_for_ever() {
        let assets = Assets::load(&plain_ui(), "/auth").unwrap();
        let style = assets.look().style.clone();
        let mut request = HeaderMap::new();
        let plain = assets.serve(name_of(&style), &request).unwrap();
        assert!(plain.headers().get(CONTENT_ENCODING).is_none());
        request.insert(ACCEPT_ENCODING, HeaderValue::from_static("br;q=1, gzip, deflate"));
        let gzip = assets.serve(name_of(&style), &request).unwrap();
        assert_eq!(gzip.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(gzip.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        request.insert(IF_NONE_MATCH, gzip.headers()[ETAG].clone());
        assert_eq!(assets.serve(name_of(&style), &request).unwrap().status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn logo_and_style_sheet_of_the_operator_are_served_too() {
        let folder = tempfile::tempdir().unwrap();
        let (logo, css) = (folder.path().join("mark.SVG"), folder.path().join("own.css"));
        std::fs::write(&logo, "<svg xmlns='http://www.w3.org/2000/svg'/>").unwrap();
        std::fs::write(&css, "h1 { color: red }").unwrap();
        let ui = UiSettings { logo: Some(logo), css: Some(css), ..plain_ui() };
        let assets = Assets::load(&ui, "/auth").unwrap();
        let look = assets.look();
        let logo = assets.serve(name_of(look.logo.as_deref().unwrap()), &HeaderMap::new()).unwrap();
        assert_eq!(logo.headers()[CONTENT_TYPE], "image/svg+xml");
        assert!(assets.serve(name_of(look.extra_style.as_deref().unwrap()), &HeaderMap::new()).is_some());
    }

    #[test]
    fn a_logo_that_cannot_be_used_is_named_in_the_error() {
        let ui = UiSettings { logo: Some("/nowhere/logo.svg".into()), ..plain_ui() };
        assert!(Assets::load(&ui, "/auth").err().unwrap().to_string().starts_with("ui.logo: cannot use /nowhere/logo.svg"));
        let ui = UiSettings { logo: Some("/nowhere/logo.txt".into()), ..plain_ui() };
        assert!(Assets::load(&ui, "/auth").err().unwrap().to_string().contains("must end in"));
    }
}
