//! What compiles without a warning.
#![deny(warnings, missing_docs, unreachable_pub, private_interfaces, private_bounds)]

use tach::{Counter, LabelSet, LabelValue, Registry, TypedFamily};

#[derive(LabelValue, Clone, Copy)]
enum Method {
    Get,
    r#Put,
}

/// Public, with a field of a private type.
#[derive(LabelSet, Clone, Copy)]
pub struct Labels {
    method: Method,
    r#type: bool,
}

/// With parameters and lifetimes.
#[derive(LabelSet)]
pub struct Parameters<'a, 'b: 'a, V: Clone, const N: usize> {
    #[label("code")]
    value: V,
    path: &'a str,
    method: &'b Method,
}

struct Server {
    by_method: TypedFamily<Counter, Labels>,
    by_path: TypedFamily<Counter, Parameters<'static, 'static, u16, 1>>,
}

impl Server {
    fn serve(&self, path: &str) {
        let method = if path.is_empty() { Method::Get } else { Method::r#Put };
        self.by_method.with(Labels { method, r#type: true }).inc();
        self.by_path.with(Parameters { value: 200, path, method: &method }).inc();
    }
}

fn main() {
    let registry = Registry::new();
    let server = Server {
        by_method: registry.counter("by_method").label_set().build().unwrap(),
        by_path: registry.counter("by_path").label_set().build().unwrap(),
    };
    server.serve(&String::from("/"));
    std::thread::spawn(move || server.serve("")).join().unwrap();
    let total = registry.snapshot().counter("by_method", &[("method", "put"), ("type", "true")]);
    assert_eq!(total, Some(1));
}
