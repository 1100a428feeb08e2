//! The scripts: each checks and acts in one step. They stand in `lua/`, where `shared.lua` is put before each.

use redis::Script;
use std::sync::LazyLock;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $($(#[$doc])*
        pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!(include_str!("lua/shared.lua"), include_str!(concat!("lua/", $file)))));)*
    };
}

scripts! {
    CREATE = "create.lua";
    ROTATE = "rotate.lua";
    END = "end.lua";
    END_ALL = "end_all.lua";
    REWRITE = "rewrite.lua";
    LIST = "list.lua";
    PURGE = "purge.lua";
}

/// Sent whole each time, since nobody waits for the answer that the server has forgotten it.
pub(super) const TOUCH: &str = include_str!("lua/touch.lua");
