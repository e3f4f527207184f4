//! What a row of the catalogue expands to: an [`Instrument`](super::Instrument), a handle, and a method of
//! [`Metrics`](crate::serve::Metrics).
//!
//! Macros, as each row is a method of its own with arguments of its own.

/// A table: a struct of handles, the rows as data, and the methods.
macro_rules! instruments {
    (
        $(#[$doc:meta])* $group:ident in $field:ident, $origin:ident;
        $(
            $method:ident: $kind:ident $name:literal $unit:ident $ladder:ident $level:ident
            $(by $set:ident { $($label:ident: $value:ty),+ })?
            $(open { $($open_label:ident: $open_value:ty),+ })?, $help:literal;
        )+
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $group {
            $(pub(crate) $method: handle!($kind $(by $set)? $(open $($open_label)+)?),)+
        }

        #[allow(dead_code, reason = "the names of the rows, each the number of its row")]
        #[allow(non_camel_case_types, reason = "they are those of the methods")]
        enum Row { $($method),+ }

        pub(super) static ROWS: [crate::serve::catalogue::Instrument; [$(stringify!($method)),+].len()] = [
            $(crate::serve::catalogue::Instrument {
                name: $name,
                method: stringify!($method),
                kind: crate::serve::catalogue::Kind::$kind,
                unit: crate::serve::catalogue::maker::$unit,
                ladder: crate::serve::catalogue::ladders::$ladder,
                level: crate::Level::$level,
                labels: &[
                    $($(crate::Label::of::<$value>(stringify!($label)),)+)?
                    $($(crate::Label::of::<$open_value>(stringify!($open_label)),)+)?
                ],
                origin: crate::serve::catalogue::Origin::$origin,
                help: $help,
                late: |instruments, measurement| {
                    late!(
                        instruments.$field.$method, crate::serve::catalogue::Kind::$kind, measurement,
                        $(by $set)? $(open { $($open_label: $open_value),+ })?
                    )
                },
            }),+
        ];

        impl $group {
            pub(super) fn new(maker: &crate::serve::catalogue::Maker<'_>) -> Result<Self, crate::Error> {
                Ok(Self {
                    $($method: {
                        let builder = start!($kind, maker, &ROWS[Row::$method as usize]);
                        $(let builder = builder.label_set::<crate::serve::catalogue::labels::$set>();)?
                        $(
                            let builder = builder
                                .labels([$(stringify!($open_label)),+])
                                .limit(crate::serve::catalogue::maker::OPEN_LIMIT);
                        )?
                        builder.build()?
                    },)+
                })
            }
        }

        impl crate::serve::Metrics {
            $(method! { $kind {
                #[doc = $help] $method $field $level
                ($($($label: $value),+)? $($($open_label: $open_value),+)?)
                $(by $set { $($label),+ })? $(open { $($open_label),+ })?
            } })+
        }
    };
}

/// The type of a row's handle.
macro_rules! handle {
    ($kind:ident) => { metric!($kind) };
    ($kind:ident by $set:ident) => { crate::TypedFamily<metric!($kind), crate::serve::catalogue::labels::$set> };
    ($kind:ident open $($label:ident)+) => { crate::Family<metric!($kind), { [$(stringify!($label)),+].len() }> };
}

/// The metric that records a kind.
macro_rules! metric {
    (Event) => {
        crate::Counter
    };
    (Count) => {
        crate::Counter
    };
    (Delta) => {
        crate::UpDownCounter
    };
    (Value) => {
        crate::Gauge
    };
    (Amount) => {
        crate::Gauge
    };
    (Time) => {
        crate::Histogram
    };
    (Size) => {
        crate::Histogram
    };
    (Real) => {
        crate::Histogram
    };
}

/// The builder of a row's metric.
macro_rules! start {
    (Event, $maker:expr, $row:expr) => {
        $maker.counter($row)
    };
    (Count, $maker:expr, $row:expr) => {
        $maker.counter($row)
    };
    (Delta, $maker:expr, $row:expr) => {
        $maker.updown_counter($row)
    };
    (Value, $maker:expr, $row:expr) => {
        $maker.gauge($row)
    };
    (Amount, $maker:expr, $row:expr) => {
        $maker.gauge($row)
    };
    ($histogram:ident, $maker:expr, $row:expr) => {
        $maker.histogram($row)
    };
}

/// The method that records a row: the value, then the labels in the order of the table.
macro_rules! method {
    (Event $row:tt) => { method! { @record $row, inc } };
    (Count $row:tt) => { method! { @record $row, add, n: u64 } };
    (Delta $row:tt) => { method! { @record $row, add, n: i64 } };
    (Value $row:tt) => { method! { @record $row, set, value: f64 } };
    (Amount $row:tt) => { method! { @record $row, set, value: f64 } };
    (Time $row:tt) => { method! { @record $row, record_duration, time: std::time::Duration } };
    (Size $row:tt) => { method! { @record $row, record, n: u64 } };
    (Real $row:tt) => { method! { @record $row, record_value, value: f64 } };
    (
        @record {
            $(#[$doc:meta])* $method:ident $field:ident $level:ident ($($label:ident: $value:ty),*) $($series:tt)*
        }, $record:ident $(, $argument:ident: $argument_type:ty)?
    ) => {
        $(#[$doc])*
        #[inline]
        pub fn $method(&self $(, $argument: $argument_type)? $(, $label: $value)*) {
            if let Some(live) = self.live_at(crate::Level::$level) {
                series!(live.$field.$method, $($series)*).$record($($argument)?);
            }
        }
    };
}

/// The series of a row with these labels.
macro_rules! series {
    ($handle:expr,) => { $handle };
    ($handle:expr, by $set:ident { $($label:ident),+ }) => {
        $handle.with(crate::serve::catalogue::labels::$set { $($label),+ })
    };
    ($handle:expr, open { $($label:ident),+ }) => {
        $handle.with([$(crate::LabelValue::text(&$label, &mut crate::LabelText::new())),+])
    };
}

/// Records a late-bound measurement to a row.
macro_rules! late {
    ($handle:expr, $kind:expr, $measurement:expr,) => {
        crate::serve::catalogue::bind::plain(&$handle, $kind, $measurement)
    };
    ($handle:expr, $kind:expr, $measurement:expr, by $set:ident) => {
        crate::serve::catalogue::bind::closed(&$handle, $kind, $measurement)
    };
    ($handle:expr, $kind:expr, $measurement:expr, open { $($label:ident: $value:ty),+ }) => {
        crate::serve::catalogue::bind::open(
            &$handle,
            [$((stringify!($label), <$value as crate::serve::catalogue::bind::Accept>::accepts)),+],
            $kind,
            $measurement,
        )
    };
}

pub(super) use {handle, instruments, late, method, metric, series, start};
