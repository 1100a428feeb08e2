//! Every act leaves exactly the record that tells of it.
