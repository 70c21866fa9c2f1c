//! The catalogue that comes with the program.

use std::sync::LazyLock;

use super::Catalogue;

const TEXT: &str = include_str!("../../catalogue.toml");

static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| match Catalogue::parse(TEXT, "catalogue.toml") {
    Ok(catalogue) => catalogue,
    // The text is part of this crate and a test of this crate parses it: it cannot come to this in a program that was tested.
    Err(error) => unreachable!("the shipped catalogue is refused: {error}"),
});

impl Catalogue {
    /// The catalogue that comes with the program.
    #[must_use]
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }
}
