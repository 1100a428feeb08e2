//! The one integration binary: behaviour through the public door.
