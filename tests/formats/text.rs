//! Prometheus text, of both versions.

use crate::model::{families, registry};
use crate::om_reader::Family;
use crate::openmetrics::{expected, found, same};
use crate::text_reader::read;
use std::collections::BTreeMap;
use tach::{Escaping, text};

#[test]
fn the_reader_refuses_what_is_not_text() {
    let good = "# HELP a_s h\\\\ \"\\n\n# TYPE a_s histogram\na_s_bucket{le=\"1.0\"} 1\na_s_bucket{le=\"+Inf\"} 2\n\
                a_s_sum 3.5\na_s_count 2\n# TYPE b_total counter\nb_total{x=\"\\n\"} 1e+06\n# TYPE \"c.d\" gauge\n\
                {\"c.d\",\"e f\"=\"g\"} NaN\n";
    let families = read(good).unwrap();
    assert_eq!((families.len(), &*families[0].help), (3, "h\\ \"\n"));
    for (from, to) in [
        ("NaN\n", "NaN"),
        ("NaN\n", "NaN\n\n"),
        ("NaN\n", "NaN\n# EOF\n"),
        ("NaN\n", "NaN\n# HELP f h\n"),
        ("NaN\n", "NaN 1000\n"),
        ("NaN\n", "nan\n"),
        ("# HELP a_s ", "# HELP a "),
        ("# HELP a_s ", "# HELP a_s h\n# HELP a_s "),
        ("# HELP a_s h", "# HELP a_s \\h"),
        ("\\n\n", "\\\n"),
        ("h\\\\ \"\\n\n# TYPE a_s histogram\n", "h\na_s_sum 1\n# TYPE a_s histogram\n"),
        ("# TYPE a_s histogram", "# TYPE a_s summary"),
        ("# TYPE b_total counter", "# TYPE b counter"),
        ("# TYPE b_total counter", "# UNIT b_total s\n# TYPE b_total counter"),
        ("# TYPE b_total counter", "# TYPE \"b_total\" counter"),
        ("# TYPE b_total counter\n", "# TYPE b_total counter\n# HELP b_total h\n"),
        ("# TYPE b_total counter\n", ""),
        ("a_s_count 2\n", "a_s_count 2\na_s_created 7\n"),
        ("a_s_count 2\n", "a_s_count 3\n"),
        ("1e+06", "1e+06 # {a=\"b\"} 1 7"),
        ("1e+06", "-1"),
        ("le=\"1.0\"", "le=\"1\""),
        ("\"c.d\" gauge", "c.d gauge"),
        ("{\"c.d\",", "c.d{"),
        ("\"e f\"", "e f"),
    ] {
        assert!(good.contains(from), "{from:?}");
        assert!(read(&good.replacen(from, to, 1)).is_err(), "{from:?} as {to:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_recorded_reads_back(families in families()) {
        let snapshot = registry(&families).snapshot();
        let page = text::render(&snapshot);
        let read = read(&page).unwrap_or_else(|rule| panic!("{rule}\n{page}"));
        let mut read: BTreeMap<String, Family> =
            read.into_iter().filter(|family| !family.name.starts_with("tach_")).map(|f| (f.name.clone(), f)).collect();
        proptest::prop_assert_eq!(read.len(), families.len());
        for family in &families {
            let there = read.remove(&family.base()).unwrap();
            proptest::prop_assert_eq!((&*there.kind, &there.help), (family.kind(), &family.help));
            let (expected, found) = (expected(family), found(there));
            proptest::prop_assert!(same(&expected, &found), "{expected:?}\n{found:?}");
        }
        // All names are legal here, so the two versions are one.
        proptest::prop_assert_eq!(text::render_with(&snapshot, Escaping::AllowUtf8), page);
    }
}
