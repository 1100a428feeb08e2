//! What is wrong or risky, as it is found; told at the end, in the order of the file.

use super::file::Place;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// What was found so far, and what relative paths are relative to.
pub(super) struct Findings {
    folder: PathBuf,
    errors: RefCell<Vec<Finding>>,
    warnings: RefCell<Vec<Finding>>,
    #[cfg(test)]
    pub known: RefCell<std::collections::BTreeSet<String>>,
}

/// Something wrong or risky: where, at which key, and what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    pub place: Place,
    pub key: String,
    pub message: String,
}

impl Findings {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            errors: RefCell::default(),
            warnings: RefCell::default(),
            #[cfg(test)]
            known: RefCell::default(),
        }
    }

    pub(super) fn error(&self, place: &Place, key: &str, message: impl Into<String>) {
        self.errors.borrow_mut().push(Finding { place: place.clone(), key: key.to_owned(), message: message.into() });
    }

    pub(super) fn warn(&self, place: &Place, key: &str, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Finding { place: place.clone(), key: key.to_owned(), message: message.into() });
    }

    /// How many errors there are so far.
    pub(super) fn errors(&self) -> usize {
        self.errors.borrow().len()
    }

    /// Errors and warnings, each in the order of the file.
    pub(super) fn into_lists(self) -> (Vec<Finding>, Vec<Finding>) {
        let sorted = |list: RefCell<Vec<Finding>>| {
            let mut list = list.into_inner();
            list.sort();
            list.dedup();
            list
        };
        (sorted(self.errors), sorted(self.warnings))
    }

    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }
}
