//! The scripts, in `lua/`: each checks and acts in one step.

use redis::Script;
use std::sync::LazyLock;

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)*) => {
        $(pub(super) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(concat!($(include_str!(concat!("lua/", $file))),+)));)*
    };
}

scripts! {
    CREATE = "shared.lua" "create.lua";
    ROTATE = "shared.lua" "rotate.lua";
    END = "shared.lua" "end.lua";
    END_ALL = "shared.lua" "end_all.lua";
    REWRITE = "shared.lua" "rewrite.lua";
    LIST = "shared.lua" "list.lua";
    PURGE = "shared.lua" "purge.lua";
    PUT = "put.lua";
    TAKE = "take.lua";
    COUNT = "count.lua";
    GIVE_BACK = "give_back.lua";
    CLEAR = "clear.lua";
    CREATE_FAMILY = "families.lua" "create_family.lua";
    ROTATE_TOKEN = "families.lua" "rotate_token.lua";
    END_FAMILY = "families.lua" "end_family.lua";
    END_FAMILIES = "families.lua" "end_families.lua";
    LIST_FAMILIES = "families.lua" "list_families.lua";
}

/// Sent whole each time, since nobody waits for the answer that the server has forgotten it.
pub(super) const TOUCH: &str = include_str!("lua/touch.lua");
