//! The HTTP exporter as its clients see it: raw sockets, so that every byte is under control.
#![cfg(feature = "http")]

mod answers;
mod client;
#[cfg(target_os = "linux")]
mod crowds;
mod endpoint;
mod life;
mod limits;
mod own;
mod places;
#[cfg(feature = "tls")]
mod secure;
