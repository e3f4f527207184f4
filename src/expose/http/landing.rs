//! The landing page: which process this is, and where its metrics are.

/// The page, for the process that it is made in; `open`: anybody who reaches it can read it.
pub(super) fn page(open: bool) -> String {
    let program = std::env::current_exe().ok().or_else(|| std::env::args_os().next().map(Into::into));
    let name = program.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    html(name.as_deref().unwrap_or("process"), std::process::id(), open)
}

fn html(program: &str, pid: u32, open: bool) -> String {
    let note = if open {
        "<p>Open to all: whoever reaches this address can read the metrics, without a password, token or certificate.</p>\n"
    } else {
        ""
    };
    let mut name = String::new();
    push_escaped(&mut name, program);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{name}: metrics</title></head>\n\
         <body>\n<h1>{name}</h1>\n<p>Process {pid}, measured with tach {}.</p>\n\
         <p><a href=\"/metrics\">Metrics</a></p>\n{note}</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    )
}

fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_hostile_program_name_stays_text() {
        let page = super::html("<script>\"a\" & 'b'</script>", 7, false);
        assert!(!page.contains("<script>"));
        assert!(page.contains("<h1>&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;</h1>"));
        assert!(page.contains("Process 7,") && !page.contains("Open to all"));
        assert!(super::html("a", 7, true).contains("Open to all"));
    }
}
