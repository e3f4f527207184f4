//! A strict reader of Prometheus text 0.0.4, and of 1.0.0, where names that need it are in quotes.
//!
//! Less is allowed than a scraper takes, as in [`om_reader`](crate::om_reader), whose names, texts, numbers and rules of
//! families these are: HELP before TYPE, no other comment, no timestamp, no beginning.

use crate::om_reader::{Family, Sample, check_all, name, number, series};

/// Reads a page, or says which line breaks which rule. A counter's family is called as in OpenMetrics, without `_total`.
pub(crate) fn read(text: &str) -> Result<Vec<Family>, String> {
    let mut families: Vec<Family> = Vec::new();
    // A HELP whose TYPE is to come.
    let mut help = None;
    for line in text.strip_suffix('\n').ok_or("a line without an end")?.split('\n') {
        read_line(&mut families, &mut help, line).map_err(|rule| format!("{rule}: {line:?}"))?;
    }
    if help.is_some() {
        return Err("a HELP without a TYPE".to_owned());
    }
    check_all(&families)?;
    Ok(families)
}

fn read_line(families: &mut Vec<Family>, help: &mut Option<Family>, line: &str) -> Result<(), &'static str> {
    let Some(metadata) = line.strip_prefix("# ") else {
        let family = families.last_mut().filter(|_| help.is_none()).ok_or("a sample that no TYPE is before")?;
        let (name, labels, value) = series(line)?;
        number(value).ok_or("no number, or more than that")?;
        if family.kind != "gauge" && name.ends_with("_created") {
            return Err("a beginning");
        }
        family.samples.push(Sample { name, labels, value: value.to_owned(), exemplar: None });
        return Ok(());
    };
    let (keyword, rest) = metadata.split_once(' ').ok_or("a comment")?;
    let (name, text) = name(rest, ":")?;
    let text = text.strip_prefix(' ').ok_or("metadata without a text")?;
    match (keyword, help.take()) {
        ("HELP", None) if !text.is_empty() => *help = Some(Family { name, help: unescape(text)?, ..Family::default() }),
        ("TYPE", before) => {
            let mut family = before.unwrap_or_else(|| Family { name: name.clone(), ..Family::default() });
            if family.name != name {
                return Err("a TYPE of another family than the HELP before it");
            }
            text.clone_into(&mut family.kind);
            if text == "counter" {
                family.name = name.strip_suffix("_total").ok_or("a counter that is not called so")?.to_owned();
            }
            families.push(family);
        }
        _ => return Err("metadata that is unknown, empty, or there twice"),
    }
    Ok(())
}

/// Of a help text: quotes are as they are.
fn unescape(text: &str) -> Result<String, &'static str> {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let Some(part) = parts.next() {
        match part.strip_prefix('n') {
            Some(rest) => out.extend(["\n", rest]),
            // Two in a row have nothing between them.
            None if part.is_empty() => out.extend(["\\", parts.next().ok_or("half an escape")?]),
            None => return Err("an unknown escape"),
        }
    }
    Ok(out)
}
