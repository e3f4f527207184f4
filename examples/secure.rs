//! Serves a counter as a web configuration says: with TLS, passwords, or whatever else it asks for.
//!
//! ```text
//! secure WEB_CONFIG    prints its address, and ends with its input
//! ```

use std::process::ExitCode;
use tach::{Exporter, Registry};

fn serve(web_config: &str) -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    registry.counter("app_tokens").help("Tokens generated.").build()?.add(5);
    let exporter = Exporter::builder().listen("127.0.0.1:0").web_config(web_config).start(&registry)?;
    println!("{}", exporter.local_addr());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [web_config] = &*arguments else {
        eprintln!("usage: secure WEB_CONFIG");
        return ExitCode::from(2);
    };
    match serve(web_config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
