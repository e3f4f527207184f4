//! How a reader undoes what the escaping by values has done.

/// What a reader makes of a name that was escaped by values; `None` of one that was not.
pub(crate) fn undo(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix("U__")?;
    let mut out = String::new();
    while let Some((plain, after)) = rest.split_once('_') {
        out.push_str(plain);
        let (number, after) = after.split_once('_')?;
        out.push(if number.is_empty() { '_' } else { char::from_u32(u32::from_str_radix(number, 16).ok()?)? });
        rest = after;
    }
    Some(out + rest)
}
