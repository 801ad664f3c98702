//! Times, rates and shares as people read them.

pub(super) use crate::load::summary::time;

/// A time at a tick of an axis: round already.
pub(super) fn tick(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us} µs"),
        us if us < 1_000_000.0 => format!("{} ms", us / 1e3),
        us => format!("{} s", us / 1e6),
    }
}

/// A count or a rate, in groups of three digits.
pub(super) fn number(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        let places = if value.abs() >= 10.0 { 1 } else { 2 };
        return format!("{value:.places$}").trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{:.0}", value.abs());
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if value < 0.0 { format!("-{grouped}") } else { grouped }
}

/// A share of the whole.
pub(super) fn share(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.1 { format!("{percent:.3} %") } else { format!("{percent:.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        assert_eq!([time(12.4), time(1_500.0), time(2_340_000.0)], ["12 µs", "1.50 ms", "2.34 s"]);
        assert_eq!([tick(100.0), tick(1_000.0), tick(1e7)], ["100 µs", "1 ms", "10 s"]);
        assert_eq!([number(12.24), number(12.04), number(0.03)], ["12.2", "12", "0.03"]);
        assert_eq!([number(0.0), number(2.5), number(999.6), number(1_234_567.0)], ["0", "2.5", "1,000", "1,234,567"]);
        assert_eq!([share(0.999), share(0.000_2), share(0.0)], ["99.9 %", "0.020 %", "0.0 %"]);
    }
}
