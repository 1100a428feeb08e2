//! Project Wycheproof's vectors, through our reading of tokens and our primitives. `tests/run` brings them.
