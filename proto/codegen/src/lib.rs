//! Only a test: see `tests/generated.rs`.
