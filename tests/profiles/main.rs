//! Name profiles: what they expose is what the golden files say, dashboards find what they ask for, and the values are
//! those that were recorded.
#![cfg(feature = "serve")]

mod dashboards;
mod golden;
mod names;
mod page;
mod server;
mod traces;
mod values;
