//! Answers of DNS (RFC 1035): which addresses a name had when a process asked. Weaker evidence than a name that is asked for in the connection itself:
//! who can send from a resolver's port can say anything, and many names share an address.

mod answer;
mod name;

pub use answer::Answer;

#[cfg(test)]
mod tests;
