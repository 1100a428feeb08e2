//! Sessions in this process only.
