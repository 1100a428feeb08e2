//! pingora-core asks flate2 for zlib-ng, whose build needs CMake; a machine with only Rust and a C compiler has none. This
//! package takes its place (`[patch.crates-io]` in the main `Cargo.toml`) and gives flate2 the same functions from zlib.

#![no_std]
pub use libz_sys::*;
