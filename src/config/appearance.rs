//! `log` and `ui`: what operators and users see.

use super::field::Field;
use super::section::Section;
use super::{LogSettings, UiSettings};
use std::path::PathBuf;
use tracing::Level;

pub(super) fn log(root: &mut Section<'_>) -> LogSettings {
    let mut section = root.section("log");
    let json = section.read("format", false, |field| field.word(&[("text", false), ("json", true)]));
    let levels = [("error", Level::ERROR), ("warn", Level::WARN), ("info", Level::INFO), ("debug", Level::DEBUG), ("trace", Level::TRACE)];
    let level = section.read("level", Level::INFO, |field| field.word(&levels));
    let access = section.read("access", true, Field::flag);
    section.finish();
    LogSettings { json, level, access }
}

pub(super) fn ui(root: &mut Section<'_>) -> UiSettings {
    let mut section = root.section("ui");
    let title = section.read("title", "Portcullis".into(), title);
    let logo = section.optional("logo", |field| file_of(field, &["svg", "png", "jpg", "jpeg", "webp", "gif", "ico"]));
    let accent = section
        .optional("accent", |field| field.parse("a colour", "write for example \"#3b5bdb\", with quotes since # begins a comment", colour));
    let css = section.optional("css", |field| file_of(field, &["css"]));
    section.finish();
    UiSettings { title, logo, accent, css }
}

fn title(field: &Field<'_>) -> Option<String> {
    let title = field.text()?;
    let fits = title.chars().count() <= 100 && !title.chars().any(char::is_control) && !title.trim().is_empty();
    if fits { Some(title) } else { field.error("must be one line of at most 100 characters") }
}

fn colour(text: &str) -> Option<String> {
    let digits = text.strip_prefix('#')?;
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit()) && [3, 6].contains(&digits.len());
    hex.then(|| text.to_owned())
}

/// A readable file whose name ends in one of `extensions`, by which browsers are told what it is.
fn file_of(field: &Field<'_>, extensions: &[&str]) -> Option<PathBuf> {
    let path = field.path_to_file()?;
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    if !extension.is_some_and(|extension| extensions.contains(&extension.as_str())) {
        return field.error(format!("must be a file whose name ends in .{}", extensions.join(", .")));
    }
    match std::fs::File::open(&path).and_then(|file| file.metadata()) {
        Ok(found) if found.is_file() => Some(path),
        Ok(_) => field.error("is not a file, name one"),
        Err(error) => field.error(format!("cannot be read: {}; name a readable file", error.kind())),
    }
}
