//! HTTP/1 in clear, as token endpoints of clouds speak it: requests and answers out of the two streams of a connection.
//!
//! A target and a header can hold a secret. Of a request goes on what [`Request`] names; the target is there to be classified, and is shown by nothing.

mod body;
mod messages;
mod request;
mod response;

pub use messages::{HEAD_MAX, Head, Messages};
pub use request::{Mark, Request};
pub use response::Response;

#[cfg(test)]
mod tests;
