//! The examples in `deploy` are what `snippet` prints of the configuration beside them.
